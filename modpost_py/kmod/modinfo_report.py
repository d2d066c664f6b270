# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``modinfo`` tells of a module, in the forms in which kmod writes it.

``entries`` is everywhere a list of ``TAG=VALUE`` texts: those of ``.modinfo`` in their order, then those that
describe the signature.  The forms:

===================  ===========================================================================
everything           ``license:        GPL``, the value in column 17; at the end the parameters,
                     the last first: ``parm:           NAME:DESCRIPTION (TYPE)``
everything, with -0  ``license=GPL``; parameters as above
one field            the values alone
the field ``parm``   ``NAME:DESCRIPTION (TYPE)``
===================  ===========================================================================
"""

from __future__ import annotations

from modpost_py.errors import FileError
from modpost_py.kmod.builtin_modinfo import BuiltinModinfo
from modpost_py.kmod.compression import DamagedModuleError
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.signature import Signature

_ENOENT = 2
_COLUMN = 15
_BYTES_A_LINE = 20

# kmod 30 shows no signature with another
_HASHES = frozenset(("md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3"))

# Three characters a byte: "A1:"
_LINE = 3 * _BYTES_A_LINE


class Parameter:
    """A parameter of a module: its ``name``, and its ``description`` and ``type`` where they are told."""

    __slots__ = ("description", "name", "type")

    def __init__(self, name: str) -> None:
        self.name = name
        self.description: str | None = None
        self.type: str | None = None


class _Heads(dict[str, str]):
    """``TAG:`` with the blanks that follow it, by tag; a tag that is too long gets more of them, as in kmod."""

    def __missing__(self, tag: str) -> str:
        head = self[tag] = f"{tag}:{' ' * abs(_COLUMN - len(tag.encode('utf-8', 'surrogateescape')))}"
        return head


_heads = _Heads()


def own_entries(module: ModuleFile) -> list[str]:
    """The entries of a module's ``.modinfo``.

    Raises :class:`DamagedModuleError` where it has none (``ENOENT``, as kmod).
    """
    entries = module.modinfo()
    if not entries and module.section_header(".modinfo") is None:
        raise DamagedModuleError(module.path, "no section .modinfo", _ENOENT)
    return entries


def entries_of(name: str, path: str | None, builtin: BuiltinModinfo) -> list[str]:
    """The entries of the module in the file ``path``, or of the built-in one of that name where there is no path.

    A built-in module of a kernel without ``modules.builtin.modinfo`` has none.  Raises :class:`FileError` and
    :class:`DamagedModuleError`.
    """
    if path is not None:
        with ModuleFile.opened(path) as module:
            entries = own_entries(module)
            signature = module.signature()
        return (
            entries
            if signature is None or signature.hash_algorithm not in _HASHES
            else entries + signature_entries(signature)
        )
    try:
        return builtin.entries(name)
    except FileError as error:
        if error.errno == _ENOENT:
            return []
        raise


def signature_entries(signature: Signature) -> list[str]:
    """The entries that describe a signature."""
    return [
        f"sig_id={signature.id_type}",
        f"signer={signature.signer}",
        f"sig_key={_in_lines(signature.key_id)}",
        f"sig_hashalgo={signature.hash_algorithm}",
        f"signature={_in_lines(signature.signature)}",
    ]


def _in_lines(data: bytes) -> str:
    """Bytes in hexadecimal, twenty a line, the further lines indented by two tabs."""
    text = data.hex(":").upper()
    return "\n\t\t".join([text[start : start + _LINE] for start in range(0, len(text), _LINE)])


def parameters(entries: list[str]) -> tuple[list[Parameter], list[str]]:
    """The parameters that entries tell of, in the order of their names' first appearance, and the entries at fault.

    ``parm=NAME:DESCRIPTION``, ``parmtype=NAME:TYPE``; the last of several counts.  At fault is what has no colon.
    """
    found: dict[str, Parameter] = {}
    wrong = []
    for entry in entries:
        if not entry.startswith("parm"):
            continue
        tag, _, value = entry.partition("=")
        if tag not in ("parm", "parmtype"):
            continue
        name, colon, text = value.partition(":")
        if not colon:
            wrong.append(f"{tag}={value}")
            continue
        parameter = found.get(name)
        if parameter is None:
            parameter = found[name] = Parameter(name)
        if tag == "parm":
            parameter.description = text
        else:
            parameter.type = text
    return list(found.values()), wrong


def parameter_text(parameter: Parameter, is_alone: bool) -> str:
    """A parameter as kmod writes it; ``is_alone`` where only parameters were asked for."""
    name, description, type_ = parameter.name, parameter.description, parameter.type
    if type_ is None:
        return f"{name}:{description}"
    if description is not None:
        return f"{name}:{description} ({type_})"
    return f"{name}: ({type_})" if is_alone else f"{name}:{type_}"


def everything(entries: list[str], separator: str) -> tuple[str, list[str]]:
    """All entries as text, each ended by ``separator`` (a newline or a NUL), and the parameters at fault."""
    is_plain = separator != "\0"
    heads = _heads
    texts = []
    has_parameters = False
    for entry in entries:
        tag, _, value = entry.partition("=")
        if tag == "parm" or tag == "parmtype":
            has_parameters = True
        else:
            texts.append(heads[tag] + value if is_plain else f"{tag}={value}")
    wrong: list[str] = []
    if has_parameters:
        found, wrong = parameters(entries)
        texts += [heads["parm"] + parameter_text(parameter, is_alone=False) for parameter in reversed(found)]
    return _joined(texts, separator), wrong


def one_field(entries: list[str], field: str, separator: str) -> tuple[str, list[str]]:
    """The values of one tag as text, each ended by ``separator``; for ``parm`` the parameters, and those at fault."""
    if field == "parm":
        found, wrong = parameters(entries)
        return _joined([parameter_text(parameter, is_alone=True) for parameter in reversed(found)], separator), wrong
    start = field + "="
    values = [entry[len(start) :] for entry in entries if entry.startswith(start)]
    if field in entries:  # an entry without a value
        values = [entry.partition("=")[2] for entry in entries if entry.partition("=")[0] == field]
    return _joined(values, separator), []


def _joined(texts: list[str], separator: str) -> str:
    return separator.join([*texts, ""])
