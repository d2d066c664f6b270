# SPDX-License-Identifier: GPL-2.0-or-later
"""kbuild's fixdep: what a compiler says an object depends on -> the object's ``.cmd`` file.

Every object would depend on ``include/generated/autoconf.h``, and so be compiled again after any change of the
configuration.  fixdep takes that dependency away and puts in its place one on each option that the object's sources
mention: kbuild keeps an empty file per option below ``include/config``, and touches it when the option changes.

The compiler's file is a Makefile rule (gcc and clang ``-MD``; rustc has comments and several rules)::

    depfile   = { rule | comment }
    rule      = target ":" { word } newline         the first word is the source, the others are headers
    comment   = "#" ... newline                     from 6.3 on
    newline after a backslash: a space              before 6.3 every backslash and newline is a space

and the result is Makefile text too; ``OPTION`` is ``foo/bar.h`` before 5.13, ``FOO_BAR`` since::

    savedcmd_TARGET := COMMAND                      cmd_TARGET before 6.3

    source_TARGET := SOURCE

    deps_TARGET := \\
        $(wildcard include/config/OPTION) \\         those that SOURCE mentions, each option once in a file
      HEADER \\
        $(wildcard include/config/OPTION) \\

    TARGET: $(deps_TARGET)

    $(deps_TARGET):

Behaviour, messages and exit statuses are those of Debian's fixdep of 5.10, 6.1, 6.12 and 7.x; compared by
``tests/conformance/fixdep_files.py``.  It runs once an object, so nothing is imported here but ``os``.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would cost as much time as the work
if TYPE_CHECKING:
    from collections.abc import Iterator

    from modpost_py.kbuild.fixdep_dialects import Dialect

_PREFIX = b"CONFIG_"
_MODULE_SUFFIX = b"_MODULE"
# What a name may consist of; options are looked for in any text, not only in C
_NAME_BYTES = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_NAME_CHARACTERS = frozenset(_NAME_BYTES[place : place + 1] for place in range(len(_NAME_BYTES)))
_WILDCARD = b"    $(wildcard include/config/%s) \\\n"

_BLANKS = bytes.maketrans(b"\\\n", b"  ")
_BACKSLASH, _NEWLINE = b"\\\n"
_WORD_ENDS = b" \t\n#:"


class FixdepError(Exception):
    """What ends fixdep; the text is the line for stderr, as the C program writes it.

    ``exit_status`` is 1 for what is wrong in the depfile, 2 for a file that cannot be read.
    """

    def __init__(self, text: str, exit_status: int) -> None:
        super().__init__(text)
        self.exit_status = exit_status


def cmd_text(depfile: bytes, target: bytes, command: bytes, dialect: Dialect) -> Iterator[bytes]:
    """Yield the text of ``TARGET``'s .cmd file, piece by piece; ``depfile`` is a path.

    The files that the depfile names are read relative to the current directory.  Raises :class:`FixdepError`, after the
    pieces that the C program writes before it fails.
    """
    yield b"%s_%s := %s\n\n" % (dialect.variable, target, command)
    has_source = False
    option_lines = _OptionLines(dialect.lower_case)
    for is_source, name in dependencies(_contents(depfile), dialect):
        if not is_source:
            yield b"  %s \\\n" % name
        elif not has_source:
            has_source = True
            yield b"source_%s := %s\n\ndeps_%s := \\\n" % (target, name, target)
        if not name.endswith(dialect.unread):
            lines = option_lines.of_text(_contents(name))
            if lines:
                yield lines
    if not has_source:
        raise FixdepError("fixdep: parse error; no targets found", 1)
    yield b"\n%s: $(deps_%s)\n\n$(deps_%s):\n" % (target, target, target)


class _OptionLines:
    """The lines for the configuration options that texts mention; none twice."""

    def __init__(self, lower_case: bool) -> None:
        self._lower_case = lower_case
        self._seen: set[bytes] = set()

    def of_text(self, text: bytes) -> bytes:
        """The lines for what this text mentions and none before it did.

        ``CONFIG_`` may not follow a letter, digit or ``_``; the longest name behind it counts, less ``_MODULE``.
        """
        lines = []
        before, *parts = text.split(_PREFIX)
        for index, part in enumerate(parts):
            starts = before[-1:] not in _NAME_CHARACTERS if before else index == 0
            before = part
            if not starts:
                continue
            name = part[: len(part) - len(part.lstrip(_NAME_BYTES))]
            if len(name) == len(part):
                name = _longer_name(parts[index:])
            name = name.removesuffix(_MODULE_SUFFIX)
            if name and name not in self._seen:
                self._seen.add(name)
                lines.append(_WILDCARD % (_lower_case_path(name) if self._lower_case else name))
        return b"".join(lines)


def _lower_case_path(name: bytes) -> bytes:
    """``FOO_BAR`` -> ``foo/bar.h``; no empty parts, but for the last."""
    path = b"/".join(part for part in name.lower().split(b"_") if part)
    return path + (b"/.h" if path and name.endswith(b"_") else b".h")


def _longer_name(parts: list[bytes]) -> bytes:
    """The name that the first of these parts of a text begins, where ``CONFIG_`` between them belongs to it too."""
    text = _PREFIX.join(parts)
    return text[: len(text) - len(text.lstrip(_NAME_BYTES))]


def dependencies(text: bytes, dialect: Dialect) -> Iterator[tuple[bool, bytes]]:
    """Yield (whether it is a rule's source, name) for each dependency in a depfile's text that counts."""
    return _make_dependencies(text, dialect) if dialect.is_make_syntax else _word_dependencies(text, dialect)


def _word_dependencies(text: bytes, dialect: Dialect) -> Iterator[tuple[bool, bytes]]:
    """As before 6.3: words between spaces, backslashes and newlines; one that ends with a colon is a target."""
    follows_target = False
    for word in text.translate(_BLANKS).split(b" "):
        if not word:
            continue
        if word.endswith(b":"):
            follows_target = True
        elif not word.endswith(dialect.ignored):
            yield follows_target, word
            follows_target = False


def _make_dependencies(text: bytes, dialect: Dialect) -> Iterator[tuple[bool, bytes]]:
    """As since 6.3: make's syntax.  Only the first rule's source counts, and every other file once."""
    is_target, is_source, has_source = True, False, False
    seen = set()
    for written in _make_words(text):
        word = _unescaped(written) if b"\\" in written else written
        if written == b"\n":
            is_target = True
        elif written == b":":
            is_target, is_source = False, True
        elif is_target:
            pass
        elif is_source:
            is_source = False
            if not has_source:
                has_source = True
                yield True, word
        elif not word.endswith(dialect.ignored) and word not in seen:
            seen.add(word)
            yield False, word


def _make_words(text: bytes) -> Iterator[bytes]:
    """The names in a depfile, still with their escapes, and ``:`` and newline between them.

    An unescaped ``#`` begins a comment.  Nearly every depfile has neither comments nor escapes: those are cut quickly.
    """
    plain = text.replace(b"\\\n", b" ")
    if b"#" in plain or b"\\" in plain:
        yield from _escaped_words(text)
        return
    for line in plain.replace(b"\t", b" ").replace(b":", b" : ").split(b"\n"):
        for word in line.split(b" "):
            if word:
                yield word
        yield b"\n"


def _escaped_words(text: bytes) -> Iterator[bytes]:
    """As :func:`_make_words`, for any text."""
    place, end = 0, len(text)
    while place < end:
        byte = text[place : place + 1]
        if byte == b"#":
            place = _comment_end(text, place + 1)
        elif byte in b" \t":
            place += 1
        elif text.startswith(b"\\\n", place):
            place += 2
        elif byte in b"\n:":
            yield byte
            place += 1
        else:
            begin, place = place, _word_end(text, place)
            yield text[begin:place]


def _comment_end(text: bytes, place: int) -> int:
    """Where the comment ends: at the newline, unless that follows a backslash."""
    while place < len(text) and text[place] != _NEWLINE:
        place += 2 if text[place] == _BACKSLASH else 1
    return place


def _word_end(text: bytes, place: int) -> int:
    """Where the word ends: at a blank, ``#`` or ``:``, unless that follows a backslash; or at an escaped newline."""
    while place < len(text) and text[place] not in _WORD_ENDS:
        if text[place] == _BACKSLASH:
            if text.startswith(b"\\\n", place):
                break
            place += 1
        place += 1
    return min(place, len(text))


def _unescaped(word: bytes) -> bytes:
    r"""``\#`` and ``\:`` lose the backslash, others keep it."""
    result = bytearray()
    place = 0
    while place < len(word):
        if word[place] == _BACKSLASH:
            if word[place + 1 : place + 2] not in (b"#", b":"):
                result += word[place : place + 1]
            place += 1
        result += word[place : place + 1]
        place += 1
    return bytes(result)


def _contents(path: bytes) -> bytes:
    """A file's text up to its first NUL byte, as C sees it; raises :class:`FixdepError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        place = f"{os.fsdecode(path)}: " if path else ""  # as perror, which prints no colon for an empty name
        raise FixdepError(f"fixdep: error opening file: {place}{error.strerror}", 2) from None
    try:
        size = os.fstat(descriptor).st_size
        data = os.read(descriptor, size)
        if len(data) < size:
            raise FixdepError("fixdep: read: Success", 2)
    except OSError as error:
        raise FixdepError(f"fixdep: read: {error.strerror}", 2) from None
    finally:
        os.close(descriptor)
    return data[: data.index(0)] if 0 in data else data
