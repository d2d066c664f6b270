# SPDX-License-Identifier: GPL-2.0-or-later
"""``make conformance``: all comparisons with the C programs, two at a time, with a summary at the end.

    python -m tests.conformance.run [--only NAME...] [--list] [--keep-sources]

Each part is a program of this package.  Its exit status is 0 where everything that it compared
was equal; what it could not compare (a package index that does not answer, a compiler that is
not installed) it says in lines that begin with ``NOT RUN:``, which are repeated at the end; the last
line of its output goes to the summary.  Any other exit status, or a part that does not end in its time, fails.

Downloads and preprocessed files are kept in ``$MODVERSIONS_CACHE``, else
``${XDG_CACHE_HOME:-~/.cache}/modversions``; that directory may be deleted at any time.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from tests.conformance.kernel_build import remove_sources

_REPOSITORY = Path(__file__).absolute().parents[2]
_PARTS_AT_A_TIME = 2
_TOTAL_SECONDS = 23 * 60
_HEARTBEAT_SECONDS = 60
_NOT_RUN = "NOT RUN:"


@dataclass(frozen=True, slots=True)
class Part:
    """One comparison: a module of this package, its arguments, and the seconds after which it counts as hung."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()
    seconds: int = 600


def _units(name: str, kernel: str, architecture: str, count: int) -> Part:
    return Part(f"units-{name}", "genksyms_units", (kernel, architecture, str(count)), 900)


def _modules(name: str, kernel: str, architecture: str) -> Part:
    return Part(f"modpost-{name}", "modpost_modules", ("--kernel", kernel, "--architecture", architecture))


def _builds(kernel: str) -> Part:
    return Part(f"kbuild-{kernel}", "kbuild_builds", ("--kernel", kernel))


#: The longest first, so that the two lanes end together.
PARTS: tuple[Part, ...] = (
    _units("6.1", "6.1", "amd64", 320),
    Part("units-recorded", "genksyms_units", ("recorded",), 900),
    _modules("6.1", "6.1", "amd64"),
    _units("7.x", "7.x", "amd64", 80),
    _units("5.10", "5.10", "amd64", 60),
    _units("6.12", "6.12", "amd64", 60),
    _units("arm64", "6.1", "arm64", 60),
    _units("s390x", "6.1", "s390x", 50),
    _units("armhf", "6.1", "armhf", 50),
    *(_builds(kernel) for kernel in ("6.1", "5.10", "6.12", "7.x", "6.1-arm64")),
    Part("dkms-drivers", "dkms_drivers"),
    Part("depmod", "depmod_files"),
    Part("modinfo", "modinfo_outputs"),
    Part("modprobe", "modprobe_outputs"),
    Part("boots", "boots"),
    Part("kernel-verdicts", "kernel_verdicts"),
    Part("modcheck", "modcheck_kernels"),
    Part("foreign-headers", "foreign_headers"),
    Part("restamp", "restamped_modules"),
    Part("layouts", "layouts_of_kernels"),
    Part("booted-tools", "booted_tools"),
    Part("fixdep", "fixdep_files"),
    _modules("7.x", "7.x", "amd64"),
    _modules("7.x-backports", "7.x-backports", "amd64"),
    _modules("6.12", "6.12", "amd64"),
    _modules("5.10", "5.10", "amd64"),
    _modules("arm64", "6.1", "arm64"),
    _modules("s390x", "6.1", "s390x"),
    _modules("armhf", "6.1", "armhf"),
    Part("fuzz-genksyms", "fuzz_genksyms", ("--units", "300", "--kernel", "6.1", "--kernel", "7.x")),
    Part("fuzz-modpost", "fuzz_modpost", ("--runs", "60")),
    Part("fuzz-sections", "fuzz_section_mismatch", ("--runs", "60")),
    Part("fuzz-devices", "fuzz_device_tables", ("--objects", "60")),
    Part("provoked-mismatches", "provoked_mismatches", ("--modules", "40")),
)

#: Programs that some part needs, and the Debian package that has them.
_PROGRAMS = {
    "gcc": "gcc",
    "make": "make",
    "tar": "tar",
    "xz": "xz-utils",
    "zstd": "zstd",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "arm-linux-gnueabihf-gcc": "gcc-arm-linux-gnueabihf",
    "s390x-linux-gnu-gcc": "gcc-s390x-linux-gnu",
    "modinfo": "kmod",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a part ended: ``ok``, ``not run``, ``DIFFERENT`` or ``FAILED``."""

    part: Part
    verdict: str
    seconds: float
    summary: str
    not_run: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the whole run fails for it."""
        return self.verdict in ("DIFFERENT", "FAILED")


class Runner:
    """Runs parts as processes and prints each one's output when it has ended."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._deadline = time.monotonic() + _TOTAL_SECONDS
        self._printing = Lock()
        self._running: dict[str, subprocess.Popen[str]] = {}

    def run(self) -> list[Outcome]:
        """All parts, in the order of the table."""
        with ThreadPoolExecutor(_PARTS_AT_A_TIME) as pool:
            pending = [pool.submit(self._run_part, part) for part in self._parts]
            try:
                return [each.result() for each in pending]
            except KeyboardInterrupt:
                for each in pending:
                    each.cancel()
                for process in list(self._running.values()):
                    _end(process)
                raise

    def _run_part(self, part: Part) -> Outcome:
        began = time.monotonic()
        seconds = min(part.seconds, self._deadline - began)
        if seconds < 10:
            text = f"{_NOT_RUN} {part.name}: the {_TOTAL_SECONDS // 60} minutes for the whole are over"
            return Outcome(part, "not run", 0, text, (text,))
        self._say(f"{part.name} begins")
        output, status = self._output_of(part, seconds)
        took = time.monotonic() - began
        lines = [line for line in output.splitlines() if line.strip()]
        not_run = tuple(line for line in lines if line.startswith(_NOT_RUN))
        outcome = Outcome(part, _verdict(status, lines, not_run), took, lines[-1] if lines else "", not_run)
        self._say(f"{part.name}: {outcome.verdict} after {took:.0f} s", lines)
        return outcome

    def _output_of(self, part: Part, seconds: float) -> tuple[str, int | None]:
        """Output and exit status of a part; None for the status of one that did not end in time."""
        process = subprocess.Popen(
            [sys.executable, "-m", f"tests.conformance.{part.module}", *part.arguments],
            cwd=_REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        self._running[part.name] = process
        end = time.monotonic() + seconds
        try:
            while True:
                left = end - time.monotonic()
                try:
                    output, _ = process.communicate(timeout=max(1, min(left, _HEARTBEAT_SECONDS)))
                    return output, process.returncode
                except subprocess.TimeoutExpired:
                    if left <= 0:
                        _end(process)
                        output, _ = process.communicate()
                        return f"{output}\nnot done after {seconds:.0f} s", None
                    self._say(f"{part.name} runs")
        finally:
            del self._running[part.name]

    def _say(self, headline: str, lines: Sequence[str] = ()) -> None:
        with self._printing:
            print(f"[{time.strftime('%H:%M:%S')}] {headline}")
            for line in lines:
                print(f"    {line}")
            sys.stdout.flush()


def _verdict(status: int | None, lines: Sequence[str], not_run: Sequence[str]) -> str:
    # A part whose output is nothing but excuses, perhaps with a closing line, has compared nothing.
    rest = [line for line in lines if line not in not_run]
    if not_run and status in (0, 1) and (not rest or (len(rest) == 1 and re.search(r"\b0 differences", rest[0]))):
        return "not run"
    if status == 0:
        return "ok"
    return "DIFFERENT" if status == 1 and not any("Traceback" in line for line in lines) else "FAILED"


def _end(process: subprocess.Popen[str]) -> None:
    """End a part with everything that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _install_missing() -> None:
    """Install the programs that the parts need, where that is possible; the parts say what lacks."""
    wanted = sorted({package for program, package in _PROGRAMS.items() if shutil.which(program) is None})
    if not wanted or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"installing {' '.join(wanted)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "-qq", "update"], ["apt-get", "-qq", "-y", "install", *wanted]):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600
        )
        if done.returncode != 0:
            print(f"{command[0]} {command[-1]}: {done.stderr.strip()[-200:]}", flush=True)


def _report(outcomes: Sequence[Outcome]) -> None:
    width = max(len(outcome.part.name) for outcome in outcomes)
    print("\npart".ljust(width + 1), "  verdict     seconds  what was compared")
    for outcome in outcomes:
        print(f"{outcome.part.name:{width}}  {outcome.verdict:10} {outcome.seconds:8.0f}  {outcome.summary}")
    for line in (line for outcome in outcomes for line in outcome.not_run):
        print(f"!! {line}")
    failed = sum(outcome.failed for outcome in outcomes)
    skipped = sum(outcome.verdict == "not run" for outcome in outcomes)
    print(f"conformance: {len(outcomes) - failed - skipped} passed, {failed} failed, {skipped} skipped", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 1 if anything differs or fails."""
    parser = argparse.ArgumentParser(prog="tests.conformance.run", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these parts (a prefix of the name will do)")
    parser.add_argument("--list", action="store_true", help="list the parts")
    parser.add_argument("--keep-sources", action="store_true", help="keep unpacked kernel sources in the cache")
    parsed = parser.parse_args(arguments)
    parts = [part for part in PARTS if importlib.util.find_spec(f"tests.conformance.{part.module}")]
    if parsed.only:
        parts = [part for part in parts if part.name.startswith(tuple(parsed.only))]
    if parsed.list or not parts:
        print("\n".join(part.name for part in parts) or "no part has such a name")
        return 0 if parts else 2
    _install_missing()
    try:
        outcomes = Runner(parts).run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        if not parsed.keep_sources:
            # The units made from them stay.
            remove_sources()
    _report(outcomes)
    return 1 if any(outcome.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
