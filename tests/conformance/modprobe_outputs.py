# SPDX-License-Identifier: GPL-2.0-or-later
"""kmod 30's modprobe and ours on the modules of Debian's kernels: stdout, stderr and exit status must be equal.

For each kernel: ``-D``, ``-R`` and ``-n -v`` of every module, ``-R`` of modaliases made from modules.alias, ``-c``, the
symbol versions in some modules, and some calls as processes of their own.  Then random configurations, kernels and
command lines.  Nothing is loaded.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.modprobe_configurations import Names, random_call, write_configuration, write_kernel
from tests.conformance.modprobe_root import Call, Outcome, Root, differences

_KERNELS = ("6.1", "6.12", "7.x")
_AT_ONCE = 40
_FEW = 100
_SIGNALLED = 128
_GLOB = re.compile(r"\*|\?|\[[^]]*\]")
_CHARACTERS = "0123456789ABCDEFabcdefxyz:-_"
# Statements that Debian's own packages ship, and what users write
_CONFIGURATION = """\
blacklist pcspkr
options snd_hda_intel power_save=1  index=0
options btusb enable_autosuspend=n
install usb-storage /sbin/modprobe uas $CMDLINE_OPTS; true
remove snd-hda-intel echo gone
softdep e1000e pre: igb post: ixgbe nosuch
alias my-disk* ext4
alias my-disk? vfat
softdep mlx* pre: mlxfw
"""


class Comparison:
    """Calls and differences so far."""

    def __init__(self, shown: int) -> None:
        self.calls = 0
        self.crashes = 0
        self.different: list[str] = []
        self._shown = shown

    def compare(self, root: Root, calls: Sequence[Call]) -> None:
        """Run the calls with both, ours in this process."""
        self.judge(calls, root.kmod_outcomes(calls), [root.our_outcome(call) for call in calls])

    def judge(self, calls: Sequence[Call], kmod: Sequence[Outcome], ours: Sequence[Outcome]) -> None:
        """Note the differences; where kmod was ended by a signal, ours must say what is wrong."""
        self.calls += len(calls)
        kept = []
        for call, theirs, our in zip(calls, kmod, ours, strict=True):
            if theirs.status < _SIGNALLED:
                kept.append((call, theirs, our))
            elif our.messages:
                self.crashes += 1
            else:
                kept.append((call, theirs, our))
        found = differences(*(list(column) for column in zip(*kept, strict=True))) if kept else []
        for text in found[: max(self._shown - len(self.different), 0)]:
            print(text[:3000])
        self.different += found


def compare_kernel(name: str, comparison: Comparison, directory: Path, seed: int) -> tuple[Root, str, Names]:
    """Compare everything on the modules of one kernel; the root, its release and names serve for more."""
    packages = KernelPackages(KERNELS[name])
    root = Root(directory)
    release = packages.release
    modules = root.add_modules(packages.modules, release)
    random_source = random.Random(seed)
    paths = [line.partition(":")[0] for line in (modules / "modules.dep").read_text().splitlines()]
    names = sorted({path.rpartition("/")[2].partition(".ko")[0] for path in paths})
    if (modules / "modules.builtin").exists():  # the packages of 7.x have none
        builtin = (modules / "modules.builtin").read_text().split()
        names += random_source.sample([path.rpartition("/")[2].partition(".ko")[0] for path in builtin], _FEW)
    lines = (modules / "modules.alias").read_text().splitlines()
    patterns = [line.split()[1] for line in lines if line.startswith("alias ")]
    aliases = [_instance(pattern, random_source) for pattern in random_source.sample(patterns, 3000)]
    symbols = (modules / "modules.symbols").read_text().splitlines()
    aliases += [line.split()[1] for line in random_source.sample(symbols[1:], 200)]
    comparison.compare(root, list(_calls(release, names, aliases, random_source)))
    root.write("etc/modprobe.d/some.conf", _CONFIGURATION)
    comparison.compare(root, list(_few_calls(release, names, aliases, random_source)))
    comparison.compare(root, list(_symbol_calls(root, packages, random_source.sample(paths, 30))))
    processes = list(_few_calls(release, names, aliases, random_source))[:12]
    comparison.judge(processes, root.kmod_outcomes(processes), [root.our_process_outcome(call) for call in processes])
    interesting = [line.split()[1] for line in (modules / "modules.softdep").read_text().splitlines()[1:]]
    chosen = random_source.sample(interesting, min(15, len(interesting))) + random_source.sample(names, 25)
    return root, release, Names(random_source, [*chosen, *names[-8:]], random_source.sample(aliases, 30))


def _calls(release: str, names: list[str], aliases: list[str], random_source: random.Random) -> Iterator[Call]:
    for flags in ("-D", "-nv", "-R"):
        for start in range(0, len(names), _AT_ONCE):
            yield Call(("-S", release, "-a", flags, *names[start : start + _AT_ONCE]))
    for name in random_source.sample(names, _FEW):
        yield Call(("-S", release, "-D", name))
    for start in range(0, len(aliases), _AT_ONCE):
        yield Call(("-S", release, "-a", "-R", *aliases[start : start + _AT_ONCE]))
    for alias in random_source.sample(aliases, _FEW):
        yield Call(("-S", release, "-D", alias, "x=1 2"))
    yield Call(("-S", release, "-c"))


def _few_calls(release: str, names: list[str], aliases: list[str], random_source: random.Random) -> Iterator[Call]:
    yield Call(("-S", release, "-c"))
    for name in ("usb-storage", "snd-hda-intel", "e1000e", "my-disk1", "my-disk12", "btusb", "mlx5_core", "pcspkr"):
        yield Call(("-S", release, "-nv", name, "a=b c"))
        yield Call(("-S", release, "-D", name))
    for name in random_source.sample(names, 20) + random_source.sample(aliases, 20):
        yield Call(("-S", release, random_source.choice(("-D", "-nv", "-R", "-Db", "-rnv")), name))


def _symbol_calls(root: Root, packages: KernelPackages, paths: Sequence[str]) -> Iterator[Call]:
    for path in paths:
        name = path.rpartition("/")[2]
        root.remove(f"modules/{name}")
        (root.path / "modules").mkdir(exist_ok=True)
        (root.path / "modules" / name).write_bytes((packages.modules / path).read_bytes())
        for option in ("--show-modversions", "--show-exports"):
            yield Call((option, f"{{root}}/modules/{name}"))
    yield Call(("--dump-modversions", "{root}/nosuch"))
    yield Call(("--show-exports", "{root}/etc"))
    yield Call(("--show-exports", "{root}/proc/cmdline"))


def _instance(pattern: str, random_source: random.Random) -> str:
    """A text that a pattern matches, mostly."""

    def filled(match: re.Match[str]) -> str:
        glob = match[0]
        if glob == "*":
            return "".join(random_source.choices(_CHARACTERS, k=random_source.randrange(4)))
        return random_source.choice(_CHARACTERS if glob == "?" else glob[1:-1])

    return _GLOB.sub(filled, pattern)


def compare_random(comparison: Comparison, root: Root, release: str, names: Names, rounds: int, seed: int) -> None:
    """Random configurations, kernels and calls on the modules of one kernel."""
    random_source = random.Random(seed)
    for _ in range(rounds):
        write_configuration(root, random_source, names)
        write_kernel(root, random_source, names)
        comparison.compare(root, [random_call(random_source, names, release) for _ in range(25)])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.conformance.modprobe_outputs", description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", action="append", choices=_KERNELS, help="only this one")
    parser.add_argument("--rounds", type=int, default=20, help="random configurations for each kernel (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shown", type=int, default=10, help="show at most so many differences (%(default)s)")
    parsed = parser.parse_args(arguments)
    comparison = Comparison(parsed.shown)
    for kernel in parsed.kernel or _KERNELS:
        before = comparison.calls
        try:
            with tempfile.TemporaryDirectory(prefix="modprobe-") as directory:
                root, release, names = compare_kernel(kernel, comparison, Path(directory), parsed.seed)
                compare_random(comparison, root, release, names, parsed.rounds, parsed.seed)
        except NotAvailable as error:
            print(f"NOT RUN: modprobe on {kernel}: {error}")
            continue
        print(f"{kernel}: {release}, {comparison.calls - before} calls", flush=True)
    print(
        f"{comparison.calls} calls, {len(comparison.different)} differences "
        f"({comparison.crashes} calls crash kmod and give a message with us)"
    )
    return 1 if comparison.different else 0


if __name__ == "__main__":
    sys.exit(main())
