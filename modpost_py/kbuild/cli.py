# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``kbuild-py``: one subcommand a module, imported when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence

USAGE = """\
usage: kbuild-py COMMAND [OPTION]...
Build kernel modules outside the kernel tree with genksyms-py, modpost-py and fixdep-py.

commands:
  make      build external modules against a headers package, with our programs in place of the C ones
  shim      put launchers of our programs into a headers tree whose own programs do not run here
  restamp   give a built module the symbol versions of another kernel, without compiling it again

'kbuild-py COMMAND --help' tells more, with examples.
"""

#: Command -> the module whose ``main(arguments) -> int`` runs it.
_COMMANDS = {
    "make": "modpost_py.kbuild.make_command",
    "shim": "modpost_py.kbuild.shim_command",
    "restamp": "modpost_py.kbuild.restamp_command",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: that of the subcommand, or 2 for none or an unknown one."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        sys.stderr.write(USAGE)
        return 2
    command, *rest = words
    if command in ("--help", "-h", "help"):
        sys.stdout.write(USAGE)
        return 0
    if command == "--version":
        from modpost_py import __version__

        sys.stdout.write(f"kbuild-py {__version__}\n")
        return 0
    if command not in _COMMANDS:
        sys.stderr.write(f"kbuild-py: unknown command '{command}' (one of {', '.join(_COMMANDS)})\n")
        return 2
    run: Callable[[Sequence[str]], int] = importlib.import_module(_COMMANDS[command]).main
    return run(rest)


if __name__ == "__main__":
    sys.exit(main())
