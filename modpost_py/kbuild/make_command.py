# SPDX-License-Identifier: GPL-2.0-or-later
"""``kbuild-py make``: build external modules with our programs in place of the kernel's C ones.

It checks what can be wrong, keeps a second build of the same modules waiting, and becomes make
(``exec``): make's jobs, signals and exit status are those that the caller sees.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shlex
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from modpost_py.kbuild import build_checks
from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.headers_tree import HeadersTree
from modpost_py.kbuild.launchers import launcher_text
from modpost_py.kbuild.make_variables import (
    PROGRAMS,
    KbuildDialect,
    dialect_of,
    dialect_of_makefiles,
    one_liner,
    program_variables,
    symtypes_variables,
)
from modpost_py.kbuild.symbol_dumps import forget_stale_run
from modpost_py.kbuild.unfinished_objects import forget_unfinished

_DESCRIPTION = """\
Build kernel modules outside the kernel tree: 'make -C DIR M=DIRECTORY' with genksyms-py, modpost-py and fixdep-py
in place of the C programs. All other words go to make as they are: targets, VARIABLE=VALUE, -j4, -k ...
"""
_EPILOG = """\
examples:
  kbuild-py make                                    build for the running kernel
  kbuild-py make -j4 --headers /usr/src/linux-headers-6.1.0-9-amd64 CC=gcc-12
  kbuild-py make modules_install INSTALL_MOD_PATH=/tmp/root
  kbuild-py make ring.symtypes                      the types behind the versions of what ring.c exports
  kbuild-py make --print --kernel 6.12              the plain make command that does the same

variables that matter here: KDIR (as --headers), M (as --module-directory), O (the kernel's build directory where
--headers is its source), MO (since 6.13: where built files go), KBUILD_EXTRA_SYMBOLS (other modules' Module.symvers)

exit status: make's own; 2 if there is nothing that make could be started with; 130 after ^C
"""

#: Where the launchers of our programs lie, in the directory that built files go to.
LAUNCHERS = ".modversions"

#: Targets that remove, so that nothing is made for them.
_REMOVING = frozenset({"clean", "mrproper", "distclean"})
#: Targets that neither compile nor need the kernel's symbols.
_PASSIVE = _REMOVING | {"help", "modules_install", "nothing"}

# The directories whose locks this process's ancestors hold.
_LOCKED = "MODVERSIONS_LOCKED"


class _Request(NamedTuple):
    """What is to be built: the words for make, and the variables on its command line or its parent's."""

    words: list[str]
    variables: dict[str, str]
    headers: str | None
    module: Path
    kept: frozenset[str]

    @property
    def targets(self) -> list[str]:
        return [word for word in self.words if not word.startswith("-") and "=" not in word]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; it returns (with an exit status) only where make could not be started."""
    parser = _parser()
    options, words = parser.parse_known_args(arguments)
    try:
        if options.print:
            _print(_one_liner(options, words))
            return 0
        if options.kernel:
            parser.error("--kernel is for --print: a build takes it from the headers")
        return _build(_request(options, words))
    except KbuildError as error:
        _say(str(error))
        return error.exit_status
    except OSError as error:
        _say(f"{error.filename}: {error.strerror}")
        return 2
    except KeyboardInterrupt:
        return 130


def _print(line: str) -> None:
    """Write to standard output, past Python's own stream, which may be missing and complains once more at the end."""
    try:
        with open(1, "wb", closefd=False) as stream:
            stream.write(os.fsencode(line) + b"\n")
    except OSError as error:
        raise KbuildError(f"standard output: {error.strerror}") from None


def _say(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"kbuild-py: {text}\n")


def _one_liner(options: argparse.Namespace, words: list[str]) -> str:
    if options.kernel:
        return one_liner(dialect_of(options.kernel))
    tree = _tree(_request(options, words))
    build_checks.check_headers(tree)
    return one_liner(_dialect(tree), str(tree.directory))


def _dialect(tree: HeadersTree) -> KbuildDialect:
    build, modpost = (tree.program_text(f"scripts/Makefile.{name}") for name in ("build", "modpost"))
    return dialect_of_makefiles(tree.release, build, modpost)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kbuild-py make",
        usage="kbuild-py make [--headers DIR] [--module-directory DIR] [--keep PROGRAM] [MAKE ARGUMENT]...",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--headers", metavar="DIR", help="headers of a kernel, or its build directory (/lib/modules/$(uname -r)/build)"
    )
    parser.add_argument("--module-directory", metavar="DIR", help="where Kbuild or Makefile lies (this directory)")
    parser.add_argument(
        "--keep", metavar="PROGRAM", action="append", default=[], choices=PROGRAMS,
        help="leave genksyms, modpost or fixdep the kernel's own",
    )  # fmt: skip
    parser.add_argument("--print", action="store_true", help="print the make command, do not run it")
    parser.add_argument("--kernel", metavar="VERSION", help="with --print: for this kernel, such as 6.12")
    return parser


def _request(options: argparse.Namespace, words: list[str]) -> _Request:
    own = _assignments(words)
    headers = options.headers or own.get("KDIR") or os.environ.get("KDIR")
    # Not the M= of a calling make: that one's modules may be others.
    module = options.module_directory or own.get("M") or "."
    words = [word for word in words if not word.startswith(("M=", "KDIR="))]
    given = _inherited_variables() | own
    return _Request(words, given, headers, Path(os.path.abspath(module)), frozenset(options.keep))


def _assignments(words: Sequence[str]) -> dict[str, str]:
    pairs = (word.partition("=") for word in words if not word.startswith("-"))
    return {name.rstrip(":"): value for name, equals, value in pairs if equals}


def _inherited_variables() -> dict[str, str]:
    """What the command line of a calling make said: ``MAKEFLAGS='w -j4 -- V=1 CC=gcc-12'``."""
    try:
        words = shlex.split(os.environ.get("MAKEFLAGS", ""))
    except ValueError:
        return {}
    return _assignments(words[1:] if words else [])


def _tree(request: _Request) -> HeadersTree:
    """The configured headers: those of O= where it is given."""
    output = request.variables.get("O")
    if output:
        try:
            return HeadersTree.at(output)
        except KbuildError as error:
            raise KbuildError(
                f"{error}\nkbuild-py: O= names the directory that the kernel was built in; for a directory that the "
                "modules' files go to, kernels since 6.13 have MO="
            ) from None
    if request.headers is not None:
        return HeadersTree.at(request.headers)
    running = os.uname().release
    default = build_checks.default_headers(running)
    if not os.path.isdir(default):
        raise KbuildError(build_checks.missing_default(running))
    return HeadersTree.at(default)


def _build(request: _Request) -> int:
    if shutil.which("make") is None:
        raise KbuildError("make is not installed (Debian, Ubuntu: apt install make)")
    tree = _tree(request)
    build_checks.check_headers(tree)
    dialect = _dialect(tree)
    targets = set(request.targets)
    output = _output(request, dialect, tree)
    build_checks.check_module_directory(request.module)
    if not targets or targets - _PASSIVE:
        build_checks.check_output(output)
        for note in build_checks.notes(tree, os.uname().release, request.variables):
            _say(f"note: {note}")
    if not targets - {"all", "modules"} and not request.variables.get("KBUILD_MODPOST_WARN"):
        build_checks.check_symbol_dump(tree)
    os.makedirs(output, exist_ok=True)
    _lock(output)
    if targets & _REMOVING:
        shutil.rmtree(output / LAUNCHERS, ignore_errors=True)
    if targets and targets <= _PASSIVE:
        return _become_make(request, tree, {})
    _bring_up_to_date(output, tree, dialect)
    launchers = _launchers(output, [name for name in PROGRAMS if name not in request.kept])
    variables = program_variables(dialect, launchers)
    if dialect.symtypes and any(target.endswith(".symtypes") for target in targets):
        request = _through_preprocessing(request)
        variables |= symtypes_variables(dialect, launchers.get("genksyms", "scripts/genksyms/genksyms"))
    return _become_make(request, tree, variables)


def _bring_up_to_date(output: Path, tree: HeadersTree, dialect: KbuildDialect) -> None:
    """Have kbuild do again what it would wrongly take for done."""
    runs_in = output if dialect.has_module_output else tree.directory
    for dump in forget_stale_run(output, runs_in):
        _say(f"note: {dump} has changed: the modules that use it get its new versions")
    if tree.has_modversions:
        for path in forget_unfinished(output):
            _say(f"note: {path}: a build was killed here before its versions were made")


def _output(request: _Request, dialect: KbuildDialect, tree: HeadersTree) -> Path:
    """The directory that built files go to; raises KbuildError if MO= asks for what this kernel's kbuild has not."""
    given = request.variables.get("MO")
    if not given:
        return request.module
    if not dialect.has_module_output:
        raise KbuildError(
            f"MO={given}: kbuild of {tree.release} builds modules beside their source; "
            "copy the source to build elsewhere (MO= is understood since 6.13)"
        )
    build_checks.check_path(Path(given).absolute(), "the directory for built files")
    return Path(os.path.abspath(given))


def _lock(directory: Path) -> None:
    """Hold the lock of a module's directory until this process, which becomes make, and all its children have ended.

    A call from within a build of the same directory has it already.
    """
    name = os.path.realpath(directory)
    held = os.environ.get(_LOCKED, "").split(os.pathsep)
    if name in held:
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say(f"{directory}: another build is under way here; waiting for its end")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return  # a file system without locks
    os.set_inheritable(descriptor, True)
    os.environ[_LOCKED] = os.pathsep.join([*held, name])


def _launchers(output: Path, programs: Sequence[str]) -> dict[str, str]:
    """Program -> path of its launcher in the output directory, written where it differs.

    A path of ours may have spaces, and may move; that of the modules has none, and make sees no change.
    """
    directory = output / LAUNCHERS
    directory.mkdir(exist_ok=True)
    _write_if_changed(directory / ".gitignore", "*\n", 0o644)
    for name in programs:
        _write_if_changed(directory / name, launcher_text(name), 0o755)
    return {name: str(directory / name) for name in programs}


def _write_if_changed(path: Path, text: str, mode: int) -> None:
    from genksyms_py.atomic_output import write_atomically

    data = os.fsencode(text)
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def _through_preprocessing(request: _Request) -> _Request:
    """``x.symtypes`` becomes ``x.i``, whose command makes the symtypes where kbuild has no such target."""
    if any(target.endswith(".i") for target in request.targets):
        raise KbuildError("this kernel's kbuild makes .symtypes and .i files one after the other: ask for one kind")
    words = [re.sub(r"^([^-=][^=]*)\.symtypes$", r"\1.i", word) for word in request.words]
    return request._replace(words=words)


def _become_make(request: _Request, tree: HeadersTree, variables: dict[str, str]) -> NoReturn:
    words = ["make", "-C", request.headers or str(tree.directory), f"M={request.module}"]
    for name in ("O", "MO"):
        if request.variables.get(name):  # relative to where the user is, not to the kernel's directory
            words.append(f"{name}={os.path.abspath(request.variables[name])}")
    own = [word for word in request.words if not word.startswith(("O=", "MO="))]
    words += [f"{name}={value}" for name, value in variables.items()]
    os.execvp("make", [*words, *own])
