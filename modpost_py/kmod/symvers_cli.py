# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``symvers-py``: a Module.symvers where none was shipped; how a stability list fits a kernel."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from modpost_py.errors import ModpostError
from modpost_py.kmod.standard_streams import complain, failed_output, print_text, terminal_progress

DESCRIPTION = "Work with what kernels export: Module.symvers from images, stability lists."
_FROM_IMAGE = """\
Put together a Module.symvers from what a kernel ships: vmlinux or vmlinuz (arm64's flat Image too),
or a System.map, and modules (.ko files or a directory of them).

An image tells everything about vmlinux's exports, modules about their own.  A System.map tells names
and kinds.  Modules alone tell the CRCs of what they import.  A symbol of which a field stays unknown is
left out, since modpost knows no word for it; --keep-unknown writes it with CRC 0, EXPORT_SYMBOL and
without name space, and the list that --report writes tells which fields those are.
"""
_FROM_IMAGE_EPILOG = """\
examples:
  symvers-py from-image /boot/vmlinuz-6.1.0-37-amd64 /lib/modules/6.1.0-37-amd64 -o Module.symvers
  symvers-py from-image System.map /lib/modules/5.4.0 --report unknown.tsv -o Module.symvers
  symvers-py from-image /vendor/lib/modules --keep-unknown -o Module.symvers

exit status: 0 everything is known, 1 something is not, 2 an error
"""
_STABILITY = """\
Show what the rules of a stability list do for a kernel's exports, and which of them do nothing.
"""
_STABILITY_EPILOG = """\
example:
  symvers-py stability kernel.stability --against /usr/src/linux-headers-6.1.0-37-amd64

exit status: 0 every rule decides something, 1 some does not, 2 an error
"""
EPILOG = """\
examples:
  symvers-py from-image /boot/vmlinuz-6.1.0-37-amd64 /lib/modules/6.1.0-37-amd64 -o Module.symvers
  symvers-py stability kernel.stability --against Module.symvers

'symvers-py COMMAND --help' tells more.  Exit status: 0 fine, 1 something is missing, 2 an error.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    found = argparse.ArgumentParser(prog="symvers-py", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    from modpost_py import __version__

    found.add_argument("--version", action="version", version=f"symvers-py {__version__}")
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    image = commands.add_parser(
        "from-image", help="make a Module.symvers from an image and modules", description=_FROM_IMAGE,
        epilog=_FROM_IMAGE_EPILOG, formatter_class=raw,
    )  # fmt: skip
    image.add_argument("paths", nargs="+", metavar="PATH", help="vmlinux, vmlinuz, System.map, .ko, directory")
    image.add_argument("-o", "--output", metavar="FILE", help="where to write; stdout without")
    image.add_argument("--keep-unknown", action="store_true", help="write symbols of which something is unknown too")
    image.add_argument("--report", metavar="FILE", help="list what is unknown: symbol, module, fields, whether written")
    rules = commands.add_parser(
        "stability", help="check a stability list against a kernel", description=_STABILITY,
        epilog=_STABILITY_EPILOG, formatter_class=raw,
    )  # fmt: skip
    rules.add_argument("rules", metavar="RULES", help="a stability list (docs/stability.md)")
    rules.add_argument("--against", nargs="+", required=True, metavar="KERNEL", help="as for modcheck-py")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = parser().parse_args(arguments)
    run = {"from-image": _from_image, "stability": _stability}[options.command]
    try:
        return run(options)
    except ModpostError as error:
        _complain(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return failed_output("symvers-py", error)


def _from_image(options: argparse.Namespace) -> int:
    from modpost_py.kmod.symvers_from_image_dump import Line, dump_from, dump_lines, sources_in

    dump = dump_from(sources_in(options.paths), terminal_progress())
    for error in dump.errors:
        _complain(str(error))
    if dump.conflicts:
        symbol, image, module = dump.conflicts[0]
        _complain(
            f"{len(dump.conflicts)} symbols have another CRC in the image than modules want, such as {symbol} "
            f"(0x{image:08x}, not 0x{module:08x}): are these the modules of this kernel?"
        )
    lines = list(dump_lines(dump))
    unknown = [line for line in lines if line.unknown]

    def is_written(line: Line) -> bool:
        return not line.unknown or bool(options.keep_unknown)

    _write(options.output, "".join(line.text for line in lines if is_written(line)))
    if options.report:
        word = "written" if options.keep_unknown else "left out"
        rows = [f"{line.offer.symbol}\t{line.offer.module}\t{','.join(line.unknown)}\t{word}\n" for line in unknown]
        _write(options.report, "".join(rows))
    if unknown:
        fields = Counter(name for line in unknown for name in line.unknown)
        what = "written all the same" if options.keep_unknown else "left out (--keep-unknown writes them)"
        hint = "" if options.report else "; --report FILE lists them"
        names = ", ".join(f"{name} of {number}" for name, number in fields.most_common())
        _complain(f"of {len(lines)} symbols {len(unknown)} are not wholly known ({names}) and {what}{hint}")
    if dump.errors:
        return 2
    return 1 if unknown else 0


def _stability(options: argparse.Namespace) -> int:
    from modpost_py.kmod.kernel_facts import KernelFacts
    from modpost_py.kmod.stability import StabilityList, uses_of_rules

    stability = StabilityList.read(options.rules)
    kernel = KernelFacts.read(options.against, terminal_progress())
    uses = uses_of_rules(stability, kernel.offers.values())
    decided = 0
    text = []
    for use in uses:
        decided += use.deciding
        text.append(f"{use.rule.place}: {use.rule.text}: decides for {use.deciding} symbols\n")
        if use.fault:
            text.append(f"{use.rule.place}: warning: {use.fault}\n")
    text.append(f"{len(kernel.offers) - decided} of {len(kernel.offers)} symbols are in no rule\n")
    print_text("".join(text))
    return 1 if any(use.fault for use in uses) else 0


def _write(path: str | None, text: str) -> None:
    if path is None or path == "-":
        print_text(text)
        return
    from genksyms_py.atomic_output import write_atomically

    write_atomically(path, text.encode("utf-8", "surrogateescape"))


def _complain(text: str) -> None:
    complain("symvers-py", text)


if __name__ == "__main__":
    sys.exit(main())
