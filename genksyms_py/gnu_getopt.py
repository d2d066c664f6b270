# SPDX-License-Identifier: GPL-2.0-or-later
"""GNU ``getopt_long``: permutation, unambiguous abbreviations, bundling, and glibc's messages word for word.

Python's own ``getopt`` and ``argparse`` differ from it in messages and in what they accept, and a drop-in replacement
must not.  Options are produced one by one, so that the caller can act on each (open a file, stop at ``--help``) before
a later one turns out to be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class LongOption(NamedTuple):
    """``--name`` means the same as the short option ``short``, whose colon in the short list does not count here."""

    name: str
    takes_argument: bool
    short: str


class Option(NamedTuple):
    """An option that was found: its short letter, and its argument if it takes one."""

    letter: str
    argument: str | None = None


class OptionError(Exception):
    """An option that getopt does not accept; the text is glibc's message without the program's name.

    The caller prints it behind ``PROGRAM: `` and may go on with the iteration, as C programs can.
    """


class Options:
    """Iterate over the options of ``arguments`` (without the program's name).

    ``short`` is getopt's string of letters, each followed by ``:`` if it takes an argument.  ``positional`` is complete
    when the iteration is over.
    """

    def __init__(self, arguments: Sequence[str], short: str, long: Sequence[LongOption] = ()) -> None:
        self.positional: list[str] = []
        self._rest = list(arguments)
        self._bundle = ""
        self._long = long
        self._takes_argument: dict[str, bool] = {
            letter: short[index + 1 : index + 2] == ":" for index, letter in enumerate(short) if letter != ":"
        }

    def __iter__(self) -> Iterator[Option]:
        return self

    def __next__(self) -> Option:
        """The next option; raises :class:`OptionError` for one that is wrong, after which iteration can go on."""
        while not self._bundle:
            word = self._next_word()
            if word.startswith("--"):
                return self._long_option(word[2:])
            self._bundle = word[1:]
        return self._short_option()

    def _next_word(self) -> str:
        """Take the next word that is an option; operands before it are set aside (permutation)."""
        while self._rest:
            word = self._rest.pop(0)
            if word == "--":
                break
            if word.startswith("-") and word != "-":
                return word
            self.positional.append(word)
        self.positional += self._rest
        self._rest = []
        raise StopIteration

    def _short_option(self) -> Option:
        letter, self._bundle = self._bundle[0], self._bundle[1:]
        if letter not in self._takes_argument:
            raise OptionError(f"invalid option -- '{letter}'")
        if not self._takes_argument[letter]:
            return Option(letter)
        argument, self._bundle = self._bundle, ""
        if argument:
            return Option(letter, argument)
        if not self._rest:
            raise OptionError(f"option requires an argument -- '{letter}'")
        return Option(letter, self._rest.pop(0))

    def _long_option(self, text: str) -> Option:
        name, equals, argument = text.partition("=")
        option = self._named(name, text)
        if option.takes_argument:
            if equals:
                return Option(option.short, argument)
            if not self._rest:
                raise OptionError(f"option '--{option.name}' requires an argument")
            return Option(option.short, self._rest.pop(0))
        if equals:
            raise OptionError(f"option '--{option.name}' doesn't allow an argument")
        return Option(option.short)

    def _named(self, name: str, text: str) -> LongOption:
        """The long option ``name``, perhaps abbreviated; several that mean the same are no ambiguity."""
        for option in self._long:
            if option.name == name:
                return option
        candidates = [option for option in self._long if option.name.startswith(name)]
        if not candidates:
            raise OptionError(f"unrecognized option '--{text}'")
        if any(option[1:] != candidates[0][1:] for option in candidates):
            possibilities = " ".join(f"'--{option.name}'" for option in candidates)
            raise OptionError(f"option '--{text}' is ambiguous; possibilities: {possibilities}")
        return candidates[0]
