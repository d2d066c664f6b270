# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``kbuild-py shim``: what it does to a headers tree, said line by line."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from modpost_py.errors import ModpostError
from modpost_py.kbuild.elf_programs import machine_name
from modpost_py.kbuild.headers_tree import HeadersTree
from modpost_py.kbuild.host_programs import foreign_programs
from modpost_py.kbuild.launchers import launcher_text
from modpost_py.kbuild.overlay import default_overlay, make_overlay, overlaid_tree, remove_overlay
from modpost_py.kbuild.shim import Place, State, install, is_writable, places, restore, state_of
from modpost_py.kbuild.shim_checks import check_launcher

_EPILOG = """\
Exit status: 0 done; 1 a launcher fails the check, or a program that a module build needs does not run here;
2 an error.

examples:
  kbuild-py shim --headers /usr/src/linux-headers-6.1.0-37-arm64
  kbuild-py shim --headers /usr/src/linux-headers-6.1.0-37-arm64 --undo
  kbuild-py shim --headers ./linux-headers --overlay ./headers-with-launchers
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 1 (see the help) or 2 after an error."""
    parsed = _parser().parse_args(arguments)
    # Told at the end, so that a reader who is gone does not stop the work halfway
    with contextlib.redirect_stdout(io.StringIO()) as told:
        try:
            status, message = (_undo if parsed.undo else _shim)(parsed), ""
        except ModpostError as error:
            status, message = 2, str(error)
        except KeyboardInterrupt:
            status, message = 130, "interrupted; the same command completes it, --undo takes it back"
    return _tell(status, told.getvalue(), message)


def _tell(status: int, text: str, message: str) -> int:
    """Print what was done, and after that what went wrong; returns the status, or 2 where the output is lost."""
    try:
        if sys.stdout is not None:
            _print_bytes(text)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python's own flush at the end fails once more
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status, message = 2, message or f"standard output: {error.strerror}"
    if message and sys.stderr is not None:
        print(f"kbuild-py shim: {message}", file=sys.stderr)
    return status


def _print_bytes(text: str) -> None:
    """Print paths as the bytes that they are, whatever the locale."""
    sys.stdout.flush()
    if hasattr(sys.stdout, "buffer"):
        sys.stdout.buffer.write(os.fsencode(text))
    else:
        sys.stdout.write(text)
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kbuild-py shim",
        description="Put launchers of fixdep-py, genksyms-py and modpost-py into a headers tree whose own programs do "
        "not run here. The originals stay beside them; a tree that may not be changed gets an overlay directory.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--headers", required=True, metavar="DIR", help="the headers (what make -C is told)")
    parser.add_argument("--undo", action="store_true", help="put the originals back, or remove the overlay")
    parser.add_argument("--overlay", metavar="DIR", help="leave the headers alone, make an overlay directory there")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    return parser


def _shim(parsed: argparse.Namespace) -> int:
    tree = _tree(parsed.headers)
    print(f"{tree.directory}: headers of {tree.release}{f' ({tree.architecture})' if tree.architecture else ''}")
    wanted = _wanted_places(tree)
    overlay = _overlay_for(tree, wanted, parsed.overlay)
    if overlay is None:
        _tell_shared(tree)
        launchers = _replace(tree, wanted, parsed.dry_run)
    else:
        launchers = _overlay(tree, wanted, overlay, parsed.dry_run)
    foreign_stays = _tell_foreign(tree)
    if parsed.dry_run:
        return 1 if foreign_stays else 0
    passed = _self_check(tree, launchers)
    directory = tree.directory if overlay is None else overlay
    if set(str(directory)) & set(" :"):
        print("  kbuild itself cannot work in a path with spaces or colons; move the headers, or try --overlay DIR")
    if passed:
        print(f"build with: make -C {shlex.quote(str(directory))} M=$PWD{_cross_variables(tree)}")
    return 0 if passed and not foreign_stays else 1


def _tree(path: str) -> HeadersTree:
    original = overlaid_tree(Path(path))
    return HeadersTree.at(path if original is None else original)


def _wanted_places(tree: HeadersTree) -> list[Place]:
    """The places where there is a program to replace; raises KbuildError for a tree without."""
    found = [place for place in places(tree) if state_of(place) != State.ABSENT]
    programs = [place.program for place in found]
    for program in ("fixdep", "modpost"):
        if program not in programs:
            tree.program(next(place.path for place in places(tree) if place.program == program))  # raises, with reasons
    if "genksyms" not in programs:
        print("  it has no scripts/genksyms/genksyms: no launcher for that")
    return found


def _overlay_for(tree: HeadersTree, wanted: Sequence[Place], requested: str | None) -> Path | None:
    """Where the overlay goes; ``None`` for a tree that may be changed."""
    if requested is not None:
        return Path(os.path.abspath(requested))
    fixed = [place for place in wanted if not is_writable(place)]
    if not fixed:
        return None
    print(f"  {fixed[0].file.parent} may not be changed: an overlay directory takes the launchers")
    return default_overlay(tree)


def _tell_shared(tree: HeadersTree) -> None:
    scripts = tree.directory / "scripts"
    if scripts.is_symlink():
        print(f"  its scripts/ is a link to {scripts.resolve()}, which other headers packages may use too")


_DONE = {
    State.ORIGINAL: "replaced",
    State.SHIMMED: "already replaced",
    State.INTERRUPTED: "completed",
    State.REINSTALLED: "replaced",
    State.ORIGINAL_LOST: "made anew",
}


def _replace(tree: HeadersTree, wanted: Sequence[Place], dry_run: bool) -> list[tuple[str, Path]]:
    for place in wanted:
        state = state_of(place)
        original = place.file if state in (State.ORIGINAL, State.REINSTALLED) else place.kept
        kind = machine_name(original) or "no ELF file"
        if not dry_run:
            install(place, launcher_text(place.program, tree.release))
        action = f"would be {_DONE[state]}" if dry_run and state != State.SHIMMED else _DONE[state]
        kept = "its original is lost" if state == State.ORIGINAL_LOST else f"original ({kind}): {place.kept.name}"
        print(f"  {action}: {place.path}, {kept}")
    return [(place.program, tree.directory / place.path) for place in wanted]


def _overlay(tree: HeadersTree, wanted: Sequence[Place], target: Path, dry_run: bool) -> list[tuple[str, Path]]:
    launchers = {place.path: launcher_text(place.program, tree.release) for place in wanted}
    if not dry_run:
        make_overlay(tree, target, launchers)
    print(f"  overlay{' would be' if dry_run else ''} made: {target}")
    for path in launchers:
        print(f"    {path}: launcher")
    return [(place.program, target / place.path) for place in wanted]


def _tell_foreign(tree: HeadersTree) -> bool:
    """Say which other programs do not run here; returns whether one of them is needed."""
    replaced = {place.path for place in places(tree)}
    foreign = [program for program in foreign_programs(tree) if program.path not in replaced]
    needed = [program for program in foreign if program.is_needed]
    others = [program for program in foreign if not program.is_needed]
    for program in needed:
        print(f"  NEEDED and foreign: {program.path}: {program.reason}; {program.program.use}")
        if program.program.remedy:
            print(f"    {program.program.remedy}")
    if others:
        print("  foreign, but not needed to build a module:")
    for program in others:
        print(f"    {program.path}: {program.reason}; {program.program.use}")
    if not foreign:
        print("  no other program of this tree is foreign")
    return bool(needed)


def _self_check(tree: HeadersTree, launchers: Sequence[tuple[str, Path]]) -> bool:
    passed = True
    for program, launcher in launchers:
        check = check_launcher(program, launcher, tree.release)
        print(f"  check {program}: {check.work}: {'ok' if check.fault is None else f'FAILED: {check.fault}'}")
        passed = passed and check.fault is None
    return passed


#: kbuild's name of an architecture -> the usual prefix of its compiler, for the line that tells how to build
_CROSS_PREFIXES = {
    "arm64": "aarch64-linux-gnu-",
    "arm": "arm-linux-gnueabihf-",
    "riscv": "riscv64-linux-gnu-",
    "s390": "s390x-linux-gnu-",
    "powerpc": "powerpc64le-linux-gnu-",
    "x86": "x86_64-linux-gnu-",
}


def _cross_variables(tree: HeadersTree) -> str:
    prefix = _CROSS_PREFIXES.get(tree.architecture or "")
    if prefix is None or prefix.split("-")[0] in (os.uname().machine, f"{os.uname().machine}le"):
        return ""
    return f" ARCH={tree.architecture} CROSS_COMPILE={prefix}"


def _undo(parsed: argparse.Namespace) -> int:
    overlay = Path(parsed.overlay or parsed.headers)
    if parsed.overlay is not None or overlaid_tree(overlay) is not None:
        return _undo_overlay(overlay, parsed.dry_run)
    tree = HeadersTree.at(parsed.headers)
    undone = False
    for place in places(tree):
        if not place.file.parent.is_dir():
            continue
        state = state_of(place)
        if state in (State.SHIMMED, State.INTERRUPTED) and parsed.dry_run:
            print(f"would be restored: {place.path}")
        elif restore(place):
            print(f"restored: {place.path}")
        elif state == State.REINSTALLED:
            print(f"left alone: {place.path}, installed anew since; {place.kept.name} is the earlier one")
        else:
            continue
        undone = True
    if not undone and overlaid_tree(default_overlay(tree)) == tree.directory:
        return _undo_overlay(default_overlay(tree), parsed.dry_run)
    if not undone:
        print(f"{tree.directory}: nothing to undo")
    return 0


def _undo_overlay(overlay: Path, dry_run: bool) -> int:
    if not dry_run:
        remove_overlay(overlay)
    print(f"overlay{' would be' if dry_run else ''} removed: {overlay}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
