# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs in a headers tree that run on the machine that builds: which are foreign, and which a module needs.

A headers package that was made on another machine, or for one, holds programs that do not run here.  Three of them are
ours to replace; for every other one :data:`HOST_PROGRAMS` says whether building an external module starts it, judged by
the tree's configuration, and what to do then.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from modpost_py.kbuild.elf_programs import foreign_reason
from modpost_py.kbuild.headers_tree import HeadersTree


class HostProgram(NamedTuple):
    """A row of the table.

    ``path`` is relative to the headers; one that ends with ``*`` stands for all that begin so.
    """

    path: str
    is_needed: Callable[[HeadersTree], bool]
    use: str
    remedy: str = ""


class ForeignProgram(NamedTuple):
    """A program that does not run on this machine."""

    path: str
    reason: str
    program: HostProgram
    is_needed: bool


def _never(tree: HeadersTree) -> bool:
    return False


def _if_set(option: str) -> Callable[[HeadersTree], bool]:
    return lambda tree: tree.config(option) == "y"


def _needs_objtool(tree: HeadersTree) -> bool:
    # Up to 5.18 the option of the only use that there was
    return tree.config("OBJTOOL") == "y" or tree.config("STACK_VALIDATION") == "y"


def _needs_objtool_for(architecture: str) -> Callable[[HeadersTree], bool]:
    return lambda tree: _needs_objtool(tree) and tree.architecture == architecture


_COMPILER_RECORDS_CALLS = ("USE_CC", "USE_PATCHABLE_FUNCTION_ENTRY", "USE_OBJTOOL")


def _needs_recordmcount(tree: HeadersTree) -> bool:
    if tree.config("FTRACE_MCOUNT_USE_RECORDMCOUNT") == "y":
        return True
    if tree.config("FTRACE_MCOUNT_RECORD") != "y" or tree.config("HAVE_C_RECORDMCOUNT") != "y":
        return False
    if any(tree.config(f"FTRACE_MCOUNT_{way}") == "y" for way in _COMPILER_RECORDS_CALLS):
        return False
    # Up to 5.10 the Makefiles decide: gcc itself does it for these, or patchable entries serve
    return tree.architecture not in ("x86", "s390", "arm64", "parisc")


def _needs_resolve_btfids(tree: HeadersTree) -> bool:
    return tree.config("DEBUG_INFO_BTF_MODULES") == "y" and (tree.directory / "vmlinux").exists()


def _needs_gendwarfksyms(tree: HeadersTree) -> bool:
    return tree.has_modversions and tree.config("GENDWARFKSYMS") == "y"


_NATIVE_PACKAGE = (
    "copy it from this machine's build of the same package (Debian: linux-kbuild), or build it from the kernel's source"
)

#: What is not here is not known, and said to be so.
HOST_PROGRAMS = (
    # Debian's is a wrapper for several architectures
    HostProgram("tools/objtool/objtool.real-x86", _needs_objtool_for("x86"), "part of objtool", _NATIVE_PACKAGE),
    HostProgram("tools/objtool/objtool.real-powerpc", _needs_objtool_for("powerpc"), "part of objtool",
                _NATIVE_PACKAGE),
    HostProgram("tools/objtool/*", _needs_objtool, "checks and completes every object (CONFIG_OBJTOOL)",
                _NATIVE_PACKAGE),
    HostProgram("scripts/recordmcount", _needs_recordmcount,
                "lists the calls of every object for ftrace (CONFIG_FTRACE_MCOUNT_USE_RECORDMCOUNT)", _NATIVE_PACKAGE),
    HostProgram("scripts/gcc-plugins/*", _if_set("GCC_PLUGINS"), "loaded by gcc for every object (CONFIG_GCC_PLUGINS)",
                "build them for this machine's gcc: 'make scripts' in the kernel's source"),
    HostProgram("scripts/gendwarfksyms/*", _needs_gendwarfksyms, "computes the CRCs of exports (CONFIG_GENDWARFKSYMS)",
                _NATIVE_PACKAGE),
    HostProgram("tools/bpf/resolve_btfids/*", _needs_resolve_btfids,
                "completes the BTF of a .ko (CONFIG_DEBUG_INFO_BTF_MODULES, and vmlinux is here)",
                "build without BTF: make ... CONFIG_DEBUG_INFO_BTF_MODULES="),
    HostProgram("scripts/sign-file", _never, "signs at modules_install; without it the module stays unsigned"),
    HostProgram("scripts/genksyms/*", _never, "part of genksyms"),
    HostProgram("scripts/mod/*", _never, "part of modpost"),
    HostProgram("scripts/basic/*", _never, "part of fixdep"),
    HostProgram("scripts/dtc/*", _never, "compiles device trees; a module with dtb targets needs it"),
    HostProgram("scripts/asn1_compiler", _never, "compiles .asn1 files; a module with such a source needs it"),
    HostProgram("scripts/kconfig/*", _never, "configures a kernel"),
    HostProgram("scripts/bin2c", _never, "for the kernel image"),
    HostProgram("scripts/extract-cert", _never, "for the kernel image"),
    HostProgram("certs/extract-cert", _never, "for the kernel image"),
    HostProgram("scripts/insert-sys-cert", _never, "for the kernel image"),
    HostProgram("scripts/kallsyms", _never, "for the kernel image"),
    HostProgram("scripts/sorttable", _never, "for the kernel image"),
    HostProgram("scripts/selinux/*", _never, "for the kernel's own policy"),
    HostProgram("scripts/generate_rust_target", _never, "for the kernel's own Rust parts"),
    HostProgram("scripts/rustdoc_test*", _never, "for the kernel's own Rust parts"),
    HostProgram("scripts/unifdef", _never, "for headers_install"),
    HostProgram("arch/*", _never, "for the kernel image"),
    HostProgram("usr/*", _never, "for the kernel's initramfs"),
)  # fmt: skip
_UNKNOWN = HostProgram("*", _never, "not known here; a build that starts it says 'Exec format error'")


def foreign_programs(tree: HeadersTree) -> Iterator[ForeignProgram]:
    """The programs below the tree's ``scripts`` and ``tools`` that do not run here, sorted by path.

    The originals of replaced programs are left out.
    """
    for path in sorted(_executables(tree)):
        reason = foreign_reason(tree.directory / path)
        if reason is not None:
            program = _program_of(path)
            yield ForeignProgram(path, reason, program, program.is_needed(tree))


def _program_of(path: str) -> HostProgram:
    for program in HOST_PROGRAMS:
        if path == program.path or (program.path.endswith("*") and path.startswith(program.path[:-1])):
            return program
    return _UNKNOWN


def _executables(tree: HeadersTree) -> Iterator[str]:
    from modpost_py.kbuild.shim import KEPT_SUFFIX

    for top in ("scripts", "tools", "certs"):
        for directory, _, names in os.walk(tree.directory / top):
            for name in names:
                path = Path(directory, name)
                is_plain = name.endswith((".o", KEPT_SUFFIX)) or not os.access(path, os.R_OK)
                if not is_plain and (os.access(path, os.X_OK) or name.endswith(".so")) and path.is_file():
                    yield str(path.relative_to(tree.directory))
