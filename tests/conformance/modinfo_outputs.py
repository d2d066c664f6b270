# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's modules, damaged ones and odd command lines through kmod's modinfo and ours: all output must be the same.

    python -m tests.conformance.modinfo_outputs [--kernel LABEL]... [--seed S] [--damaged N]

Compared are stdout, stderr and exit status of whole calls: every module of a kernel in one call and by option,
names and aliases through the databases that kmod's depmod made, built-in modules, modules whose sections, signatures
or compression are damaged, and the cases of the hermetic tests.  Calls in which kmod itself crashes are counted, not
compared.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.kmod_programs import kmod, root_of
from tests.conformance.odd_modules import builtin_modinfo_files, damaged_modules, odd_modules
from tests.kmod.described_files import write_described
from tests.kmod.test_modinfo import CASES, expected, is_kmods, shown

_REPOSITORY = Path(__file__).resolve().parents[2]
_KERNELS = ("6.1", "6.12", "7.x")
_OUR_PROGRAM = (
    "import sys; sys.argv[0] = 'modinfo'; from modpost_py.kmod.modinfo_cli import main; sys.exit(main(sys.argv[1:]))"
)
_RECORDED = ("stdout", "stderr", "status")
_OPTION_SETS = (("-0",), ("-p",), ("-n",), ("-a", "-d", "-l"), ("-p", "-0"), ("-F", "signature"), ("-F", ""))
_COMMAND_LINES = (
    (), ("-Z",), ("-k",), ("--field",), ("--fie",), ("--a", "loop"), ("--field=license", "loop"), ("--nul", "loop"),
    ("--versions-x",), ("--p=1", "loop"), ("loop", "-n"), ("-n", "--", "loop", "-n"), ("--", ), ("-F",), ("-nF",),
    ("-nFlicense", "loop"), ("-pn", "loop"), ("-np", "loop"), ("",), ("nosuch", "loop", "nosuch2"), ("a]b",),
    ("-m", "a]b"), ("a[b",), ("-m", "nosuch"), ("snd-hda-intel",), ("-m", "snd-hda-intel"), ("./loop",), ("loop.ko",),
    ("kernel/drivers/block/loop.ko",), ("symbol:printk",), ("symbol:ext4_none",), ("x" * 5000,), ("-m", "x" * 5000),
    ("--basedir=/nowhere", "loop"), ("-k", "no.such", "loop"), ("-b", "", "loop"), ("/dev/null",), ("/",),
    ("-n", "unix"), ("-0", "unix"), ("-F", "name", "unix"), ("-F", "filename", "unix"), ("-p", "zswap"), ("-m", "unix"),
    ("char-major-10-237",), ("-m", "char-major-10-237"), ("pci:v00008086d00001000sv00000000sd00000000bc00sc00i00",),
)  # fmt: skip


class Outcome:
    """What one call gave."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.stdout, self.stderr, self.status = done.stdout, done.stderr, done.returncode

    @property
    def crashed(self) -> bool:
        return self.status < 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.stdout)


def _call(command: Sequence[str], executable: Path | str, directory: Path) -> Outcome:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(_REPOSITORY), "PWD": str(directory)}
    done = subprocess.run(
        command,
        executable=executable,
        cwd=directory,
        env=environment,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    return Outcome(done)


class Comparison:
    """Counts the calls and says which differ."""

    def __init__(self) -> None:
        self.calls = self.differences = self.crashes = 0

    def compare(self, title: str, words: Sequence[str], directory: Path) -> bool:
        """Run both with the same words in the same directory; whether kmod did without crashing."""
        theirs = _call(["modinfo", *words], kmod(), directory)
        if theirs.crashed:
            return False
        ours = _call([sys.executable, "-c", _OUR_PROGRAM, *words], sys.executable, directory)
        self.calls += 1
        if ours != theirs:
            self.differences += 1
            print(f"DIFFERENT: {title}")
            for what in ("stdout", "stderr"):
                _show_difference(what, getattr(theirs, what), getattr(ours, what))
            if ours.status != theirs.status:
                print(f"    exit status {theirs.status} != {ours.status}")
        return True

    def compare_each(self, title: str, words: Sequence[str], files: Sequence[str], directory: Path) -> None:
        """Compare one call on all files; where kmod crashes, halves of them, down to single ones."""
        if self.compare(f"{title} ({len(files)} files, {files[0]}...)", [*words, *files], directory):
            return
        if len(files) == 1:
            self.crashes += 1
            return
        middle = len(files) // 2
        self.compare_each(title, words, files[:middle], directory)
        self.compare_each(title, words, files[middle:], directory)


def _show_difference(what: str, theirs: bytes, ours: bytes) -> None:
    if theirs == ours:
        return
    pairs = zip(theirs.split(b"\n"), ours.split(b"\n"), strict=False)
    first = next((pair for pair in pairs if pair[0] != pair[1]), (b"(end)", b"(end)"))
    print(f"    {what}: {first[0][:200]!r} != {first[1][:200]!r}")


def all_modules(comparison: Comparison, label: str, packages: KernelPackages) -> int:
    """Every module of a kernel; returns their number."""
    directory = packages.modules
    files = sorted(str(path.relative_to(directory)) for path in directory.rglob("*.ko*"))
    comparison.compare(f"{label}: all modules", files, directory)
    # Decompression is most of the time, and is compared above
    some = files if files[0].endswith(".ko") else files[::15]
    for options in _OPTION_SETS:
        comparison.compare(f"{label}: {' '.join(options)}", [*options, *some], directory)
    tags = subprocess.run(["modinfo", *files[::15]], executable=kmod(), cwd=directory, capture_output=True).stdout
    for tag in sorted({*re.findall(rb"^([a-z_]+): ", tags, re.MULTILINE), b"nosuch"}):
        comparison.compare(f"{label}: -F {tag.decode()}", ["-F", tag.decode(), *some[::8]], directory)
    return len(files)


def versions(comparison: Comparison, label: str, packages: KernelPackages) -> None:
    """What --versions prints, beside modprobe --dump-modversions, on some modules."""
    directory = packages.modules
    files = sorted(str(path.relative_to(directory)) for path in directory.rglob("*.ko*"))[::60]
    ours = _call([sys.executable, "-c", _OUR_PROGRAM, "--versions", *files], sys.executable, directory)
    blocks = []
    for file in files:
        theirs = _call(["modprobe", "--dump-modversions", file], kmod(), directory)
        blocks.append(f"{directory}/{file}:\n".encode() + theirs.stdout)
    comparison.calls += 1
    if ours.stdout != b"\n".join(blocks):
        comparison.differences += 1
        print(f"DIFFERENT: {label}: versions")
        _show_difference("stdout", b"\n".join(blocks), ours.stdout)


def names_and_aliases(comparison: Comparison, label: str, packages: KernelPackages, randomness: random.Random) -> None:
    """What is looked up in a modules directory: names, aliases, built-in modules."""
    with root_of(packages) as root:
        directory = root / "lib/modules" / packages.modules.name
        place = ("-b", str(root), "-k", directory.name)
        listed = directory / "modules.builtin"
        builtin = [Path(line).stem for line in listed.read_text().split()] if listed.exists() else ["unix"]
        dependencies = (directory / "modules.dep").read_text().splitlines()
        names = [Path(line.partition(":")[0]).name.partition(".")[0] for line in dependencies]
        comparison.compare(f"{label}: built-in modules", [*place, *builtin], root)
        comparison.compare(f"{label}: built-in modules, -0", ["-0", *place, *builtin[::3]], root)
        comparison.compare(f"{label}: built-in modules, -p -m", ["-p", "-m", *place, *builtin[::3]], root)
        comparison.compare(f"{label}: names", ["-n", *place, *names[::4], "nosuch"], root)
        comparison.compare(f"{label}: names as names", ["-n", "-m", *place, *names[::9], "no-such"], root)
        some = randomness.sample((directory / "modules.alias").read_text().splitlines()[1:], 300)
        aliases = [_instance(line.split()[1], randomness) for line in some]
        comparison.compare(f"{label}: aliases", ["-n", *place, *aliases], root)
        symbols = randomness.sample((directory / "modules.symbols").read_text().splitlines()[1:], 60)
        comparison.compare(f"{label}: symbols", ["-n", *place, *[line.split()[1] for line in symbols]], root)
        for words in _COMMAND_LINES:
            comparison.compare(f"{label}: {' '.join(words)[:80]}", [*place, *words], root)
        comparison.compare(f"{label}: relative base", ["-b", ".", "-k", directory.name, "loop", "unix"], root)
        comparison.compare(f"{label}: roundabout base", ["-b", "lib/..//", "-k", directory.name, "loop"], root)


def _instance(pattern: str, randomness: random.Random) -> str:
    """A text that a pattern of modules.alias matches, mostly."""
    text = re.sub(r"\[(.)[^]]*\]", r"\1", pattern)
    return re.sub(r"[*?]", lambda match: randomness.choice(("0", "00ab", "" if match[0] == "*" else "x")), text)


def odd_files(comparison: Comparison, randomness: random.Random, count: int) -> int:
    """Modules of our own making, damaged ones, and what is no module; returns how many."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        files = []
        for file, content in _with_names(odd_modules(), damaged_modules(randomness, count)):
            (directory / file).write_bytes(content)
            files.append(file)
        (directory / "directory.ko").mkdir()
        os.mkfifo(directory / "fifo.ko")
        (directory / "dangling.ko").symlink_to("nowhere.ko")
        files += ["directory.ko", "fifo.ko", "dangling.ko", "missing.ko"]
        for start in range(0, len(files), 50):
            comparison.compare_each("odd modules", (), files[start : start + 50], directory)
        for options in (("-0",), ("-p",), ("-F", "parmtype"), ("-F", "license"), ("-n",)):
            comparison.compare_each(f"odd modules {options}", options, files[:60], directory)
    return len(files)


def _with_names(*contents: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    number = 0
    for iterator in contents:
        for suffix, content in iterator:
            number += 1
            yield f"odd-{number}{suffix}", content


def odd_builtin_files(comparison: Comparison) -> None:
    """Files modules.builtin.modinfo of our own making."""
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root) / "lib/modules/1.0"
        directory.mkdir(parents=True)
        (directory / "modules.order").touch()
        (directory / "modules.builtin").write_text("kernel/a/foo-bar.ko\nkernel/a/quiet.ko\nkernel/x.ko\n")
        subprocess.run(["depmod", "-b", root, "1.0"], executable=kmod(), check=True, capture_output=True)
        place = ("-b", root, "-k", "1.0")
        for content in (None, *builtin_modinfo_files()):
            if content is not None:
                (directory / "modules.builtin.modinfo").write_bytes(content)
            for words in (("foo-bar", "quiet", "x"), ("-F", "name", "x"), ("-p", "x"), ("-0", "foo_bar", "x")):
                title = f"modules.builtin.modinfo {content!r:.80} {words}"
                comparison.compare(title, [*place, *words], directory)


def described_cases(comparison: Comparison) -> None:
    """The cases of the hermetic tests, whose expected outputs are kmod's."""
    for case in CASES:
        if is_kmods(case):
            with tempfile.TemporaryDirectory() as root:
                write_described((case / "files").read_text(), Path(root))
                words = shlex.split((case / "command").read_text())[1:]
                theirs = _call(["modinfo", *words], kmod(), Path(root))
                comparison.compare(f"case {case.name}", words, Path(root))
                recorded = tuple(expected(case, name, "0" if name == "status" else "") for name in _RECORDED)
                outputs = [shown(text, Path(root)) for text in (theirs.stdout, theirs.stderr)]
                if (*outputs, theirs.status) != (*recorded[:2], int(recorded[2])):
                    comparison.differences += 1
                    print(f"DIFFERENT: what is recorded of the case {case.name} is not what kmod prints")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; returns 1 where anything differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kernel", action="append", choices=tuple(KERNELS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--damaged", type=int, default=600)
    options = parser.parse_args(arguments)
    randomness = random.Random(options.seed)
    comparison = Comparison()
    modules = 0
    try:
        odd = odd_files(comparison, randomness, options.damaged)
        odd_builtin_files(comparison)
        described_cases(comparison)
    except NotAvailable as reason:
        print(f"NOT RUN: kmod: {reason}")
        return 0
    for label in options.kernel or _KERNELS:
        try:
            packages = KernelPackages(KERNELS[label], "amd64")
            count = all_modules(comparison, label, packages)
            modules += count
            versions(comparison, label, packages)
            names_and_aliases(comparison, label, packages, randomness)
            print(f"{label}: {count} modules", flush=True)
        except NotAvailable as reason:
            print(f"NOT RUN: {label}: {reason}", flush=True)
    print(
        f"{modules} modules, {odd} odd ones ({comparison.crashes} crash kmod), {comparison.calls} calls, "
        f"{comparison.differences} differences"
    )
    return 1 if comparison.differences else 0


if __name__ == "__main__":
    sys.exit(main())
