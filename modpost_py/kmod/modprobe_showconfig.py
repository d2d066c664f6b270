# SPDX-License-Identifier: GPL-2.0-or-later
"""The text of ``modprobe -c``: the configuration as it was understood, then the aliases of the modules themselves."""

from __future__ import annotations

from collections.abc import Iterator

from modpost_py.kmod.configuration import Configuration, SoftDependency
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.lookup import ALIASES, SYMBOLS, ModulesDirectory


def configuration_lines(configuration: Configuration) -> Iterator[str]:
    """The statements by kind, normalised, in the form in which they could be read again (but for soft dependencies)."""
    for name in configuration.blacklist:
        yield f"blacklist {name}\n"
    for name, text in configuration.installs:
        yield f"install {name} {text}\n"
    for name, text in configuration.removes:
        yield f"remove {name} {text}\n"
    for name, text in configuration.aliases:
        yield f"alias {name} {text}\n"
    for name, text in configuration.options:
        yield f"options {name} {text}\n"
    for softdep in configuration.softdeps:
        before = _span("pre: ", softdep.before, softdep)
        yield f"softdep {softdep.name} {before}{_span('post: ', softdep.after, softdep)}\n"


def _span(mark: str, places: tuple[int, ...], softdep: SoftDependency) -> str:
    """The names from the first to the last of one kind: kmod shows those of the other kind between them, too."""
    return mark + " ".join(softdep.words[places[0] : places[-1] + 1]) if places else ""


def index_lines(directory: ModulesDirectory) -> Iterator[str]:
    """``alias`` statements for the modules' aliases and exported symbols, as depmod found them.

    A damaged index is reported as :class:`ModulesDirectory` does, and gives no lines.
    """
    for name in (ALIASES, SYMBOLS):
        index = directory.index(name)
        if index is None:
            continue
        try:
            lines = [f"alias {entry.key} {entry.value}\n" for entry in index.entries()]
        except KmodError as error:
            directory.complain(error)
            continue
        yield from lines
