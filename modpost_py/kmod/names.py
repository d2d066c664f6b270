# SPDX-License-Identifier: GPL-2.0-or-later
"""The names of modules and aliases as kmod compares them: a dash and an underscore are the same.

===========================  =====================  =================================================
what is given                becomes                by
===========================  =====================  =================================================
``kernel/fs/nls-utf8.ko.xz``  ``nls_utf8``          :func:`module_name`: a file, its name
``snd-hda``                  ``snd_hda``            :func:`module_name`
``foo.bar.ko``               ``foo``                :func:`module_name`: nothing behind the first dot
``pci:v0-d[a-f]``            ``pci:v0_d[a-f]``      :func:`normalized_alias`: brackets are left alone
===========================  =====================  =================================================
"""

from __future__ import annotations

from modpost_py.kmod.errors import KmodError

# kmod keeps names in buffers of PATH_MAX bytes, the last of which is a NUL; what is longer is cut off.
LONGEST_NAME = 4095


def module_name(path_or_name: str) -> str:
    """The name of the module in a file, or the normalised form of a module's name.

    As kmod: what stands behind the last slash, up to the first dot, with underscores for dashes.
    """
    return _cut(path_or_name[path_or_name.rfind("/") + 1 :]).partition(".")[0].replace("-", "_")


def normalized_alias(alias: str) -> str:
    """The form in which an alias is looked up: :func:`underscored`, and cut to what fits into kmod's buffers.

    Raises :class:`KmodError` where a bracket is not closed, or closed without having been opened.
    """
    return underscored(_cut(alias))


def underscored(alias: str) -> str:
    """``alias`` with underscores for dashes, save inside ``[...]``: the form in which configurations keep patterns.

    Raises :class:`KmodError` where a bracket is not closed, or closed without having been opened.
    """
    if "[" not in alias and "]" not in alias:
        return alias.replace("-", "_")
    parts = []
    rest = alias
    while rest:
        before, bracket, rest = rest.partition("[")
        inside, closing, rest = rest.partition("]")
        if "]" in before or (bracket and not closing):
            raise KmodError(f"invalid alias: {alias}")
        parts += [before.replace("-", "_"), bracket, inside, closing]
    return "".join(parts)


def is_alias(text: str) -> bool:
    """Whether the brackets of a text are balanced, so that it can be looked up."""
    try:
        normalized_alias(text)
    except KmodError:
        return False
    return True


def _cut(text: str) -> str:
    """``text`` as it fits into kmod's buffers."""
    if len(text) * 4 <= LONGEST_NAME:
        return text
    return text.encode("utf-8", "surrogateescape")[:LONGEST_NAME].decode("utf-8", "surrogateescape")
