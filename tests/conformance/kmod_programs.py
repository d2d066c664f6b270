# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 12's kmod programs (kmod 30): those of this machine, or else unpacked from the package."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.debian import Archive, NotAvailable
from tests.conformance.kernels import KernelPackages

_VERSION = "kmod version 30"
_DATABASE_INPUTS = ("modules.order", "modules.builtin", "modules.builtin.modinfo")


@functools.cache
def kmod() -> Path:
    """The one program that is modinfo, depmod and the rest by the name with which it is called; NotAvailable."""
    installed = shutil.which("kmod", path="/bin:/usr/bin:/sbin:/usr/sbin")
    if installed is not None and _is_wanted(Path(installed)):
        return Path(installed)
    unpacked = Archive("bookworm", "amd64").unpack("kmod") / "bin/kmod"
    if not _is_wanted(unpacked):
        raise NotAvailable(f"{_VERSION} does not run here")
    return unpacked


def _is_wanted(program: Path) -> bool:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError:
        return False
    return done.stdout.startswith(_VERSION + "\n")


@contextmanager
def root_of(packages: KernelPackages) -> Iterator[Path]:
    """A root file system with one kernel's modules and the databases that kmod's depmod makes of them.

    The modules are those of the package, through a symbolic link.  Raises NotAvailable.
    """
    modules = packages.modules
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root) / "lib/modules" / modules.name
        directory.mkdir(parents=True)
        (directory / "kernel").symlink_to(modules / "kernel")
        for name in _DATABASE_INPUTS:
            if (modules / name).exists():  # since 7.x Debian's package of modules has none
                shutil.copy(modules / name, directory)
        command = ["depmod", "-b", root, modules.name]
        done = subprocess.run(command, executable=kmod(), capture_output=True, env={**os.environ, "LC_ALL": "C"})
        if done.returncode:
            raise NotAvailable(f"depmod: {done.stderr.decode(errors='replace').strip()}")
        yield Path(root)
