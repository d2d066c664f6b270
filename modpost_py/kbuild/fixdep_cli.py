# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``fixdep-py``: kbuild's fixdep, with ``--kernel``."""

from __future__ import annotations

import os
import sys

from modpost_py.kbuild.fixdep import FixdepError, cmd_text
from modpost_py.kbuild.fixdep_dialects import dialect_of, dialect_of_build

TYPE_CHECKING = False  # importing typing would cost as much time as the work
if TYPE_CHECKING:
    from collections.abc import Sequence

    from modpost_py.kbuild.fixdep_dialects import Dialect

USAGE = "Usage: fixdep <depfile> <target> <cmdline>\n"
HELP = """\
usage: fixdep-py [--kernel RELEASE] DEPFILE TARGET COMMAND
Print the .cmd file of TARGET, which COMMAND made and whose dependencies the compiler wrote to DEPFILE.

  --kernel RELEASE  be the fixdep of this kernel: 5.10, 6.1, 6.12.107+deb13-amd64, 7.x
                    (default: FIXDEP_KERNEL, KERNELRELEASE, KERNELVERSION,
                    include/config/kernel.release, else the newest)
  --help, --version

Exit status: 0 done, 1 a wrong command line, a DEPFILE without a rule, or output that cannot be written,
2 a file that cannot be read.

example:
  gcc -MD -MF foo.d -c foo.c && fixdep-py foo.d foo.o 'gcc -c foo.c' > .foo.o.cmd
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 1 (wrong use, no rule, no output) or 2 (a file cannot be read)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--help"], ["--version"]):
        return _tell_about(words[0])
    release = None
    if words[:1] == ["--kernel"] and len(words) > 1:
        release = words[1]
        del words[:2]
    elif words and words[0].startswith("--kernel="):
        release = words.pop(0).partition("=")[2]
    try:
        dialect = dialect_of_build() if release is None else dialect_of(release)
    except ValueError as error:
        return _fail(f"fixdep: {error}\n")
    if len(words) != 3:
        return _fail(USAGE)
    try:
        depfile, target, command = (os.fsencode(word) for word in words)
        return _run(depfile, target, command, dialect)
    except KeyboardInterrupt:
        return 130


def _run(depfile: bytes, target: bytes, command: bytes, dialect: Dialect) -> int:
    _die_of_closed_pipes()
    output = _Output(dialect)
    try:
        for piece in cmd_text(depfile, target, command, dialect):
            output.write(piece)
    except FixdepError as error:
        _fail(f"{error}\n")
        output.flush()
        return error.exit_status
    except OSError as error:
        return _fail(f"fixdep: {error.strerror}\n")
    output.flush()
    if output.failed and dialect.checks_at_end:
        return _fail("fixdep: not all data was written to the output\n")
    return 0


class _Output:
    """Standard output with the buffer of a C program, so that what fails does so at the same time."""

    def __init__(self, dialect: Dialect) -> None:
        self.failed = False
        self._checks = dialect.checks_each_write
        self._pieces: list[bytes] = []
        self._size = 0
        try:
            self._room = os.fstat(1).st_blksize
        except OSError:
            self._room = 4096

    def write(self, piece: bytes) -> None:
        """Take a piece; raises :class:`OSError` where this kernel's program checks each output."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._room:
            error = self.flush()
            if error is not None and self._checks:
                raise error

    def flush(self) -> OSError | None:
        data = memoryview(b"".join(self._pieces))
        self._pieces.clear()
        self._size = 0
        try:
            while data:
                data = data[os.write(1, data) :]
        except OSError as error:
            self.failed = True
            return error
        return None


def _die_of_closed_pipes() -> None:
    """Let a closed pipe end the process as it ends C programs."""
    import _signal  # type: ignore[import-not-found]  # what signal is made of; that itself is long to load

    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)


def _fail(text: str) -> int:
    """Say it, as bytes, since file names need not be text; returns the status 1."""
    try:
        os.write(2, os.fsencode(text))
    except OSError:
        return 1  # nobody listens
    return 1


def _tell_about(option: str) -> int:
    from modpost_py import __version__

    os.write(1, (HELP if option == "--help" else f"fixdep-py {__version__}\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
