# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run learns from one object on its own, before any cross reference.

Facts about one object are independent of all others, so objects can be read in parallel.
What concerns the run as a whole (an export, a CRC, a diagnostic) is noted as a *discovery*,
in order; the run takes up the discoveries object by object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from modpost_py.errors import ModpostError
from modpost_py.messages import Diagnostic
from modpost_py.modinfo import is_gpl_compatible

if TYPE_CHECKING:
    from modpost_py.device_tables import Alias


class FoundExport(NamedTuple):
    """An exported symbol; ``kind`` as in a dump: ``EXPORT_SYMBOL``, ``EXPORT_SYMBOL_GPL``..."""

    symbol: str
    kind: str
    namespace: str = ""
    is_function: bool = False


class FoundNamespace(NamedTuple):
    """The name space of a symbol that is exported somewhere."""

    symbol: str
    namespace: str


class FoundCrc(NamedTuple):
    """The CRC of an exported symbol."""

    symbol: str
    crc: int


class FoundGlobals(NamedTuple):
    """The names of all global and weak symbols of an object."""

    names: frozenset[str]


Discovery = Diagnostic | FoundExport | FoundNamespace | FoundCrc | FoundGlobals


#: An undefined symbol that some module, or vmlinux, has to export, and whether it is weak.
UnresolvedSymbol = tuple[str, bool]


class ModuleFacts:
    """The facts of one object.

    ``name`` is the module name: the object path less ``.o``.  ``bits`` is the ELF class.
    ``is_module`` is false where the path did not lead to an object that counts.
    ``failure`` is the error that ended the reading; the discoveries before it count.
    """

    __slots__ = (
        "aliases",
        "bits",
        "discoveries",
        "failure",
        "has_cleanup",
        "has_init",
        "imported_namespaces",
        "is_module",
        "licenses",
        "mismatches",
        "name",
        "no_trim_symbols",
        "path",
        "source_version",
        "unresolved",
    )

    def __init__(self, name: str, path: str, bits: int) -> None:
        self.name = name
        self.path = path
        self.bits = bits
        self.discoveries: list[Discovery] = []
        self.failure: ModpostError | None = None
        self.is_module = False
        self.licenses: list[str] = []
        self.imported_namespaces: list[str] = []
        self.has_init = False
        self.has_cleanup = False
        self.unresolved: list[UnresolvedSymbol] = []
        self.aliases: list[Alias] = []
        self.no_trim_symbols: list[str] = []
        self.mismatches = 0
        self.source_version: str | None = None

    @property
    def is_gpl_compatible(self) -> bool:
        """Whether the module may use GPL-only symbols."""
        return is_gpl_compatible(self.licenses)

    @property
    def is_vmlinux(self) -> bool:
        """Whether this is the kernel itself: its name is ``vmlinux`` and nothing else."""
        return self.name == "vmlinux"

    def __getstate__(self) -> tuple[object, ...]:
        """The facts for another process; names and aliases, which are most of them, as one text each."""
        unresolved = "\0".join([name for name, _ in self.unresolved]) if self.unresolved else None
        weak = bytes([is_weak for _, is_weak in self.unresolved])
        aliases = "\0".join([text for alias in self.aliases for text in alias]) if self.aliases else None
        others = tuple([getattr(self, field) for field in _HANDED_ON_AS_THEY_ARE])
        return unresolved, weak, aliases, others

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        unresolved, weak, aliases, others = state
        for field, value in zip(_HANDED_ON_AS_THEY_ARE, others, strict=True):
            setattr(self, field, value)
        names = unresolved.split("\0") if unresolved is not None else []
        self.unresolved = list(zip(names, map(bool, weak), strict=True))
        self.aliases = []
        if aliases is not None:
            from modpost_py.device_tables import Alias

            texts = aliases.split("\0")
            self.aliases = list(map(Alias, texts[::2], texts[1::2]))


_HANDED_ON_AS_THEY_ARE = tuple(field for field in ModuleFacts.__slots__ if field not in ("unresolved", "aliases"))
