# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``modcheck-py``: would this kernel load these modules, and if not, why not."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from modpost_py.errors import ModpostError
from modpost_py.kmod.standard_streams import complain, failed_output, print_text, terminal_progress

USAGE = "modcheck-py MODULE... (--against KERNEL... | --closest DIR...) [OPTION]..."
DESCRIPTION = """\
Tell whether a kernel would load modules, and if not, every reason at once, as the kernel would judge.

KERNEL is what tells about it: a headers directory, a modules directory (/lib/modules/RELEASE), a
Module.symvers, a vmlinux or vmlinuz, a System.map, a config-RELEASE.  Several tell more than one; what
two of them know, the first decides.  What nothing tells is said to be not known, and never guessed.
"""
EPILOG = """\
examples:
  modcheck-py foo.ko --against /lib/modules/$(uname -r)
  modcheck-py foo.ko --against /usr/src/linux-headers-6.1.0-37-amd64 --sig-enforce
  modcheck-py led_core.ko led_usb.ko --against /lib/modules/6.1.0-37-amd64 /boot/vmlinuz-6.1.0-37-amd64
  modcheck-py foo.ko --closest /lib/modules /srv/symvers

exit status:
  0  every module would be loaded
  1  some module would be refused; with --closest: some module by every kernel
  2  an error: a file that cannot be read, a wrong command line
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="modcheck-py",
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = found.add_argument
    add("modules", nargs="+", metavar="MODULE", help="a module: .ko, .ko.gz, .ko.xz or .ko.zst")
    add("--against", nargs="+", metavar="KERNEL", action="extend", help="what tells about the kernel")
    add("--closest", nargs="+", metavar="DIR", action="extend", help="rank these kernels, or those in the directories")
    add("--kernel-command-line", default="", metavar="TEXT", help="what the kernel is booted with")
    add("--sig-enforce", action="store_true", help="as if booted with module.sig_enforce=1")
    add("--insmod", action="store_true", help="load in the order given and nothing else; else as modprobe does")
    add("--stability", metavar="RULES", help="warn of symbols that this list calls experimental")
    add("-C", "--config", metavar="DIR", help="modprobe.d: note what is blacklisted there")
    add("--all", action="store_true", help="show all reasons of a kind, not the first few")
    add("--json", action="store_true", help="one JSON document on stdout")
    from modpost_py import __version__

    add("--version", action="version", version=f"modcheck-py {__version__}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    command_line = parser()
    options = command_line.parse_args(arguments)
    if bool(options.against) == bool(options.closest):
        command_line.error("give either --against KERNEL or --closest DIR")
    try:
        return _closest(options) if options.closest else _against(options)
    except ModpostError as error:
        _complain(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return failed_output("modcheck-py", error)


def _against(options: argparse.Namespace) -> int:
    from modpost_py.kmod.kernel_facts import KernelFacts
    from modpost_py.kmod.modcheck import Judge, Verdict, judge_together
    from modpost_py.kmod.modcheck_report import document, verdict_text
    from modpost_py.kmod.stability import StabilityList, reliance_on

    try:
        stability = StabilityList.read(options.stability) if options.stability else None
        blacklist = _blacklist(options.config)
        kernel = KernelFacts.read(options.against, terminal_progress())
    except ModpostError as error:
        _complain(str(error))
        return 2
    verdicts, errors = [], []
    for verdict in judge_together(options.modules, Judge(kernel, _circumstances(options))):
        if isinstance(verdict, Verdict):
            _note_blacklisting(verdict, blacklist)
            verdicts.append((verdict, reliance_on(stability, verdict.used) if stability is not None else None))
        else:
            errors.append(verdict)
    for failure in errors:
        _complain(str(failure))
    if options.json:
        _print_json(document(kernel, verdicts, errors))
    else:
        for verdict, reliance in verdicts:
            print_text(verdict_text(verdict, reliance, options.all))
    if errors:
        return 2
    return 0 if all(verdict.loads for verdict, _ in verdicts) else 1


def _closest(options: argparse.Namespace) -> int:
    from modpost_py.kmod.modcheck_closest import fits, fits_document, fits_text, places_in

    errors: list[ModpostError] = []

    def report(error: ModpostError) -> None:
        errors.append(error)
        _complain(str(error))

    places = [place for directory in options.closest for place in places_in(directory)]
    found = fits(options.modules, places, _circumstances(options), report)
    if options.json:
        _print_json(fits_document(found, errors))
    else:
        for path, kernels in found.items():
            print_text(fits_text(path, kernels))
    if errors:
        return 2
    return 0 if all(kernels and kernels[0].verdict.loads for kernels in found.values()) else 1


def _circumstances(options: argparse.Namespace) -> Any:
    from modpost_py.kmod.load_rules_findings import Circumstances

    return Circumstances(
        options.kernel_command_line, options.sig_enforce, options.insmod, "insmod" if options.insmod else "modprobe"
    )


def _blacklist(directory: str | None) -> frozenset[str]:
    """The names that modprobe.d blacklists."""
    if directory is None:
        return frozenset()
    from modpost_py.kmod.configuration import Configuration

    return frozenset(Configuration.read([directory]).blacklist)


def _note_blacklisting(verdict: Any, blacklist: frozenset[str]) -> None:
    from modpost_py.kmod.load_rules_findings import Remark

    if verdict.name in blacklist:
        text = "modprobe.d blacklists it: it is loaded when asked for by its name, but not by an alias (a device)"
        verdict.remarks.append(Remark("modprobe-blacklist", text))


def _print_json(value: dict[str, Any]) -> None:
    print_text(json.dumps(value, indent=2, ensure_ascii=True) + "\n")


def _complain(text: str) -> None:
    complain("modcheck-py", text)


if __name__ == "__main__":
    sys.exit(main())
