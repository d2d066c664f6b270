# SPDX-License-Identifier: GPL-2.0-or-later
"""``kbuild-py restamp``: give built modules the symbol versions of another kernel."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from modpost_py.errors import FileError, ModpostError
from modpost_py.kbuild.errors import KbuildError

if TYPE_CHECKING:
    from modpost_py.kbuild.layout_comparison import LayoutVerdict
    from modpost_py.kbuild.restamp import Restamping

_DESCRIPTION = """\
Give a built module the symbol versions of another kernel, without compiling it again.

The code stays as it is, compiled for the old kernel's types. So a CRC is changed only where --accept vouches for the
symbol, or where the symtypes files of both kernels prove that its layout is the same. If anything else differs, all
that does is listed, and nothing is written. FILE is replaced, as strip does, unless -o is given.
"""
_EPILOG = """\
examples:
  kbuild-py restamp foo.ko --symvers $KDIR/Module.symvers --dry-run
  kbuild-py restamp foo.ko --symvers $KDIR/Module.symvers --accept module_layout --accept 'snd_*' -o new/foo.ko
  kbuild-py restamp foo.ko --symvers $KDIR/Module.symvers --symtypes-old old/ --symtypes-new new/
  kbuild-py restamp foo.ko --symvers $KDIR/Module.symvers --accept '*' --depends --vermagic-of $KDIR

exit status: 0 done, or nothing to do; 1 refused; 2 an argument or a file is no good; 130 after ^C
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.output and len(options.files) > 1:
        parser.error("-o is for one FILE")
    if bool(options.symtypes_old) != bool(options.symtypes_new):
        parser.error("--symtypes-old and --symtypes-new belong together")
    for stream in (sys.stdout, sys.stderr):
        # Names in a module need not be UTF-8: they come out as the bytes that they are
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    try:
        return _run(options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except ModpostError as error:
        sys.stderr.write(f"kbuild-py: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kbuild-py restamp",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("files", metavar="FILE", nargs="+", help="a module (.ko), not compressed; of several, all are done or none")
    add("--symvers", metavar="DUMP", action="append", required=True,
        help="the new kernel's Module.symvers; again for other modules' dumps")  # fmt: skip
    add("-o", "--output", metavar="OUT", help="write here, leave FILE alone")
    add("--accept", metavar="SYMBOL", action="append", default=[],
        help="vouch for a symbol, or all that match a pattern (* ? [...])")  # fmt: skip
    add("--symtypes-old", metavar="PATH", help="symtypes of the kernel that FILE was built for: a file or a directory")
    add("--symtypes-new", metavar="PATH", help="symtypes of the new kernel")
    add("--depends", action="store_true", help="work out the depends= of .modinfo anew")
    magic = parser.add_mutually_exclusive_group()
    magic.add_argument("--vermagic", metavar="TEXT", help="set the vermagic= of .modinfo")
    magic.add_argument("--vermagic-of", metavar="PATH", help="take it from a module, a headers directory or a kernel")
    add("--drop-signature", action="store_true", help="remove the signature, which a change makes invalid")
    add("--dry-run", action="store_true", help="tell what would be done, write nothing")
    return parser


def _run(options: argparse.Namespace) -> int:
    from modpost_py.kbuild.restamp import Stamp, read_exports, read_module, restamp

    stamp = Stamp(
        read_exports(options.symvers),
        options.accept,
        _comparison(options.symtypes_old, options.symtypes_new) if options.symtypes_old else None,
        options.depends,
        _vermagic_of(options.vermagic_of) if options.vermagic_of else options.vermagic,
        options.drop_signature,
    )
    done = [restamp(read_module(path), stamp) for path in options.files]
    for restamping in done:
        _report(restamping)
    if any(restamping.refusals for restamping in done):
        sys.stdout.flush()
        sys.stderr.write(f"kbuild-py: refused, nothing was written{_hint(done)}\n")
        return 1
    if not options.dry_run:
        for restamping in done:
            _write(restamping, options.output)
    return 0


def _comparison(old: str, new: str) -> Callable[[str], LayoutVerdict]:
    from modpost_py.kbuild.layout_comparison import compare_layouts
    from modpost_py.kbuild.layout_symtypes import SymtypesSet

    _progress(f"reading {old}")
    old_set = SymtypesSet.read(old)
    _progress(f"reading {new}")
    new_set = SymtypesSet.read(new)
    _progress("")
    known: dict[str, LayoutVerdict] = {}

    def compare(symbol: str) -> LayoutVerdict:
        if symbol not in known:
            _progress(f"comparing {symbol}")
            known[symbol] = compare_layouts(old_set, new_set, symbol)
            _progress("")
        return known[symbol]

    return compare


def _progress(text: str) -> None:
    """Show what is being done, in place of what was before, to who watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def _vermagic_of(path: str) -> str:
    """The vermagic of a module, or of the kernel that a headers directory, an image... tells of."""
    if os.path.isfile(path) and ".ko" in os.path.basename(path):
        from modpost_py.kmod.module_file import ModuleFile

        vermagic = ModuleFile.read(path).value("vermagic")
    else:
        from modpost_py.kmod.kernel_facts import KernelFacts

        vermagic = KernelFacts.read([path]).vermagic
    if vermagic is None:
        raise KbuildError(f"{path}: it does not tell its vermagic; give it with --vermagic TEXT")
    return vermagic


def _report(restamping: Restamping) -> None:
    """What changes, on stdout; what is refused, on stderr."""
    path = restamping.path
    allowed = [change for change in restamping.changes if change.allowed is not None]
    width = max((len(change.symbol) for change in allowed), default=0)
    for change in allowed:
        print(f"{path}: {change.symbol:{width}}  0x{change.old:08x} -> 0x{change.new:08x}  {change.allowed}")
    for tag, old, new in restamping.modinfo:
        print(f"{path}: {tag} '{old}' -> '{new}'")
    for note in restamping.notes:
        print(f"{path}: note: {note}")
    if not restamping.refusals:
        count, total = len(restamping.changes), restamping.total
        print(f"{path}: {count} of {total} versions changed" if count else f"{path}: all {total} versions are right")
    sys.stdout.flush()
    for refusal in restamping.refusals:
        sys.stderr.write(f"{path}: {refusal}\n")


def _hint(done: Iterable[Restamping]) -> str:
    unproven = any(change.allowed is None for restamping in done for change in restamping.changes)
    return "; --accept SYMBOL vouches for a symbol, --symtypes-old and --symtypes-new prove it" if unproven else ""


def _write(restamping: Restamping, output: str | None) -> None:
    from genksyms_py.atomic_output import write_atomically

    path = output or restamping.path
    if not output and not restamping.is_changed:
        return
    try:
        write_atomically(path, restamping.data)
    except OSError as error:
        raise FileError(path, error.errno or 5) from None
