# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules that our programs built, in the hands of Debian's kernels.

    python -m tests.conformance.boots [-v] [KERNEL:ARCHITECTURE...]

For each kernel, a copy of samples/ is built as its reader would (``make -C exporter KDIR=...``).  For arm64 the headers
are those that an arm64 machine has, with the programs of that machine in scripts/, and ``kbuild-py shim`` makes them
serve.  Then the kernel boots, loads the modules in the order of their dependencies, and what they and the kernel say is
compared, line by line.  Last, the kernel must refuse them: one CRC altered, a symbol for GPL modules used by another, a
name space not imported; and take the first one again when ``kbuild-py restamp`` has put the CRC right.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.conformance import module_alterations as alter
from tests.conformance.boot import boot, emulator_for
from tests.conformance.booted_kernels import boot_each
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.module_builds import ModuleKit, run_command

_DEFAULT = ("6.1:amd64", "6.1:arm64", "6.12:amd64", "5.10:amd64")
_SAMPLES = Path(__file__).parents[2] / "samples"

#: The directories of samples/ that are built, in this order.
_BUILT = ("exporter", "exporter-user", "name-space", "device-table", "crc-mismatch")


class Step(NamedTuple):
    """A command in the booted machine, the lines that it prints, and what our modules make the kernel log meanwhile.

    ``load-module`` prints the kernel's error number, 0 for none.
    """

    command: str
    printed: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


ENOENT, EINVAL = 2, 22
_LOADED = ("0",)
_REFUSED_CRC = "disagrees about version of symbol tally_count"
_UNKNOWN_CRC = f"Unknown symbol tally_count (err -{EINVAL})"

STEPS: tuple[Step, ...] = (
    # They work,
    Step("load-module /tally_demo.ko", (str(ENOENT),), tuple(
        f"tally_demo: Unknown symbol tally_{name} (err -{ENOENT})" for name in ("close", "count", "open", "sum"))),
    Step("load-module /tally.ko", _LOADED),
    Step("load-module /tally_demo.ko", _LOADED, (
        "tally_demo: 1 + 2 + ... + 10 = 55", "tally: demo closed, 10 numbers")),
    Step("load-module /tally_report.ko", _LOADED, ("tally_report: the sum is 42",)),
    Step("cat /sys/module/tally/refcnt", ("2",)),
    Step("ls -1 /sys/module/tally/holders", ("tally_demo", "tally_report")),
    Step("rmmod tally", ("rmmod: can't unload module 'tally': Resource temporarily unavailable",)),
    Step("rmmod tally_demo", (), ("tally_demo: unloaded",)),
    Step("rmmod tally_report", (), ("tally: report closed, 1 numbers",)),
    Step("cat /sys/module/tally/refcnt", ("0",)),
    Step("load-module /vault.ko", _LOADED),
    Step("load-module /vault_user.ko", _LOADED, ("vault_user: the combination is 4711",)),
    Step("load-module /lamp.ko", _LOADED, ("lamp lamp-large: 8 bulbs",)),
    Step("basename $(readlink /sys/bus/platform/devices/lamp-large/driver/module)", ("lamp",)),
    Step("cat /sys/module/lamp/taint", ("OE",)),
    Step("rmmod lamp vault_user"),
    # and what does not fit is refused.
    Step("load-module /stale.ko", (str(EINVAL),), (f"stale: {_REFUSED_CRC}", f"stale: {_UNKNOWN_CRC}")),
    Step("load-module /altered.ko", (str(EINVAL),), (f"tally_demo: {_REFUSED_CRC}", f"tally_demo: {_UNKNOWN_CRC}")),
    Step("load-module /restamped.ko", _LOADED, (
        "tally_demo: 1 + 2 + ... + 10 = 55", "tally: demo closed, 10 numbers")),
    Step("load-module /no-gpl.ko", (str(ENOENT),), tuple(
        f"tally_report: Unknown symbol tally_{name} (err -{ENOENT})" for name in ("close", "count", "open", "sum"))),
    Step("load-module /no-import.ko", (str(EINVAL),), (
        "vault_user: module uses symbol (vault_combination) from namespace VAULT, but does not import it.",
        f"vault_user: Unknown symbol vault_combination (err -{EINVAL})")),
    Step("rmmod tally_demo vault tally", (), ("tally_demo: unloaded",)),
    Step("lsmod | grep -c -e tally -e vault -e lamp -e stale", ("0",)),
)  # fmt: skip

# A line of the kernel's log that a module of ours wrote, or that is about its refusal; not the marks (taints).
_OURS = re.compile(r"(tally|tally_demo|tally_report|vault|vault_user|lamp|stale)\b(?!.*\btaint)")


def modules(kit: ModuleKit, directory: Path) -> dict[str, bytes]:
    """Build a copy of the samples in a directory; file name -> module, the altered ones too.  Raises BuildFailure."""
    samples = directory / "samples"
    shutil.copytree(_SAMPLES, samples, ignore=shutil.ignore_patterns("mini-kernel"))
    for name in _BUILT:
        kit.make("-C", str(samples / name), f"KDIR={kit.headers}")
    built = {path.name: path.read_bytes() for name in _BUILT for path in (samples / name).glob("*.ko")}
    altered = alter.alter_crc(built["tally_demo.ko"], "tally_count")
    return {
        **built,
        "altered.ko": altered,
        "restamped.ko": _restamped(altered, kit, samples),
        "no-gpl.ko": alter.replace_modinfo(built["tally_report.ko"], "license=GPL", "license=BSD"),
        "no-import.ko": alter.replace_modinfo(built["vault_user.ko"], "import_ns=VAULT", "import_nt=VAULT"),
    }


def _restamped(data: bytes, kit: ModuleKit, samples: Path) -> bytes:
    """The module with the versions of this kernel and of tally.ko again."""
    given, made = samples / "altered.ko", samples / "restamped.ko"
    given.write_bytes(data)
    dumps = (kit.headers / "Module.symvers", samples / "exporter/Module.symvers")
    words = [word for dump in dumps for word in ("--symvers", str(dump))]
    run_command(["kbuild-py", "restamp", str(given), *words, "--accept", "tally_count", "-o", str(made)])
    return made.read_bytes()


def _script() -> str:
    # Each step's output comes after its number, the kernel's log after that.
    return "dmesg -c > /dev/null\n" + "".join(
        f"echo 'step {number}'\n{step.command}\necho 'log'\ndmesg -c\n" for number, step in enumerate(STEPS)
    )


def _answers(console: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """What each step printed, and what of the kernel's log is about our modules."""
    for text in re.split(r"^step \d+\n", console, flags=re.MULTILINE)[1:]:
        printed, _, log = text.partition("log\n")
        lines = (line.partition("] ")[2] for line in log.splitlines())
        yield tuple(printed.splitlines()), tuple(line for line in lines if _OURS.match(line))


def run(name: str, directory: Path, verbose: bool) -> int:
    """Build for ``KERNEL:ARCHITECTURE``, boot, compare; returns the number of steps that went another way.

    Raises NotAvailable, BuildFailure, BootFailure.
    """
    label, _, architecture = name.partition(":")
    emulator_for(architecture)
    packages = KernelPackages(KERNELS[label], architecture)
    image = packages.kernel_image
    foreign = architecture != "amd64"
    kit = ModuleKit(packages, directory / "tree", foreign)
    if foreign:
        run_command(["kbuild-py", "shim", "--headers", str(kit.headers)])
    files: Mapping[str, bytes | Path] = modules(kit, directory)
    answers = list(_answers(boot(image, files, _script(), architecture)))
    wrong = abs(len(STEPS) - len(answers))
    for step, (printed, log) in zip(STEPS, answers, strict=False):
        # The order of a module's undefined symbols is its compiler's.
        if printed != step.printed or sorted(log) != sorted(step.log):
            wrong += 1
            print(f"{name}: # {step.command}\n  expected: {step.printed} {step.log}\n  was:      {printed} {log}")
        elif verbose:
            print("\n".join((f"# {step.command}", *printed, *(f"    {line}" for line in log))))
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Boot the kernels; exit status 1 if anything went another way."""
    return boot_each("boots", __doc__, run, _DEFAULT, (len(STEPS), "steps"), arguments)


if __name__ == "__main__":
    sys.exit(main())
