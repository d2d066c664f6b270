# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong before a build begins, said with the next step instead of what kbuild would say later.

An error is a :class:`KbuildError`; what a build survives is a note, one line of text.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.headers_tree import HeadersTree

#: Characters that kbuild cannot have in the path of a kernel or a module: it writes paths unquoted into rules,
#: shell commands and the compiler's ``-Wp,-MMD,...``.
_UNUSABLE = re.compile(r"[\s:%,'\"$#\\*?\[\];&|()<>`!{}]")

# Debian's .kernelvariables: ``CC = $(if $(DEBIAN_KERNEL_USE_CCACHE),$(CCACHE)) $(CROSS_COMPILE)gcc-12``
_DEBIAN_COMPILER = re.compile(r"^CC = .*\$\(CROSS_COMPILE\)(\S+)$", re.MULTILINE)

_WHERE_HEADERS_ARE = ("/lib/modules", "/usr/src")


def default_headers(release: str) -> str:
    """The directory of the headers of a kernel release (that of ``uname -r``, mostly)."""
    return f"/lib/modules/{release}/build"


def missing_default(release: str, directories: Iterable[str] = _WHERE_HEADERS_ARE) -> str:
    """The message for a running kernel without headers: what to install, and which headers there are instead."""
    found = [str(path) for path in _installed_headers(directories)]
    instead = f"build for another kernel, with KDIR={found[0]}" if found else "name others with KDIR=DIRECTORY"
    others = f" (or {', '.join(found[1:])})" if found[1:] else ""
    return (
        f"{default_headers(release)}: the running kernel, {release}, has no headers here; install them "
        f"(Debian, Ubuntu: linux-headers-{release}; Fedora, SUSE: kernel-devel); or {instead}{others}"
    )


def _installed_headers(directories: Iterable[str]) -> Iterator[Path]:
    """Every usable headers tree below the usual directories, each once."""
    seen = set()
    for top in directories:
        for path in sorted(Path(top).glob("*/build" if top.endswith("modules") else "linux-headers-*")):
            try:
                tree = HeadersTree.at(path)
            except KbuildError:
                continue
            if (real := os.path.realpath(tree.directory)) not in seen:
                seen.add(real)
                yield path


def check_path(path: Path, what: str) -> None:
    """Raise KbuildError for a path that kbuild cannot work with; ``what`` names it (``the module's directory``)."""
    found = _UNUSABLE.search(str(path))
    if found is not None:
        character = "a space" if found[0] == " " else f"the character {found[0]!r}"
        raise KbuildError(f"{path}: {what} has {character} in its path, which kbuild cannot handle; move or rename it")


def check_module_directory(directory: Path) -> None:
    """Raise KbuildError for a directory that kbuild finds nothing to build in."""
    if not directory.is_dir():
        raise KbuildError(f"{directory}: no such directory, to build modules in")
    check_path(directory, "the module's directory")
    if not any((directory / name).is_file() for name in ("Kbuild", "Makefile")):
        raise KbuildError(
            f"{directory}: no modules here: it has neither Kbuild nor Makefile; "
            "for NAME.c, a file Kbuild with the line 'obj-m := NAME.o' is enough"
        )


def check_output(directory: Path) -> None:
    """Raise KbuildError for a directory that nothing can be written to."""
    if directory.is_dir() and not os.access(directory, os.W_OK):
        raise KbuildError(
            f"{directory}: cannot write here, where the built files go; copy the module to a directory of your own"
        )


def check_headers(tree: HeadersTree) -> None:
    """Raise KbuildError for headers that kbuild cannot start with."""
    check_path(tree.directory, "the headers' directory")
    if not (tree.source / "Makefile").is_file():
        raise KbuildError(
            f"{tree.directory}/Makefile: it includes {tree.source}/Makefile, which is not there; install the package "
            f"that holds it (Debian: {tree.source.name}), or change that line where these headers are a copy"
        )
    tree.program("scripts/Makefile.build")


def check_symbol_dump(tree: HeadersTree) -> None:
    """Raise KbuildError for headers that modules can be compiled with, but not be linked against the kernel."""
    if tree.module_symvers is not None:
        return
    because = (
        "modules built here would have no symbol versions, and the kernel would refuse them"
        if tree.has_modversions
        else "modpost could not tell which symbols the kernel exports"
    )
    raise KbuildError(
        f"{tree.directory}: no Module.symvers: {because}; it comes with a whole build of this kernel ('make modules' "
        "there), or from its image with 'symvers-py'; KBUILD_MODPOST_WARN=1 builds without it"
    )


def notes(tree: HeadersTree, running: str, variables: Mapping[str, str]) -> Iterator[str]:
    """What a builder should know: another kernel than the running one, a compiler that is not here, gendwarfksyms.

    ``running`` is what ``uname -r`` says; ``variables`` are those of make's command line.
    """
    if tree.release != running and "ARCH" not in variables:
        yield f"building for {tree.release}; the running kernel is {running} and will not load these modules"
    compiler = None if {"CC", "LLVM"} & variables.keys() else _missing_compiler(tree)
    if compiler is not None:
        yield f"these headers ask for {compiler}, which is not installed; install it, or name another with CC=gcc"
    if tree.config("GENDWARFKSYMS") == "y":
        yield "this kernel's symbol versions come from gendwarfksyms, which stays its own program"


def _missing_compiler(tree: HeadersTree) -> str | None:
    try:
        text = (tree.directory / ".kernelvariables").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    found = _DEBIAN_COMPILER.search(text)
    return found[1] if found and shutil.which(found[1]) is None else None
