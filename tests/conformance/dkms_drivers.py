# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers from outside the kernel tree, as Debian packages them for dkms, built with the C programs and with ours.

    python -m tests.conformance.dkms_drivers [--kernel LABEL] [--all] [DRIVER...]

Each driver is built by the commands of its dkms.conf, against the same headers at the same paths, with fixdep,
genksyms and modpost of the distribution and with launchers of ours in their places.  Every file that a build leaves
must be equal: .ko, .mod.c, Module.symvers, objects, .cmd files.  Then the time: builds alternate, the shorter of each
pair counts, and ours may take 1.3 times as long as the other.  On a busy machine a pair can go wrong, so a larger
ratio is measured anew, and it fails only where the processor's time says the same.

The drivers that take minutes are built when asked for by name, or with ``--all``.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.conformance.debian import Archive, NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.module_builds import BuildFailure, ModuleKit

ALLOWED_RATIO = 1.3
_REPEATED_MEASUREMENTS = 2


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver's package, and the make calls of its dkms.conf: ``{build}`` is its source, ``{headers}`` the kernel's.

    ``modules`` are those that the calls must make, ``is_long`` that a build takes a minute or so.
    """

    name: str
    calls: tuple[tuple[str, ...], ...]
    modules: tuple[str, ...]
    is_long: bool = False

    @property
    def package(self) -> str:
        return f"{self.name}-dkms"


#: All are in Debian 12 and compile against its kernel.
DRIVERS: tuple[Driver, ...] = (
    Driver("v4l2loopback", (("-C", "{build}", "KERNEL_DIR={headers}", "v4l2loopback"),), ("v4l2loopback.ko",)),
    # Two modules in two directories, the second with KBUILD_EXTRA_SYMBOLS.
    Driver(
        "ddcci",
        (("-C", "{build}", "KDIR={headers}"),),
        ("ddcci/ddcci.ko", "ddcci-backlight/ddcci-backlight.ko"),
    ),
    Driver("acpi-call", (("-C", "{headers}", "M={build}"),), ("acpi_call.ko",)),
    # Two modules in one directory, the second uses the first.
    Driver("nat-rtsp", (("-C", "{headers}", "M={build}"),), ("nf_conntrack_rtsp.ko", "nf_nat_rtsp.ko")),
    # One of 70 files whose exports two others use, built one after the other.
    Driver(
        "jool",
        tuple(("-C", "{headers}", f"M={{build}}/src/mod/{part}", "modules") for part in ("common", "nat64", "siit")),
        ("src/mod/common/jool_common.ko", "src/mod/nat64/jool.ko", "src/mod/siit/jool_siit.ko"),
        is_long=True,
    ),
    Driver(
        "xtables-addons",
        (("-C", "{headers}", "M={build}/extensions", "XA_ABSTOPSRCDIR={build}", "XA_TOPSRCDIR={build}", "modules"),),
        ("extensions/compat_xtables.ko", "extensions/ACCOUNT/xt_ACCOUNT.ko", "extensions/pknock/xt_pknock.ko"),
        is_long=True,
    ),
)


class Times(NamedTuple):
    """How long a build took, in seconds: by the clock, and of the processors."""

    wall: float
    processor: float

    def least(self, other: Times) -> Times:
        """The smaller of each."""
        return Times(min(self.wall, other.wall), min(self.processor, other.processor))


class DriverBuilds:
    """Builds of one driver in one directory, so that all paths in its files are the same."""

    def __init__(self, driver: Driver, kit: ModuleKit, directory: Path) -> None:
        self._driver = driver
        self._kit = kit
        self._source = _source_of(driver)
        self._directory = directory / driver.name

    def build(self, ours: bool, keep: Path | None = None) -> Times:
        """Build anew with one set of programs; ``keep`` is where the result is moved to.

        Raises BuildFailure.
        """
        build = self._directory / "build"
        shutil.rmtree(build, ignore_errors=True)
        shutil.copytree(self._source, build)
        with self._kit.our_programs() if ours else nullcontext():
            began, used = time.monotonic(), _used_by_children()
            for call in self._driver.calls:
                words = [word.format(build=build, headers=self._kit.headers) for word in call]
                self._kit.make(f"-j{os.cpu_count()}", *words)
            times = Times(time.monotonic() - began, _used_by_children() - used)
        for name in self._driver.modules:
            if not (build / name).is_file():
                raise BuildFailure(f"{self._driver.name}: no {name} was made")
        if keep is not None:
            build.rename(keep)
        return times

    def compare(self) -> tuple[int, list[str], Times, Times]:
        """Build with both; returns how many files were made, those that differ, and the times of C's and ours."""
        with_c, with_ours = self._directory / "with-c", self._directory / "with-ours"
        times = self.build(False, with_c), self.build(True, with_ours)
        made = _files(with_c) - _files(self._source)
        different = [f"{path}: only one build made it" for path in sorted(_files(with_c) ^ _files(with_ours))]
        for path in sorted(made & _files(with_ours)):
            if (with_c / path).read_bytes() != (with_ours / path).read_bytes():
                different.append(f"{path}: differs")
        return len(made), different, *times

    def remove(self) -> None:
        """Remove all that was built."""
        shutil.rmtree(self._directory, ignore_errors=True)


def _used_by_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _source_of(driver: Driver) -> Path:
    unpacked = Archive("bookworm", "amd64").unpack(driver.package)
    for configuration in unpacked.glob("usr/src/*/dkms.conf"):
        return configuration.parent
    raise NotAvailable(f"{unpacked.name} holds no dkms.conf")


def _files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def judge(driver: Driver, kit: ModuleKit, directory: Path) -> tuple[bool, int]:
    """Compare one driver's builds and print what was found; returns whether all is well, and the files compared."""
    builds = DriverBuilds(driver, kit, directory)
    count, different, with_c, with_ours = builds.compare()
    # The first pair ran C's first, and perhaps on cold files: now the other way round.
    with_ours = with_ours.least(builds.build(True))
    with_c = with_c.least(builds.build(False))
    for _ in range(_REPEATED_MEASUREMENTS):
        if with_ours.wall <= ALLOWED_RATIO * with_c.wall:
            break
        with_c = with_c.least(builds.build(False))
        with_ours = with_ours.least(builds.build(True))
    builds.remove()
    wall, processor = with_ours.wall / with_c.wall, with_ours.processor / with_c.processor
    slow = min(wall, processor) > ALLOWED_RATIO
    times = f"{with_c.wall:.1f} s with the C programs, {with_ours.wall:.1f} s with ours: {wall:.2f} x"
    times += f" (processor {with_c.processor:.1f} s, {with_ours.processor:.1f} s: {processor:.2f} x)"
    too_slow = ", TOO SLOW" if slow else ""
    print(f"{driver.name}: {count} files made, {len(different)} differ; {times}{too_slow}", flush=True)
    for line in different:
        print(f"  {line}")
    return not different and not slow, count


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the drivers; exit status 1 for any difference, or where ours take too long."""
    parser = argparse.ArgumentParser(prog="tests.conformance.dkms_drivers", description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", choices=KERNELS, default="6.1")
    parser.add_argument("--all", action="store_true", help="those that take minutes too")
    parser.add_argument("drivers", nargs="*", metavar="DRIVER", help=", ".join(driver.name for driver in DRIVERS))
    parsed = parser.parse_args(arguments)
    unknown = set(parsed.drivers) - {driver.name for driver in DRIVERS}
    if unknown:
        parser.error(f"no such driver: {', '.join(sorted(unknown))}")
    chosen = set(parsed.drivers) or {driver.name for driver in DRIVERS if parsed.all or not driver.is_long}
    wanted = [driver for driver in DRIVERS if driver.name in chosen]
    built = files = failed = 0
    with tempfile.TemporaryDirectory(prefix="dkms-") as name:
        try:
            kit = ModuleKit(KernelPackages(KERNELS[parsed.kernel]), Path(name) / "tree")
        except NotAvailable as error:
            print(f"NOT RUN: drivers: {error}")
            wanted = []
        for driver in wanted:
            try:
                equal, count = judge(driver, kit, Path(name))
            except NotAvailable as error:
                print(f"NOT RUN: {driver.name}: {error}", flush=True)
            except BuildFailure as error:
                print(f"{error}", flush=True)
                failed += 1
            else:
                built, files, failed = built + 1, files + count, failed + (not equal)
    print(f"{built} drivers, {files} files, {failed} differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
