# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells what the build of the miniature kernel came to: the exports and their CRCs, what each
module needs, and what becomes of the modules when one type of the kernel changes.

Exits with 1 if a CRC does not arrive in the modules as genksyms computed it.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from read_back import BuiltModule, Export, read_built, read_computed, read_symvers

import genksyms_py

MODULES = ("led_core", "led_usb", "led_pulse")
EXAMPLE = ("modules/led_core.i", "led_register")
SAME = "Each CRC in the .ko files and in vmlinux is the one that genksyms computed."
DIFFERENT = "The CRCs in the .ko files and in vmlinux are not those that genksyms computed."
_COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path, help="where the kernel was built")
    parser.add_argument("changed", type=Path, help="where the kernel with the changed type was built")
    parser.add_argument("--change", default="", help="what was changed, in words")
    options = parser.parse_args(arguments)

    exports = read_symvers(options.build / "Module.symvers")
    changed = read_symvers(options.changed / "Module.symvers")
    vmlinux = read_built(options.build / "vmlinux")
    modules = [read_built(options.build / "modules" / f"{name}.ko") for name in MODULES]

    show_exports(exports)
    show_example(options.build)
    show_modules(modules, exports)
    closed = is_loop_closed(read_computed(options.build), exports, (vmlinux, *modules))
    print(f"  {SAME}" if closed else red(f"  {DIFFERENT}"))
    show_change(options.change, exports, changed)
    show_loading(modules, changed)
    return 0 if closed else 1


def show_exports(exports: dict[str, Export]) -> None:
    """The table of all exported symbols."""
    heading("What the kernel and its modules export", "Module.symvers")
    rows = [(e.symbol, f"0x{e.crc:08x}", e.module, "GPL modules" if e.gpl_only else "all modules")
            for e in exports.values()]
    table(("symbol", "CRC", "exported by", "for"), rows)


def show_example(build: Path) -> None:
    """The text that one symbol's CRC is the checksum of."""
    file, name = EXAMPLE
    symbol = genksyms_py.symbol_versions((build / file).read_text(encoding="latin-1"), kernel="6.12")[name]
    heading(f"What a CRC says: {name}", "its declaration, every type spelt out where it is first met")
    print(textwrap.indent(textwrap.fill(symbol.expansion, 88, break_on_hyphens=False), "    "))
    print(f"\n  CRC-32 of this text: 0x{zlib.crc32(symbol.expansion.encode('latin-1')):08x}")


def show_modules(modules: Iterable[BuiltModule], exports: dict[str, Export]) -> None:
    """What each module needs and provides, as its ``.ko`` file says."""
    heading("What the modules need", "the sections __versions and .modinfo of the .ko files")
    for module in modules:
        depends = ", ".join(filter(None, module.info["depends"])) or "no other module"
        print(f"  {bold(module.name + '.ko')}  depends on {depends}")
        for alias in module.info.get("alias", ()):
            print(f"    loads by itself for {alias}")
        rows = [(symbol, f"0x{crc:08x}", exports[symbol].module) for symbol, crc in module.versions.items()]
        table(("needs", "with CRC", "from"), rows, indent=4)
        print()


def is_loop_closed(computed: dict[str, int], exports: dict[str, Export], built: Sequence[BuiltModule]) -> bool:
    """Whether the files provide and require exactly the CRCs that genksyms computed."""
    listed = {export.symbol: export.crc for export in exports.values()}
    provided = {symbol: crc for file in built for symbol, crc in file.exports.items()}
    required = {(symbol, crc) for file in built for symbol, crc in file.versions.items()}
    return computed == listed == provided and required <= computed.items()


def show_change(change: str, before: dict[str, Export], after: dict[str, Export]) -> None:
    """Which CRCs are others in the changed kernel."""
    heading("Change one member of one type", change)
    rows = []
    for symbol, export in before.items():
        new = after[symbol].crc
        rows.append((symbol, f"0x{export.crc:08x}", "the same" if new == export.crc else f"0x{new:08x}"))
    table(("symbol", "CRC before", "CRC after"), rows)


def show_loading(modules: Iterable[BuiltModule], kernel: dict[str, Export]) -> None:
    """What the changed kernel says to the modules that were built before the change."""
    heading("Load the old modules into the new kernel", "the loader compares each CRC")
    for module in modules:
        wrong = first_disagreement(module, kernel)
        if wrong is None:
            print(f"  {module.name}: {green('loads')} (nothing that it uses has changed)")
        else:
            print(f"  {module.name}: {red(f'disagrees about version of symbol {wrong}')}")


def first_disagreement(module: BuiltModule, kernel: dict[str, Export]) -> str | None:
    """The symbol that the kernel's loader would name: module_layout first, then in the module's order."""
    order = sorted(module.versions, key=lambda symbol: symbol != "module_layout")
    return next((symbol for symbol in order if kernel[symbol].crc != module.versions[symbol]), None)


def heading(title: str, source: str) -> None:
    """A title, and where its facts come from."""
    print(f"\n{bold(title)}\n  {source}\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], indent: int = 2) -> None:
    """Left-aligned columns, as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        print(" " * indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def bold(text: str) -> str:
    """``text``, bold on a terminal."""
    return f"\033[1m{text}\033[0m" if _COLOUR else text


def red(text: str) -> str:
    """``text``, red on a terminal."""
    return f"\033[31m{text}\033[0m" if _COLOUR else text


def green(text: str) -> str:
    """``text``, green on a terminal."""
    return f"\033[32m{text}\033[0m" if _COLOUR else text


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        os._exit(1)
