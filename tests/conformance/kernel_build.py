# SPDX-License-Identifier: GPL-2.0-or-later
"""How a kernel's build would call the compiler for one source file, found without building anything.

A :class:`KernelBuild` joins the packages of one kernel: its source, the generated headers
of its flavour and kbuild.  The flags that all files share are those that kbuild prints
(``make -n``) for an external module; what a directory adds (``ccflags-y``, ``CFLAGS_file.o``,
the lists of objects) is read from its Makefile by make itself.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.debian import NotAvailable, cache_directory, locked, make_directory_once
from tests.conformance.kernels import KernelPackages

# Large parts of the source that no C file of the kernel proper includes.
_UNUSED_SOURCE = ("*/Documentation", "*/tools", "*.dts", "*.dtsi", "*.rst", "*.json")


def _sources() -> Path:
    return cache_directory("sources")


@contextmanager
def sources_in_use() -> Iterator[None]:
    """Keep :func:`remove_sources` of other processes from removing anything meanwhile."""
    with locked(cache_directory() / ".sources.lock", fcntl.LOCK_SH):
        yield


def remove_sources() -> None:
    """Remove the unpacked sources (a gigabyte each) from the cache unless a process uses them."""
    with suppress(BlockingIOError), locked(cache_directory() / ".sources.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
        shutil.rmtree(_sources(), ignore_errors=True)


@dataclass(frozen=True, slots=True)
class BuildArchitecture:
    """What kbuild calls an architecture, and the prefix of its compiler's name."""

    name: str
    cross_compile: str


#: By Debian's name of the architecture.
ARCHITECTURES: dict[str, BuildArchitecture] = {
    "amd64": BuildArchitecture("x86", "x86_64-linux-gnu-"),
    "arm64": BuildArchitecture("arm64", "aarch64-linux-gnu-"),
    "armhf": BuildArchitecture("arm", "arm-linux-gnueabihf-"),
    "s390x": BuildArchitecture("s390", "s390x-linux-gnu-"),
}


@dataclass(frozen=True, slots=True)
class DirectoryRules:
    """What one directory's Makefile says: flags for its files, the objects it builds, flags for what lies below."""

    flags: tuple[str, ...]
    file_flags: dict[str, tuple[str, ...]]
    removed_file_flags: dict[str, tuple[str, ...]]
    objects: frozenset[str]
    inherited_flags: tuple[str, ...]


class KernelBuild:
    """Compiler calls for one kernel and architecture; raises NotAvailable where a package or a compiler lacks."""

    def __init__(self, packages: KernelPackages) -> None:
        self.packages = packages
        self.architecture = ARCHITECTURES[packages.architecture]
        self.compiler = f"{self.architecture.cross_compile}gcc"
        for program in (self.compiler, "make", "xz", "tar"):
            if shutil.which(program) is None:
                raise NotAvailable(f"{program} is not installed")

    @functools.cached_property
    def source(self) -> Path:
        """The unpacked source (without documentation and the like)."""
        archive = self.packages.source_archive

        def extract(directory: Path) -> None:
            command = ["tar", "-C", str(directory), "-xf", str(archive), "--strip-components=1", "--wildcards"]
            excluded = [f"--exclude={pattern}" for pattern in _UNUSED_SOURCE]
            result = subprocess.run([*command, *excluded], stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if result.returncode != 0:
                raise NotAvailable(f"{archive.name}: {result.stderr.strip()}")

        package = self.packages.source_package
        return make_directory_once(_sources() / f"{package.name}_{package.version}", extract)

    @functools.cached_property
    def tree(self) -> Path:
        """The headers of the flavour inside a root where the packages' links between them hold."""
        parts = [self.packages.headers, self.packages.common_headers]
        kbuild = self.packages.tool("scripts/basic/fixdep").parent.parent.parent

        def join(directory: Path) -> None:
            for part in parts:
                shutil.copytree(part, directory / "usr/src" / part.name, symlinks=True, copy_function=os.link)
            for name in {kbuild.name, self._linked_kbuild(parts[0])}:
                shutil.copytree(kbuild, directory / "usr/lib" / name, symlinks=True, copy_function=os.link)

        name = f"{self.packages.release}_{self.packages.version}_{self.packages.architecture}"
        return make_directory_once(cache_directory("roots") / name, join) / "usr/src" / parts[0].name

    @staticmethod
    def _linked_kbuild(headers: Path) -> str:
        """The directory of kbuild that ``scripts`` in the headers points to: ``../../lib/NAME/scripts``."""
        return Path(os.readlink(headers / "scripts")).parent.name

    @property
    def release(self) -> str:
        """The kernel release, such as ``6.1.0-37-amd64``."""
        return self.packages.release

    @functools.cached_property
    def shared_flags(self) -> tuple[str, ...]:
        """The flags of every compiler call for built-in code, include paths absolute, headers those of the source."""
        common = self.tree.parent / self.packages.common_headers.name
        with tempfile.TemporaryDirectory() as module:
            (Path(module) / "Makefile").write_text("obj-m := probe.o\n")
            (Path(module) / "probe.c").touch()
            command = [
                "make", "-n", "V=1", "-C", str(self.tree), "-f", str(common / "Makefile"), f"M={module}",
                f"ARCH={self.architecture.name}", f"CROSS_COMPILE={self.architecture.cross_compile}",
                f"CC={self.compiler}", f"KBUILD_OUTPUT={self.tree}", "probe.i",
            ]  # fmt: skip
            result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        call = re.search(rf"^.*?{re.escape(self.compiler)} (-E .*?) +-o \S*probe\.i", result.stdout, re.MULTILINE)
        if call is None:
            raise NotAvailable(f"kbuild of {self.release} shows no compiler call: {result.stderr.strip()[-300:]}")
        # The echoed form has its quotes doubled by the shell; the flags wanted here have none.
        words = shlex.split(call[1].replace("'\\''", "'"))
        words = [word for word in words if not word.startswith(("-Wp,-M", "-DKBUILD_", "-D__KBUILD_", "-DMODULE"))]
        return self._understood(self._absolute(word, common) for word in words)

    def _absolute(self, flag: str, common: Path) -> str:
        flag = re.sub(r"^(-I)?\./", lambda match: f"{match[1] or ''}{self.tree}/", flag)
        return flag.replace(str(common), str(self.source))

    def _understood(self, flags: Iterable[str]) -> tuple[str, ...]:
        """The flags without those that this compiler, perhaps older than the kernel's, does not know."""
        known = list(flags)
        options = [flag for flag in known if flag.startswith(("-f", "-m", "-W", "-g", "-O", "-std"))]
        result = subprocess.run(
            [self.compiler, "-E", "-x", "c", *options, "-"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        unknown = set(re.findall(r"error: unrecognized command-line option '(\S+?)'", result.stderr))
        return tuple(flag for flag in known if flag not in unknown)

    def call(self, path: str, module: str | None) -> list[str]:
        """The call that preprocesses ``path`` (relative to the source) to standard output, to run in the source.

        ``module`` is the module's name, ``None`` for built-in code.
        """
        directory, _, file = path.rpartition("/")
        rules = self.rules(directory)
        stem = file.removesuffix(".c")
        removed = set(rules.removed_file_flags.get(f"{stem}.o", ()))
        flags = [*self.shared_flags, *self._inherited(directory), *rules.flags, *rules.file_flags.get(f"{stem}.o", ())]
        base, name = (re.sub(r"[-,]", "_", text) for text in (stem, module or stem))
        return [
            self.compiler, *(flag for flag in flags if flag not in removed),
            "-I", directory, *(["-DMODULE"] if module else []), "-D__GENKSYMS__",
            f'-DKBUILD_MODFILE="{directory}/{name}"', f'-DKBUILD_BASENAME="{base}"', f'-DKBUILD_MODNAME="{name}"',
            f"-D__KBUILD_MODNAME=kmod_{name}", path,
        ]  # fmt: skip

    def _inherited(self, directory: str) -> list[str]:
        parts = directory.split("/")
        above = ["/".join(parts[: length + 1]) for length in range(len(parts))]
        return [flag for each in above for flag in self.rules(each).inherited_flags]

    @functools.cache  # noqa: B019 (a build lives as long as the run)
    def rules(self, directory: str) -> DirectoryRules:
        """What the Makefile of a directory (relative to the source) says; empty where there is none or it fails."""
        makefile = next(
            (path for name in ("Kbuild", "Makefile") if (path := self.source / directory / name).is_file()), None
        )
        if makefile is None:
            return DirectoryRules((), {}, {}, frozenset(), ())
        text = _RULES_MAKEFILE.format(
            source=self.source, tree=self.tree, directory=directory, makefile=makefile,
            src=f"{self.source}/{directory}" if self._absolute_src else directory,
            architecture=self.architecture.name, compiler=self.compiler,
        )  # fmt: skip
        result = subprocess.run(
            ["make", "-s", "-r", "-R", "-f", "-"],
            input=text, cwd=self.source, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        variables: dict[str, list[str]] = {}
        for line in result.stdout.splitlines():
            name, found, value = line.partition("\t")
            if found:
                variables[name] = _split(value)
        return _rules_from(variables)

    @functools.cached_property
    def _absolute_src(self) -> bool:
        """Whether ``$(src)`` is an absolute path in Makefiles (6.10 and later) or relative to the source."""
        return not re.search(r"^src := \$\(obj\)$", (self.source / "scripts/Makefile.build").read_text(), re.MULTILINE)


# What a Makefile of the kernel may count on, then one line "NAME<TAB>VALUE" for each variable of interest.
_RULES_MAKEFILE = """\
srctree := {source}
objtree := {tree}
src := {src}
obj := {directory}
SRCARCH := {architecture}
ARCH := {architecture}
CC := {compiler}
LD := ld
CONFIG_SHELL := sh
include {tree}/include/config/auto.conf
include $(srctree)/scripts/Kbuild.include
-include $(srctree)/scripts/Makefile.compiler
include {makefile}
$(foreach v,$(filter ccflags-y subdir-ccflags-y CFLAGS_% %-y %-m %-objs,$(.VARIABLES)),$(info $(v)\t$($(v))))
.DEFAULT_GOAL := modversions-nothing
modversions-nothing: ;
"""


def _rules_from(variables: dict[str, list[str]]) -> DirectoryRules:
    """DirectoryRules from a Makefile's variables by kbuild's naming rules (NAME.o in CFLAGS_NAME.o may be a path)."""
    file_flags, removed = {}, {}
    objects: set[str] = set()
    for name, words in variables.items():
        if name.startswith("CFLAGS_REMOVE_"):
            removed[name.removeprefix("CFLAGS_REMOVE_").rpartition("/")[2]] = tuple(words)
        elif name.startswith("CFLAGS_"):
            file_flags[name.removeprefix("CFLAGS_").rpartition("/")[2]] = tuple(words)
        elif "flags" not in name:
            objects.update(word for word in words if word.endswith(".o"))
    inherited = tuple(variables.get("subdir-ccflags-y", ()))
    return DirectoryRules(tuple(variables.get("ccflags-y", ())), file_flags, removed, frozenset(objects), inherited)


def _split(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()
