# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of ``genksyms-py``: those of each release's C tool, and our own.

Our own are taken out first, and only spelled in full: so the abbreviations that the C tool
understands, and what it says of ambiguous ones, stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from genksyms_py.dialects import Dialect
from genksyms_py.errors import GenksymsError
from genksyms_py.gnu_getopt import LongOption

_SHORT = {
    "2.4": "dDwqVhT:k:p:a:",
    "5.10": "s:dwqVDr:T:phR",
    "6.1": "s:dwqVDr:T:ph",
    "6.12": "dwqVDr:T:ph",
    "7.x": "dwqVDr:T:ph",
}
_LONG = (
    LongOption("debug", False, "d"),
    LongOption("warnings", False, "w"),
    LongOption("quiet", False, "q"),
    LongOption("dump", False, "D"),
    LongOption("reference", True, "r"),
    LongOption("dump-types", True, "T"),
    LongOption("preserve", False, "p"),
    LongOption("version", False, "V"),
    LongOption("help", False, "h"),
)
_LONG_5_10 = (*_LONG, LongOption("relative-crc", False, "R"))
# Options of the C tools whose argument may be the next word, which is then no option of ours.
_TAKE_NEXT_WORD = "rTsk"

_USAGE = """\
Usage:
genksyms [-adDTwqhVR] > /path/to/.tmp_obj.ver

{symbol_prefix}\
  -d, --debug           Increment the debug level (repeatable)
  -D, --dump            Dump expanded symbol defs (for debugging only)
  -r, --reference file  Read reference symbols from a file
  -T, --dump-types file Dump expanded types into file
  -p, --preserve        Preserve reference modversions or fail
  -w, --warnings        Enable warnings
  -q, --quiet           Disable warnings (default)
  -h, --help            Print this message
  -V, --version         Print the release version
{relative_crc}"""
_SYMBOL_PREFIX_LINE = "  -s, --symbol-prefix   Select symbol prefix\n"
_RELATIVE_CRC_LINE = "  -R, --relative-crc    Emit section relative symbol CRCs\n"

_OWN_USAGE = """
Beyond the C tool:
  --kernel VERSION      Kernel release to imitate: 2.4, 5.10, 6.1, 6.12, 7.x, 6.12.107+deb13-arm64...
                        (default: GENKSYMS_KERNEL, KERNELRELEASE, KERNELVERSION,
                        include/config/kernel.release, then the newest)
  --strict              Complain about exports without CRC and lost declarations; exit status 1
  --batch [FILES...]    Many preprocessed files; prints path<TAB>symbol<TAB>0xcrc
    --root DIR          Where relative paths begin
    --files-from LIST   Read paths from LIST, one a line (-: standard input)
    --symtypes-dir OUT  Write OUT/<path, .i replaced by .symtypes> for each file
    -j N                Use N processes
  -k VERSION, -p PREFIX With 2.4: the kernel's version; what stands before each CRC (smp_)
  --modversions-h FILES Print a 2.4 modversions.h that includes these .ver files

Examples:
  gcc -E -D__GENKSYMS__ ... file.c | genksyms-py --kernel 6.1
  gcc -E -D__GENKSYMS__ ... file.c | genksyms-py --kernel 6.1 -T file.symtypes --strict
  find . -name '*.i' | genksyms-py --kernel 6.1 --batch --files-from - -j 2 > crcs.tsv

Exit status: 0 done; 1 errors (counted with -w, -p or --strict), bad options or files;
2 standard input unreadable.
"""


@dataclass(slots=True)
class OwnOptions:
    """What the C tool does not have."""

    kernel: str | None = None
    strict: bool = False
    batch: bool = False
    modversions_header: bool = False
    help: bool = False
    root: str = "."
    files_from: str | None = None
    symtypes_directory: str | None = None
    jobs: int = 1
    files: list[str] = field(default_factory=list)


def short_options(dialect: Dialect) -> str:
    """The dialect's short options in getopt's notation."""
    return _SHORT[dialect.name]


def long_options(dialect: Dialect) -> Sequence[LongOption]:
    """The dialect's long options."""
    return _LONG_5_10 if dialect.has_relative_crc_option else _LONG


def usage(dialect: Dialect, *, with_own: bool = False) -> str:
    """The C tool's usage text; with ``with_own`` our own options and examples behind it."""
    text = _USAGE.format(
        symbol_prefix=_SYMBOL_PREFIX_LINE if dialect.symbol_prefix_option == "fails" else "",
        relative_crc=_RELATIVE_CRC_LINE if dialect.has_relative_crc_option else "",
    )
    return text + _OWN_USAGE if with_own else text


def own_options(arguments: Sequence[str]) -> tuple[OwnOptions, list[str]]:
    """Our own options, and the words that are left for the C tool's.

    ``-k VERSION`` of the 2.4 tool chooses the kernel like ``--kernel``.  Raises
    :class:`GenksymsError` for a word that does not fit a batch.
    """
    own = OwnOptions()
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word == "--strict":
            own.strict = True
        elif word == "--batch":
            own.batch = True
        elif word == "--modversions-h":
            own.modversions_header = True
        elif word.partition("=")[0] in _OWN_WITH_ARGUMENT:
            _take(own, word, words)
        else:
            rest.append(word)
            if word[:1] == "-" and word[:2] != "--" and word[-1] in _TAKE_NEXT_WORD:
                rest += [following for following in [next(words, None)] if following is not None]
            if word.startswith("-k"):
                own.kernel = own.kernel or word[2:] or rest[-1]
    if own.batch or own.modversions_header:
        _take_batch_words(own, rest)
        rest = []
    return own, rest


_OWN_WITH_ARGUMENT = {
    "--kernel": "kernel",
    "--root": "root",
    "--files-from": "files_from",
    "--symtypes-dir": "symtypes_directory",
}


def _take(own: OwnOptions, word: str, words: Iterator[str]) -> None:
    name, equals, argument = word.partition("=")
    if not equals:
        following = next(words, None)
        if following is None:
            raise GenksymsError(f"option '{name}' requires an argument")
        argument = following
    setattr(own, _OWN_WITH_ARGUMENT[name], argument)


def _take_batch_words(own: OwnOptions, rest: list[str]) -> None:
    words = iter(rest)
    for word in words:
        if word == "--":
            own.files += words
        elif word == "-j" or (word.startswith("-j") and word[2:].isdecimal()):
            own.jobs = _job_count(word[2:] or next(words, ""))
        elif word.startswith("--jobs="):
            own.jobs = _job_count(word[7:])
        elif word in ("-q", "--quiet"):
            continue
        elif word in ("-h", "--help"):
            own.help = True
        elif word.startswith("-") and word != "-":
            raise GenksymsError(f"option '{word}' does not go with --batch; see --help")
        else:
            own.files.append(word)


def _job_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise GenksymsError(f"-j takes a number of processes, not '{text}'")
    return int(text)
