# SPDX-License-Identifier: GPL-2.0-or-later
"""kbuild's fixdep and ours on the same depfiles: output, messages and exit status must be equal.

Three kinds of depfile, for each kernel's own program: those that gcc writes for sources that include the kernel's
headers (a thousand files each), random ones (damaged, with rustc's comments, odd names and odd bytes), and odd
circumstances (no output, a closed pipe, a directory, a wrong command line).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from modpost_py.kbuild.fixdep_cli import main as command
from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages

_KERNELS = ("5.10", "6.1", "6.12", "7.x", "7.x-backports")
_SECONDS = 20


class Outcome(NamedTuple):
    """What a run did; a negative status is a signal's."""

    output: bytes
    messages: bytes
    status: int


Redirection = Callable[[], None]


def c_outcome(program: Path, words: Sequence[bytes], directory: Path, redirect: Redirection | None = None) -> Outcome:
    """The C program's outcome in a directory; ``redirect`` runs in the new process before it begins."""
    return _outcome(lambda: os.execv(program, [b"fixdep", *words]), directory, redirect)


def our_outcome(release: str, words: Sequence[bytes], directory: Path, redirect: Redirection | None = None) -> Outcome:
    """Ours, in a process that has it loaded."""
    decoded = [os.fsdecode(word) for word in words]
    return _outcome(lambda: command(["--kernel", release, *decoded]), directory, redirect)


def _outcome(run: Callable[[], int], directory: Path, redirect: Redirection | None) -> Outcome:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as messages:
        child = os.fork()
        if child == 0:
            status = 99
            try:
                signal.alarm(_SECONDS)
                os.chdir(directory)
                os.dup2(output.fileno(), 1)
                os.dup2(messages.fileno(), 2)
                if redirect is not None:
                    redirect()
                signal.signal(signal.SIGPIPE, signal.SIG_DFL)
                status = run()
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        messages.seek(0)
        return Outcome(output.read(), messages.read(), status)


class Comparison:
    """One kernel's fixdep against ours; counts, and prints the first differences."""

    def __init__(self, packages: KernelPackages) -> None:
        self.release = packages.release
        self.program = packages.tool("scripts/basic/fixdep")
        self.runs = self.differences = 0

    def compare(self, what: str, words: Sequence[bytes], directory: Path, redirect: Redirection | None = None) -> None:
        """Run both and count a difference; ``what`` names the case."""
        theirs = c_outcome(self.program, words, directory, redirect)
        ours = our_outcome(self.release, words, directory, redirect)
        self.runs += 1
        if theirs == ours:
            return
        self.differences += 1
        if self.differences <= 10:
            print(f"DIFFERENT: {self.release}: {what}: {[word[:200] for word in words]}")
            for name, expected, found in zip(Outcome._fields, theirs, ours, strict=True):
                if expected != found:
                    print(f"    {name}: C {_shortened(expected)}\n    {name}: ours {_shortened(found)}")


def _shortened(value: object) -> str:
    return f"{len(value)} bytes ... {value[-300:]!r}" if isinstance(value, bytes) and len(value) > 600 else str(value)


# -- what gcc writes -----------------------------------------------------------------------------------------------


def compare_compiled(comparison: Comparison, packages: KernelPackages, count: int, directory: Path) -> None:
    """Depfiles of sources with a random choice of the kernel's headers, as kbuild has gcc write them."""
    compiler = shutil.which("gcc")
    if compiler is None:
        raise NotAvailable("gcc is not installed")
    choice = random.Random(7)
    headers = sorted(path.name for path in (packages.common_headers / "include/linux").glob("*.h"))
    before = comparison.runs
    for number in range(count):
        source = directory / f"unit{number}.c"
        # module.h alone brings several hundred headers; __has_include keeps out what this configuration lacks
        names = ["module.h", *choice.sample(headers, 12)]
        source.write_text("".join(f"#include <linux/{name}>\n" for name in names))
        depfile = directory / f".unit{number}.o.d"
        call = [compiler, "-E", f"-Wp,-MMD,{depfile}", "-MT", f"unit{number}.o", *_include_flags(packages), str(source)]
        result = subprocess.run(
            [*call, "-o", "/dev/null"], cwd=packages.headers, stdin=subprocess.DEVNULL, capture_output=True
        )
        if result.returncode == 0:
            words = [os.fsencode(depfile), os.fsencode(source.with_suffix(".o")), " ".join(call).encode()]
            comparison.compare(f"gcc's {number}", words, packages.headers)
    if count and comparison.runs == before:
        raise NotAvailable(f"gcc preprocesses none of the sources with the headers of {packages.release}")


def _include_flags(packages: KernelPackages) -> Iterator[str]:
    """kbuild's search path; the generated headers relative to the headers' directory, as there."""
    common = packages.common_headers
    yield from ("-nostdinc", "-D__KERNEL__", "-DMODULE", "-DCC_USING_FENTRY", '-DKBUILD_MODNAME="x"')
    # Up to 5.14 the compiler's own headers belong to the kernel's
    own = subprocess.run(["gcc", "-print-file-name=include"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    yield from ("-isystem", own.stdout.strip())
    for below in ("", "/uapi"):
        yield f"-I{common}/arch/x86/include{below}"
        yield f"-I./arch/x86/include/generated{below}"
        yield f"-I{common}/include{below}"
        yield f"-I./include{'/generated' if below else ''}{below}"
    for name in ("compiler-version.h", "kconfig.h", "compiler_types.h"):
        if (common / "include/linux" / name).exists():
            yield from ("-include", f"{common}/include/linux/{name}")


# -- random ones ---------------------------------------------------------------------------------------------------

_NAMES = (
    b"a.c", b"b.h", b"c.h", b"sub/d.h", b"empty.h", b"x.rlib", b"y.rmeta", b"z.so", b"with space.h", b"ha#sh.h",
    b"col:on.h", b"dol$lar.h", b"back\\slash.h", b"include/generated/autoconf.h", b"include/generated/autoksyms.h",
    b"my-include/generated/autoconf.h", b"nul.h", b"crlf.h", b"include/config/auto.conf", b"no-newline.h", b"/dev/null",
    b"\xff\xfe.h", "ü.h".encode(), b"caret^.h", b"tab\there.h", b"a.o", b"b.o", b"#", b":",
)  # fmt: skip
_ABSENT = (b"absent.h", b"sub", b"sub/none.h", b"", b"a.c/below", b"x" * 300)
_TEXTS = (
    b"CONFIG_A", b"CONFIG_FOO_BAR", b"CONFIG_B_MODULE", b"CONFIG_MODULE", b"CONFIG__MODULE", b"CONFIG_", b"CONFIG",
    b"CONFIG_CONFIG_X", b"XCONFIG_Y", b"_CONFIG_Z", b"1CONFIG_Z", b"-CONFIG_Q", b"\xe4CONFIG_R", b"CONFIG_\xe4",
    b"CONFIG_a_b", b"CONFIG_A_B", b"CONFIG_X_MODULE_MODULE", b"CONFIG_X_MODULES", b"CONFIG_CONFIG_", b"CONFIG_9",
    b"CONFIG_CONFIG_CONFIG_W_MODULE", b" ", b"\n", b"\\", b".", b"#if ", b"(", b")", b"\0", b"_", b"x",
    b"CONFIG_A CONFIG_", b"config_lower", b"CONFIG_" + b"L" * 300, b"CONFIG___C__D_ ", b"CONFIG__ ",
)  # fmt: skip
_JOINTS = (
    b" ", b" ", b" \\\n ", b" \\\n ", b"\n", b"\t", b": ", b":", b"\\", b"\\\\\n", b"\r\n", b"  ", b"#", b"\0",
    b"\\ ", b"\\#", b"\\:", b" \\\r\n", b"$", b"\\\\", b"# rust env \\\n go\n", b"\n\n", b"::", b"\v", b"\f",
)  # fmt: skip
_DAMAGES = (b"", b"\\", b"#", b":", b"\0", b"\n")


def compare_random(comparison: Comparison, count: int, seed: int, directory: Path) -> None:
    """Random depfiles over random files."""
    for number in range(count):
        choice = random.Random(f"{seed} {number}")
        if number % 20 == 0:
            _write_files(choice, directory)
        (directory / "depfile").write_bytes(_random_depfile(choice))
        words = [b"depfile", choice.choice((b"a.o", b"/x y/a.o", b"", b"%s%d", b"\xff")), b"gcc -c 'a b' $(x) #"]
        comparison.compare(f"random {seed}/{number}: {(directory / 'depfile').read_bytes()!r}", words, directory)


def _write_files(choice: random.Random, directory: Path) -> None:
    for name in _NAMES:
        path = directory / os.fsdecode(name)
        if name.startswith(b"/") or (path.exists() and choice.random() < 0.5):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = choice.choices(_TEXTS, k=choice.choice((1, 5, 40)))
        path.write_bytes(b"" if name == b"empty.h" else choice.choice((b"", b" ", b"\n")).join(texts))


def _random_depfile(choice: random.Random) -> bytes:
    """Mostly of gcc's form, with some things exchanged; sometimes any row of names and separators."""
    if choice.random() < 0.3:
        pairs = [(_random_name(choice), choice.choice(_JOINTS)) for _ in range(choice.randrange(12))]
        return b"".join(name + joint for name, joint in pairs)
    rules = []
    for _ in range(choice.choice((1, 1, 1, 2, 3))):
        names = [_random_name(choice) for _ in range(choice.randrange(1, 12))]
        joints = [choice.choice(_JOINTS if choice.random() < 0.1 else (b" ", b" \\\n ")) for _ in names]
        rules.append(b"a.o: " + b"".join(name + joint for name, joint in zip(names, joints, strict=True)))
    text = b"\n\n".join(rules) + choice.choice((b"\n", b"\n", b"", b" \\\n", b"\\"))
    if choice.random() < 0.2:
        place = choice.randrange(len(text) + 1)
        text = text[:place] + choice.choice(_DAMAGES) + text[place + choice.randrange(3) :]
    return text


def _random_name(choice: random.Random) -> bytes:
    name = choice.choice(_ABSENT) if choice.random() < 0.03 else choice.choice(_NAMES)
    if choice.random() < 0.7:
        for byte in (b"#", b":", b" "):
            name = name.replace(byte, b"\\" + byte)
    return name


# -- odd circumstances ---------------------------------------------------------------------------------------------


def compare_circumstances(comparison: Comparison, directory: Path) -> None:
    """Wrong calls, unreadable files, and output that goes nowhere: short output and long."""
    (directory / "source.c").write_bytes(b"CONFIG_ONE CONFIG_TWO")
    (directory / "many.c").write_bytes(b" ".join(b"CONFIG_OPTION_%d" % number for number in range(3000)))
    depfiles = {
        "short": b"a.o: source.c\n",
        "long": b"a.o: many.c source.c\n",
        "no-rule": b"source.c\n",
        "empty": b"",
        "missing": b"a.o: source.c absent.h\n",
        "long-missing": b"a.o: many.c source.c absent.h\n",
        "directory-named": b"a.o: source.c /\n",
        "unlinked": b"a.o: dangling.h\n",
    }
    (directory / "dangling.h").symlink_to("nowhere")
    for name, text in depfiles.items():
        (directory / name).write_bytes(text)
        for where, redirect in _REDIRECTIONS.items():
            for command_line in (b"gcc", b"gcc " * 3000):
                words = [name.encode(), b"a.o", command_line]
                comparison.compare(f"{name}, output to {where}", words, directory, redirect)
    for words in ([], [b"short"], [b"short", b"a.o"], [b"short", b"a.o", b"b", b"c"], [b"/", b"a.o", b"b"],
                  [b"absent", b"a.o", b"b"], [b"", b"", b""], [b"short", b"", b""], [b"-h", b"a", b"b"]):  # fmt: skip
        comparison.compare("call", words, directory)


def _to(path: str) -> Redirection:
    def redirect() -> None:
        os.dup2(os.open(path, os.O_WRONLY), 1)

    return redirect


def _to_closed_pipe() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.dup2(writer, 1)


_REDIRECTIONS: dict[str, Redirection | None] = {
    "a file": None,
    "/dev/full": _to("/dev/full"),
    "a closed pipe": _to_closed_pipe,
    "nowhere": lambda: os.close(1),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparisons; exit status 1 after a difference."""
    parser = argparse.ArgumentParser(prog="tests.conformance.fixdep_files", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kernel", choices=_KERNELS, action="append", help="only this kernel; repeatable")
    parser.add_argument("--compiled", type=int, default=8, help="sources to preprocess, a kernel")
    parser.add_argument("--random", type=int, default=800, help="random depfiles, a kernel")
    parser.add_argument("--seed", type=int, default=0)
    parsed = parser.parse_args(arguments)
    runs = differences = 0
    for label in parsed.kernel or _KERNELS:
        with tempfile.TemporaryDirectory() as directory:
            packages = KernelPackages(KERNELS[label])
            try:
                comparison = Comparison(packages)
            except NotAvailable as error:
                print(f"NOT RUN: fixdep of {label}: {error}", flush=True)
                continue
            compare_circumstances(comparison, Path(directory))
            compare_random(comparison, parsed.random, parsed.seed, Path(directory))
            try:
                compare_compiled(comparison, packages, parsed.compiled, Path(directory))
            except NotAvailable as error:
                print(f"NOT RUN: fixdep of {label}, compiled: {error}", flush=True)
        print(f"{comparison.release}: {comparison.runs} runs, {comparison.differences} differences", flush=True)
        runs += comparison.runs
        differences += comparison.differences
    print(f"{runs} runs of fixdep, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
