# SPDX-License-Identifier: GPL-2.0-or-later
"""GNU getopt_long."""

from __future__ import annotations

import pytest

from genksyms_py.gnu_getopt import LongOption, Option, OptionError, Options

LONG = [
    LongOption("debug", False, "d"),
    LongOption("dump", False, "D"),
    LongOption("dump-types", True, "T"),
    LongOption("warnings", False, "w"),
    LongOption("quiet", False, "q"),
    LongOption("quietly", False, "q"),
]

# words -> what is found, in order; letters with = have an argument, the last item is the operands
ACCEPTED = {
    "": ["|"],
    "-w": ["w", "|"],
    "-wDq": ["w", "D", "q", "|"],
    "-Tf": ["T=f", "|"],
    "-T f": ["T=f", "|"],
    "-wTf -q": ["w", "T=f", "q", "|"],
    "-T -w": ["T=-w", "|"],
    "-T -- -w": ["T=--", "w", "|"],
    "a -w b - -q c": ["w", "q", "|a b - c"],
    "a -w -- -q b": ["w", "|a -q b"],
    "--warn --deb": ["w", "d", "|"],
    "--dump": ["D", "|"],
    "--dump- y": ["T=y", "|"],
    "--dump-t=x --dump-types y": ["T=x", "T=y", "|"],
    "--dump-types=": ["T=", "|"],
    "--qui": ["q", "|"],
    "-": ["|-"],
}

REFUSED = {
    "-Z": "invalid option -- 'Z'",
    "-wZ": "invalid option -- 'Z'",
    "-:": "invalid option -- ':'",
    "-T": "option requires an argument -- 'T'",
    "-wT": "option requires an argument -- 'T'",
    "--nope": "unrecognized option '--nope'",
    "--nope=3": "unrecognized option '--nope=3'",
    "--d": "option '--d' is ambiguous; possibilities: '--debug' '--dump' '--dump-types'",
    "--du": "option '--du' is ambiguous; possibilities: '--dump' '--dump-types'",
    "--warnings=x": "option '--warnings' doesn't allow an argument",
    "--war=x": "option '--warnings' doesn't allow an argument",
    "--dump-types": "option '--dump-types' requires an argument",
}


def _found(words: str) -> list[str]:
    options = Options(words.split(), "hVT:wqdD", LONG)
    found = [option.letter + ("" if option.argument is None else f"={option.argument}") for option in options]
    return [*found, "|" + " ".join(options.positional)]


@pytest.mark.parametrize("words", ACCEPTED)
def test_options_are_found(words: str) -> None:
    """Check permutation, bundling, abbreviation, arguments and the double dash."""
    assert _found(words) == ACCEPTED[words]


@pytest.mark.parametrize("words", REFUSED)
def test_options_are_refused(words: str) -> None:
    """Check glibc's message for each way to be wrong."""
    with pytest.raises(OptionError) as caught:
        _found(words)
    assert str(caught.value) == REFUSED[words]


def test_options_come_one_by_one() -> None:
    """Check that good options before a wrong one are produced, and those behind it too."""
    options = Options(["x", "-wZq", "y"], "wq")
    assert next(options) == Option("w")
    with pytest.raises(OptionError):
        next(options)
    assert (list(options), options.positional) == ([Option("q")], ["x", "y"])
