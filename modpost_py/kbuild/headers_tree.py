# SPDX-License-Identifier: GPL-2.0-or-later
"""The directory that modules are built against (KDIR): a headers package, or a kernel's own build directory.

Distributions and kernel builds lay it out in four ways, all of which serve::

    Debian      linux-headers-6.1.0-1-amd64/    Makefile ("include /usr/src/linux-headers-6.1.0-1-common/Makefile"),
                                                .kernelvariables, .config, Module.symvers, include/ (generated),
                                                scripts -> ../../lib/linux-kbuild-6.1/scripts
    Ubuntu      linux-headers-6.8.0-1-generic/  the same, its Makefile a symbolic link into a shared directory
    Fedora, SUSE, and a kernel built in its source: one directory with everything
    O= builds   BUILD/                          Makefile ("include SOURCE/Makefile"), source -> SOURCE, ...

What tells about the kernel are three small files, the same in all four:

=================================  =============================================================
``include/config/auto.conf``       the configuration, ``CONFIG_NAME=value`` a line
``include/generated/utsrelease.h`` ``#define UTS_RELEASE "6.1.0-1-amd64"``: what ``uname -r`` says
``Module.symvers``                 what the kernel and its modules export, with CRCs
=================================  =============================================================
"""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path

from modpost_py.kbuild.errors import KbuildError

AUTO_CONF = "include/config/auto.conf"
RELEASE_HEADER = "include/generated/utsrelease.h"
RELEASE_FILE = "include/config/kernel.release"

#: Kbuild's names of architectures (ARCH, SRCARCH), by the option that each sets in its configuration.
ARCHITECTURES = {
    "X86": "x86",
    "ARM64": "arm64",
    "ARM": "arm",
    "RISCV": "riscv",
    "S390": "s390",
    "PPC": "powerpc",
    "LOONGARCH": "loongarch",
    "MIPS": "mips",
    "PARISC": "parisc",
    "SPARC": "sparc",
    "ALPHA": "alpha",
    "M68K": "m68k",
    "SUPERH": "sh",
    "ARC": "arc",
    "CSKY": "csky",
    "HEXAGON": "hexagon",
    "IA64": "ia64",
    "MICROBLAZE": "microblaze",
    "NIOS2": "nios2",
    "OPENRISC": "openrisc",
    "UML": "um",
    "XTENSA": "xtensa",
}

_UTS_RELEASE = re.compile(r'^#define\s+UTS_RELEASE\s+"([^"\n]+)"', re.MULTILINE)
# The Makefile of a split tree: ``include /usr/src/linux-headers-6.1.0-1-common/Makefile``.
_INCLUDED_MAKEFILE = re.compile(r"^include\s+(/\S*)/Makefile\s*$", re.MULTILINE)
_SETTING = re.compile(r"^CONFIG_(\w+)=(.*)$", re.MULTILINE)


class HeadersTree:
    """A directory that external modules can be built against; nothing in it is ever written.

    ``directory`` is its absolute path (symbolic links kept, as users know it), ``release`` what
    ``uname -r`` says on its kernel, such as ``6.1.0-1-amd64``.
    """

    def __init__(self, directory: Path, release: str) -> None:
        self.directory = directory
        self.release = release

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> HeadersTree:
        """The tree at ``path``; raises KbuildError, with the next step, if that is none or is incomplete."""
        directory = Path(os.path.abspath(path))
        _expect_directory(directory)
        if not (directory / "Makefile").is_file():
            build = directory / "build"
            hint = f"; did you mean {build}?" if (build / "Makefile").is_file() else _INSTALL_HINT
            raise KbuildError(f"{directory}: no headers of a kernel: it has no Makefile{hint}")
        if not (directory / AUTO_CONF).is_file():
            raise KbuildError(_unconfigured(directory))
        return cls(directory, _release(directory))

    @cached_property
    def source(self) -> Path:
        """The part that does not depend on the configuration: kbuild's ``$(srctree)``; ``directory`` itself if whole.

        In a copy of a split tree it is the path that the Makefile names, which need not exist.
        """
        included = _INCLUDED_MAKEFILE.search(_text(self.directory / "Makefile")[:4096])
        return Path(included[1]) if included else self.directory

    @cached_property
    def configuration(self) -> dict[str, str]:
        """The options that are set: name without ``CONFIG_`` -> ``y``, ``m``, or the value without quotes."""
        return {name: _unquoted(value) for name, value in _SETTING.findall(_text(self.directory / AUTO_CONF))}

    def config(self, name: str) -> str | None:
        """The value of one option (``CONFIG_`` may lead its name): ``y``, ``m``, a value, or ``None`` where not set."""
        return self.configuration.get(name.removeprefix("CONFIG_"))

    @property
    def architecture(self) -> str | None:
        """Kbuild's name of the architecture (``x86``, ``arm64``, ``powerpc``...), or ``None`` if no option tells."""
        return next((name for option, name in ARCHITECTURES.items() if self.config(option) == "y"), None)

    @property
    def has_modversions(self) -> bool:
        """Whether this kernel checks symbol versions (``CONFIG_MODVERSIONS``)."""
        return self.config("MODVERSIONS") == "y"

    @property
    def module_symvers(self) -> Path | None:
        """Module.symvers, or ``None`` where there is none."""
        path = self.directory / "Module.symvers"
        return path if path.is_file() else None

    def program(self, path: str) -> Path:
        """A program of kbuild, such as ``scripts/mod/modpost``; raises KbuildError if the tree lacks it."""
        for directory in (self.directory, self.source):
            if (directory / path).exists():
                return directory / path
        top = self.directory / path.split("/", 1)[0]
        if top.is_symlink() and not top.exists():
            raise KbuildError(
                f"{top}: a link to {os.readlink(top)}, which is not there; install the package that holds it "
                "(Debian: linux-kbuild-VERSION)"
            )
        raise KbuildError(f"{self.directory}: it has no {path}; 'make modules_prepare' in the kernel's source makes it")

    def program_text(self, path: str) -> str:
        """The text of a Makefile of kbuild, such as ``scripts/Makefile.build``; empty if the tree lacks it."""
        try:
            return _text(self.program(path), missing="")
        except KbuildError:
            return ""


_INSTALL_HINT = (
    "; install the headers of your kernel (Debian, Ubuntu: linux-headers-RELEASE; "
    "Fedora, SUSE: kernel-devel), or name a kernel's build directory"
)


def _expect_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    if directory.is_symlink():
        raise KbuildError(f"{directory}: a link to {os.readlink(directory)}, which is not there{_INSTALL_HINT}")
    if directory.exists():
        raise KbuildError(f"{directory}: no directory{_INSTALL_HINT}")
    raise KbuildError(f"{directory}: no such directory{_INSTALL_HINT}")


def _unconfigured(directory: Path) -> str:
    if directory.name.endswith("-common"):
        flavours = directory.name.removesuffix("common")
        return f"{directory}: the part that all flavours share; name the headers of one, {directory.parent}/{flavours}*"
    return (
        f"{directory}: a kernel's source that is not configured (no {AUTO_CONF}); in it, run "
        "'make oldconfig && make modules_prepare', or name the directory that the kernel was built in"
    )


def _release(directory: Path) -> str:
    defined = _UTS_RELEASE.search(_text(directory / RELEASE_HEADER, missing=""))
    release = defined[1] if defined else _text(directory / RELEASE_FILE, missing="").strip()
    if not release:
        raise KbuildError(
            f"{directory}: nothing tells its kernel release (no {RELEASE_HEADER}, no {RELEASE_FILE}); "
            "'make modules_prepare' in the kernel's source makes both"
        )
    return release


def _text(path: Path, missing: str | None = None) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError as error:
        if missing is None:
            raise KbuildError(f"{path}: {error.strerror}") from None
        return missing
    except OSError as error:
        raise KbuildError(f"{path}: {error.strerror}") from None


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
