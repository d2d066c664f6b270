# SPDX-License-Identifier: GPL-2.0-or-later
"""The samples through kbuild, with the C programs and with ours: every file that a build leaves must be the same.

    python -m tests.conformance.kbuild_builds [--kernel LABEL]

One course of builds as a developer has them (all samples, symtypes, installation, a change, O=, clean) runs
twice in the same directory: plain kbuild with the C programs, then ``samples/Makefile.modversions`` with ours, the C
programs then replaced by ones that fail.  Behind it what has no counterpart: the printed one-liner, two builds at
once, killed builds, programs of ours in a path with spaces.  At the end nothing in the headers may have changed.
``6.1-arm64`` is a build against headers whose programs are arm64's, where the C programs cannot be started.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modpost_py.kbuild.headers_tree import HeadersTree
from modpost_py.kbuild.make_variables import dialect_of, dialect_of_makefiles
from tests.conformance.debian import NotAvailable
from tests.conformance.headers_copy import build_variables, usable_headers
from tests.conformance.kernels import KERNELS, KernelPackages

_REPOSITORY = Path(__file__).resolve().parents[2]
_SAMPLES = ("exporter", "exporter-user", "device-table", "name-space", "gpl-violation", "crc-mismatch")
_LABELS = ("5.10", "6.1", "6.12", "7.x")
_FOREIGN = "6.1-arm64"
# What 7.x says of a compiler older than its own; both sides get it.
_QUIET = "KCFLAGS=-Wno-attributes"

#: What kbuild says it does after the layout of struct tally has changed, which tally.c alone can see.
#: Until 5.18 the versions stand in tally.o, since in tally.mod.c; Debian's 7.x has none.
_STEPS_AFTER_A_CHANGE = {
    "5.10": ["CC tally.o", "CC tally_demo.mod.o", "LD tally.ko", "LD tally_demo.ko", "MODPOST Module.symvers"],
    "6.1": ["CC tally.mod.o", "CC tally.o", "CC tally_demo.mod.o", "LD tally.ko", "LD tally_demo.ko",
            "MODPOST Module.symvers"],
    "7.x": ["CC tally.o", "LD tally.ko", "MODPOST Module.symvers"],
}  # fmt: skip
_STEPS_AFTER_A_CHANGE["6.12"] = _STEPS_AFTER_A_CHANGE["6.1"]
_STEPS_OF_ITS_USER = {
    label: ["MODPOST Module.symvers"] if label == "7.x" else
    ["CC tally_report.mod.o", "LD tally_report.ko", "MODPOST Module.symvers"] for label in _LABELS
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call of make left: exit status, modpost's messages, kbuild's steps, files."""

    status: int
    messages: list[str]
    steps: list[str]
    files: dict[str, bytes]
    log: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Bench:
    """One kernel's headers, and the directory where its samples are built."""

    label: str
    packages: KernelPackages
    headers: Path
    samples: Path
    variables: list[str]

    def run(self, command: Sequence[str], sample: str, environment: dict[str, str] | None = None) -> Outcome:
        """One call of make in the directory of a sample."""
        done = subprocess.run(
            command, cwd=self.samples / sample, env=environment or _environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="surrogateescape", timeout=600,
        )  # fmt: skip
        return self.outcome(done.returncode, done.stdout + done.stderr, sample)

    def outcome(self, status: int, log: str, sample: str) -> Outcome:
        """The outcome of a call that has ended."""
        messages = sorted(line for line in log.splitlines() if "modpost: " in line and not line.startswith("make"))
        steps = sorted(f"{what} {Path(name).name}" for what, name in _STEP.findall(log))
        return Outcome(min(status, 1), messages, steps, snapshot(self.samples / sample), log)

    def copy_samples(self) -> None:
        """Fresh sources at the place where all builds of this kernel happen."""
        shutil.rmtree(self.samples, ignore_errors=True)
        self.samples.mkdir(parents=True)
        shutil.copy(_REPOSITORY / "samples/Makefile.modversions", self.samples)
        for sample in _SAMPLES:
            names = subprocess.run(
                ["git", "-C", _REPOSITORY / "samples" / sample, "ls-files"], capture_output=True, text=True, check=True
            )
            for name in names.stdout.split():
                (self.samples / sample / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(_REPOSITORY / "samples" / sample / name, self.samples / sample / name)
        _add_assembler_sample(self.samples / "assembler")

    def user_of(self, dump: str) -> str:
        """The variable that names another module's dump, as the fragment passes it."""
        return f"KBUILD_EXTRA_SYMBOLS={self.samples / dump}"


_STEP = re.compile(r"^  (CC|AS|LD|MODPOST|SYM)(?: \[M\])? +(\S+)$", re.MULTILINE)


def _environment() -> dict[str, str]:
    # Where our programs are installed, and nothing of a make that runs this.
    keep = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "KDIR")}
    return {**keep, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LC_ALL": "C"}


def snapshot(directory: Path) -> dict[str, bytes]:
    """The files below a directory; in modpost's saved command, without which program it was and how it is spaced."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_file() and not name.startswith(".modversions/"):
            found[name] = path.read_bytes()
    saved = found.get(".Module.symvers.cmd")
    if saved is not None:
        words = re.sub(rb"\S*(/modpost|modpost-py)(?=\s)", b"MODPOST", saved).split()
        found[".Module.symvers.cmd"] = b" ".join(words)
    return found


def _add_assembler_sample(directory: Path) -> None:
    """A module with an export in assembler, whose version comes from a prototype."""
    directory.mkdir()
    files = {
        "Kbuild": "obj-m := adder.o\nadder-y := main.o add.o\nccflags-y := -include $(src)/prototypes.h\n",
        "Makefile": "include ../Makefile.modversions\n",
        "prototypes.h": "struct adder;\nlong adder_add(struct adder *adder, long number);\n",
        "main.c": '#include <linux/module.h>\nMODULE_LICENSE("GPL");\nMODULE_DESCRIPTION("adder");\n',
        "add.S": (
            "#include <linux/linkage.h>\n#if __has_include(<asm/export.h>)\n#include <asm/export.h>\n#else\n"
            "#include <linux/export.h>\n#endif\n\t.text\nSYM_FUNC_START(adder_add)\n\tmovq %rsi, %rax\n\tRET_IT\n"
            "SYM_FUNC_END(adder_add)\nEXPORT_SYMBOL(adder_add)\n"
        ).replace("RET_IT", "RET"),
    }
    for name, text in files.items():
        (directory / name).write_text(text)


# ----- one course of builds, with either tool set

Builder = Callable[..., Outcome]


def c_programs(bench: Bench) -> Builder:
    """Plain kbuild, as its documentation says: make -C KDIR M=..."""

    def build(sample: str, *words: str) -> Outcome:
        directory = bench.samples / sample
        extra = []
        if sample == "exporter-user":
            extra = [bench.user_of("exporter/Module.symvers")]
            # Plain kbuild does not see that the dump has changed (that of 5.10 does).
            (directory / ".Module.symvers.cmd").unlink(missing_ok=True)
        elif sample == "crc-mismatch":
            extra = [bench.user_of("crc-mismatch/altered.symvers")]
            text = (bench.samples / "exporter/Module.symvers").read_text()
            (directory / "altered.symvers").write_text(re.sub(r"0x\w+(\ttally_count\t)", r"0x12345678\1", text))
        if "tally.symtypes" in words and bench.label == "7.x":
            return _symtypes_of_7(bench, sample)
        words = tuple(word.replace("DESTDIR=", "INSTALL_MOD_PATH=") for word in words)
        headers = bench.headers
        if f"O={headers}" in words:
            headers = _common(bench)
        command = ["make", "-C", str(headers), f"M={directory}", "-j2", *extra, *bench.variables, *words]
        return bench.run(command, sample)

    return build


def our_programs(bench: Bench) -> Builder:
    """The fragment in the sample's own Makefile."""

    def build(sample: str, *words: str) -> Outcome:
        headers = _common(bench) if f"O={bench.headers}" in words else bench.headers
        return bench.run(["make", f"KDIR={headers}", "-j2", *bench.variables, *words], sample)

    return build


def _common(bench: Bench) -> Path:
    return bench.headers.parent / bench.packages.common_headers.name


def _symtypes_of_7(bench: Bench, sample: str) -> Outcome:
    """What the target .symtypes, which kbuild gave up, would do."""
    directory = bench.samples / sample
    command = ["make", "-C", str(bench.headers), f"M={directory}", *bench.variables, "KCPPFLAGS=-D__GENKSYMS__"]
    made = bench.run([*command, "tally.i"], sample)
    genksyms = [str(bench.headers / "scripts/genksyms/genksyms"), "-T", str(directory / "tally.symtypes")]
    with open(directory / "tally.i") as text:
        subprocess.run(genksyms, stdin=text, stdout=subprocess.DEVNULL, check=True, timeout=60)
    return bench.outcome(made.status, made.log, sample)


def course(bench: Bench, build: Builder) -> Iterator[tuple[str, Outcome]]:
    """The builds that both tool sets do, each with a name."""
    bench.copy_samples()
    for sample in (*_SAMPLES, "assembler"):
        yield sample, build(sample)
    yield "built again", build("exporter")
    yield "symtypes", _files_only(build("exporter", "tally.symtypes"), "tally.symtypes")
    for name in ("tally.i", ".tally.i.cmd"):
        (bench.samples / "exporter" / name).unlink(missing_ok=True)
    destination = bench.samples.parent / "installed"
    installed = build("exporter", "modules_install", f"DESTDIR={destination}")
    yield "installed", Outcome(installed.status, [], [], snapshot(destination), installed.log)
    shutil.rmtree(destination)
    inside = bench.samples / "exporter/tally_inside.h"
    inside.write_text(inside.read_text().replace("unsigned long sum", "unsigned long long sum"))
    yield "a type changed", build("exporter")
    yield "its user elsewhere", build("exporter-user")
    yield "clean", build("exporter", "clean")
    yield "O=", build("exporter", f"O={bench.headers}")


def _files_only(outcome: Outcome, *names: str) -> Outcome:
    files = {name: data for name, data in outcome.files.items() if name in names}
    return Outcome(outcome.status, [], [], files, outcome.log)


def differences(theirs: Outcome, ours: Outcome) -> Iterator[str]:
    """What differs between two outcomes, a line each."""
    for name in ("status", "messages", "steps"):
        if getattr(theirs, name) != getattr(ours, name):
            yield f"{name}: {getattr(theirs, name)} != {getattr(ours, name)}"
    for name in sorted(theirs.files.keys() | ours.files.keys()):
        if name not in ours.files or name not in theirs.files:
            yield f"{name}: only with {'the C programs' if name in theirs.files else 'ours'}"
        elif theirs.files[name] != ours.files[name]:
            yield f"{name}: differs"


def expectations(bench: Bench, ours: dict[str, Outcome]) -> Iterator[str]:
    """What is wrong although both tool sets agree."""
    expected = {
        "built again": [],
        "a type changed": _STEPS_AFTER_A_CHANGE[bench.label],
        "its user elsewhere": _STEPS_OF_ITS_USER[bench.label],
    }
    for name, steps in expected.items():
        if ours[name].steps != steps:
            yield f"{name}: {ours[name].steps}, not {steps}"
    failed = [name for name, outcome in ours.items() if outcome.status]
    if failed != ["gpl-violation"]:
        yield f"failed: {failed}\n" + "".join(ours[name].log for name in failed[:2])
    message = (bench.samples / "gpl-violation/expected-message").read_text().strip()
    if not any(message in line for line in ours["gpl-violation"].messages):
        yield f"gpl-violation: no message {message!r} in {ours['gpl-violation'].messages}"
    if any(name.endswith(".o") for name in ours["clean"].files):
        yield "clean: objects are left"
    installed = [name for name in ours["installed"].files if ".ko" in name]
    if len(installed) != 2:
        yield f"installed: {installed}"


# ----- what only ours do


def one_liner(bench: Bench) -> Outcome:
    """The command that ``kbuild-py make --print`` prints, typed into a shell."""
    printed = subprocess.run(
        ["kbuild-py", "make", "--print", "--headers", str(bench.headers)],
        env=_environment(), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    line = f"{printed.stdout.rstrip()} {shlex.join(bench.variables)}"
    return bench.run(["sh", "-c", line], "exporter")


def two_at_once(bench: Bench) -> Outcome:
    """Two builds started together; the outcome of the one that ended last, failed if either did."""
    command = ["make", f"KDIR={bench.headers}", *bench.variables]
    builds = [_start(bench, command) for _ in range(2)]
    logs = [build.communicate(timeout=600)[0] for build in builds]
    waited = sum("another build is under way here" in log for log in logs)
    status = max(build.returncode for build in builds) or int(waited != 1)
    return bench.outcome(status, "".join(logs), "exporter")


def killed(bench: Bench, number: int, at: str) -> Outcome:
    """A build that a signal ends when the file ``at`` appears, then another."""
    command = ["make", f"KDIR={bench.headers}", "-j1", *bench.variables]
    build = _start(bench, command)
    deadline = time.monotonic() + 120
    while not (bench.samples / "exporter" / at).exists() and build.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    os.killpg(build.pid, number)
    log = build.communicate(timeout=60)[0]
    again = bench.run(command, "exporter")
    missed = "MODPOST" in log or ("a build was killed here" in again.log) != at.endswith(".cmd")
    return Outcome(again.status or int(missed), again.messages, [], again.files, log + again.log)


def _start(bench: Bench, command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=bench.samples / "exporter", env=_environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def from_spaces(bench: Bench) -> Outcome:
    """Our programs run by an interpreter whose path has spaces."""
    directory = bench.samples.parent / "a path with spaces"
    directory.mkdir(exist_ok=True)
    (directory / "python").symlink_to(os.path.realpath(sys.executable))
    modules = [str(_REPOSITORY), *(path for path in sys.path if path.endswith("-packages"))]
    environment = {**_environment(), "PYTHONPATH": ":".join(modules)}
    program = f"KBUILD_PY='{directory}/python' -m modpost_py.kbuild.cli"
    command = ["make", "-C", ".", f"KDIR={bench.headers}", program, *bench.variables]
    return bench.run(command, "exporter", environment)


def alone(bench: Bench, reference: Outcome) -> Iterator[tuple[str, list[str]]]:
    """Each build that has no counterpart, and what differs in its files from the C programs' build."""
    builds: list[tuple[str, Callable[[], Outcome]]] = [("one-liner", lambda: one_liner(bench))]
    if bench.label == "6.1":
        builds += [
            ("two at once", lambda: two_at_once(bench)),
            ("interrupted", lambda: killed(bench, signal.SIGINT, "tally.o")),
            ("killed while compiling", lambda: killed(bench, signal.SIGKILL, "tally.o")),
            ("killed in genksyms", lambda: killed(bench, signal.SIGKILL, ".tally.o.cmd")),
            ("programs in a path with spaces", lambda: from_spaces(bench)),
        ]
    for name, build in builds:
        bench.copy_samples()
        outcome = build()
        found = list(differences(Outcome(0, [], outcome.steps, reference.files, ""), outcome))
        yield name, [*found, *([outcome.log] if outcome.status else [])]


# ----- the headers


def disable_c_programs(headers: Path) -> None:
    """Put programs that fail in the place of genksyms, modpost and fixdep, so that ours must have been used."""
    scripts = (headers / "scripts").resolve()
    for program in (scripts / "genksyms/genksyms", scripts / "mod/modpost", scripts / "basic/fixdep"):
        program.unlink()
        program.write_text("#!/bin/sh\necho the C program was called: $0 >&2\nexit 126\n")
        program.chmod(0o755)


def written_since(stamp: Path, *directories: Path) -> list[str]:
    """Files and directories, through links too, that are newer than the stamp."""
    command = ["find", "-L", *map(str, directories), "-newer", str(stamp)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout.split()


def unrecognised(headers: Path) -> Iterator[str]:
    """What of the tree's Makefiles is not read as the form of its release."""
    tree = HeadersTree.at(headers)
    build, modpost = (tree.program_text(f"scripts/Makefile.{name}") for name in ("build", "modpost"))
    # By a release with other forms: what is not recognised stays that one's.
    other = "5.10" if tree.release >= "6.1" else "7.2"
    found, expected = dialect_of_makefiles(other, build, modpost), dialect_of(tree.release)
    for name in ("genksyms", "symtypes", "modpost", "modpost_is_a_file"):
        if getattr(found, name) != getattr(expected, name):
            yield f"the Makefiles' form of {name} is not recognised"
    if "\ncmd_and_fixdep =" not in tree.program_text("scripts/Kbuild.include"):
        yield "scripts/Kbuild.include has no cmd_and_fixdep"


def compare(label: str, directory: Path) -> tuple[int, list[str]]:
    """All builds for one kernel; how many there were, and every difference."""
    packages = KernelPackages(KERNELS[label])
    headers = usable_headers(packages, directory / "root")
    bench = Bench(label, packages, headers, directory / "samples", [*build_variables(packages), _QUIET])
    stamp = directory / "stamp"
    stamp.touch()
    theirs = dict(course(bench, c_programs(bench)))
    changed = written_since(stamp, headers, _common(bench))
    disable_c_programs(headers)
    time.sleep(0.01)
    stamp.touch()
    ours = dict(course(bench, our_programs(bench)))
    found = [f"{name}: {line}" for name in theirs for line in differences(theirs[name], ours[name])]
    found += [*expectations(bench, ours), *unrecognised(headers)]
    count = len(ours)
    for name, lines in alone(bench, theirs["exporter"]):
        count += 1
        found += [f"{name}: {line}" for line in lines]
    changed += written_since(stamp, headers, _common(bench))
    return count, [*found, *(f"written into the headers: {path}" for path in changed)]


def compare_foreign(directory: Path) -> tuple[int, list[str]]:
    """Headers whose programs are for another machine serve as they are; the same bytes as with C programs that run."""
    packages = KernelPackages(KERNELS["6.1"], "arm64")
    headers = usable_headers(packages, directory / "root")
    bench = Bench("6.1", packages, headers, directory / "samples", build_variables(packages))
    bench.copy_samples()
    theirs = c_programs(bench)("exporter")
    shutil.rmtree(directory / "root")
    usable_headers(packages, directory / "root", "arm64")
    bench.copy_samples()
    failed = c_programs(bench)("exporter")
    bench.copy_samples()
    found = list(differences(theirs, our_programs(bench)("exporter")))
    if theirs.status or "scripts/basic/fixdep: Exec format error" not in failed.log:
        found.append(f"status {theirs.status}; the foreign programs say {failed.log}")
    return 1, found


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare for every kernel that can be had; the last line is the summary."""
    parser = argparse.ArgumentParser(prog="kbuild_builds", description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", choices=(*_LABELS, _FOREIGN))
    parsed = parser.parse_args(arguments)
    builds = differing = 0
    for label in [parsed.kernel] if parsed.kernel else [*_LABELS, _FOREIGN]:
        with tempfile.TemporaryDirectory(prefix="modversions-") as name:
            start = time.monotonic()
            directory = Path(name).resolve()
            try:
                count, found = compare_foreign(directory) if label == _FOREIGN else compare(label, directory)
            except NotAvailable as error:
                print(f"NOT RUN: builds against {label}: {error}", flush=True)
                continue
            for line in found:
                print(f"{label}: {line}", flush=True)
            builds, differing = builds + count, differing + len(found)
            print(f"{label}: {count} builds, {len(found)} differences, {time.monotonic() - start:.0f} s", flush=True)
    print(f"{builds} builds with the C programs and with ours, {differing} differences")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
