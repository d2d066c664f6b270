# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of what is done to several booted kernels, one after the other."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.conformance.boot import BootFailure, kernel_and_architecture
from tests.conformance.debian import NotAvailable
from tests.conformance.module_builds import BuildFailure


def boot_each(
    name: str,
    description: str | None,
    run: Callable[[str, Path, bool], int],
    kernels: Sequence[str],
    steps: tuple[int, str],
    arguments: Sequence[str] | None,
) -> int:
    """Call ``run(KERNEL:ARCHITECTURE, DIRECTORY, VERBOSE)``, which gives the number of differences, for each kernel.

    ``steps`` says how many things are compared a kernel, and what they are called.  Returns the exit status.
    """
    parser = argparse.ArgumentParser(
        prog=f"tests.conformance.{name}", description=(description or "").partition("\n")[0]
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show all that was compared")
    parser.add_argument(
        "kernels", nargs="*", type=kernel_and_architecture, metavar="KERNEL:ARCHITECTURE", default=kernels
    )
    parsed = parser.parse_args(arguments)
    count, unit = steps
    booted = failed = 0
    for kernel in parsed.kernels:
        with tempfile.TemporaryDirectory(prefix="booted-") as directory:
            try:
                wrong = run(kernel, Path(directory), parsed.verbose)
            except NotAvailable as error:
                print(f"NOT RUN: {name} on {kernel}: {error}", flush=True)
                continue
            except (BuildFailure, BootFailure) as error:
                print(f"{kernel}: {error}", flush=True)
                wrong = 1
            else:
                booted += 1
                print(f"{kernel}: {count} {unit}, {wrong} differ", flush=True)
            failed += wrong
    print(f"{booted} kernels booted, {booted * count} {unit}, {failed} differences")
    return 1 if failed else 0
