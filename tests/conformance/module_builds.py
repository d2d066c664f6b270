# SPDX-License-Identifier: GPL-2.0-or-later
"""External modules built by kbuild in a private headers tree, with the C programs or with ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from modpost_py.kbuild.launchers import PROGRAMS, launcher_text
from tests.conformance.debian import NotAvailable
from tests.conformance.headers_copy import build_variables, usable_headers
from tests.conformance.kernels import KernelPackages

#: Where kbuild has the programs that ours replace, relative to the headers.
_PLACES = {
    "fixdep": "scripts/basic/fixdep",
    "genksyms": "scripts/genksyms/genksyms",
    "modpost": "scripts/mod/modpost",
}
BUILD_SECONDS = 400


class BuildFailure(Exception):  # noqa: N818 (an outcome that a comparison reports, as NotAvailable is)
    """A build that failed; the text ends with its last lines."""


class ModuleKit:
    """The headers of one kernel in a directory of their own, and what make needs to build against them.

    Built with the C programs until :meth:`our_programs` is in force.  ``foreign``: the programs in the headers are
    for the kernel's machine and not for this one, as in a headers package that was copied over.
    Raises NotAvailable.
    """

    def __init__(self, packages: KernelPackages, directory: Path, foreign: bool = False) -> None:
        if shutil.which("make") is None:
            raise NotAvailable("make is not installed")
        self.packages = packages
        self.headers = usable_headers(packages, directory, packages.architecture if foreign else "amd64")
        self.variables = build_variables(packages)

    @contextmanager
    def our_programs(self) -> Iterator[None]:
        """Our programs stand in the places of fixdep, genksyms and modpost meanwhile."""
        kept = {}
        for program, place in _PLACES.items():
            path = self.headers / place
            kept[path] = path.with_name(f"{path.name}.c-program")
            path.rename(kept[path])
            path.write_text(launcher_text(program, self.packages.release))
            path.chmod(0o755)
        try:
            yield
        finally:
            for path, original in kept.items():
                original.replace(path)

    def build(self, directory: Path, arguments: Sequence[str] = ()) -> str:
        """``make -C HEADERS M=DIRECTORY``; returns what it printed.  Raises BuildFailure."""
        return self.make("-C", str(self.headers), f"M={directory}", *arguments)

    def make(self, *arguments: str) -> str:
        """Call make with the variables for these headers; returns what it printed.  Raises BuildFailure."""
        command = ["make", *arguments, *self.variables]
        return run_command(command)

    def build_sources(self, directory: Path, sources: Mapping[str, str], arguments: Sequence[str] = ()) -> str:
        """Write sources (file name -> text) into a directory that may not exist yet and build there."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in sources.items():
            (directory / name).write_text(text)
        return self.build(directory, arguments)


def run_command(command: Sequence[str]) -> str:
    """Run a build's command, the programs of this environment on its path; returns what it printed.

    Raises BuildFailure if it fails or takes too long.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    try:
        result = subprocess.run(
            command, env={**environment, "LC_ALL": "C", "PATH": path}, timeout=BUILD_SECONDS,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BuildFailure(f"{' '.join(command)}: not done after {BUILD_SECONDS} s") from None
    if result.returncode != 0:
        text = "\n".join(result.stdout.splitlines()[-15:])
        raise BuildFailure(f"{' '.join(command)} ended with {result.returncode}:\n{text}")
    return result.stdout


assert set(_PLACES) == set(PROGRAMS)
