# SPDX-License-Identifier: GPL-2.0-or-later
"""Names and aliases as kmod compares them."""

from __future__ import annotations

import pytest

from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.names import module_name, normalized_alias


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("ext4", "ext4"),
        ("snd-hda-intel", "snd_hda_intel"),
        ("kernel/fs/nls/nls-utf8.ko.xz", "nls_utf8"),
        ("/lib/modules/6.1-rc1/kernel/a-b.ko", "a_b"),
        ("foo.bar.ko", "foo"),
        (".hidden.ko", ""),
        ("dir/", ""),
        ("", ""),
        ("x" * 5000, "x" * 4095),
    ],
)
def test_module_name(given: str, name: str) -> None:
    """Check that a module's name is that of its file up to the first dot, with underscores."""
    assert module_name(given) == name


@pytest.mark.parametrize(
    ("given", "alias"),
    [
        ("snd-card-0", "snd_card_0"),
        ("pci:v00001-d[a-f]-*", "pci:v00001_d[a-f]_*"),
        ("[a-b]-[c-d]", "[a-b]_[c-d]"),
        ("of:N-T[[-]-", "of:N_T[[-]_"),
        ("", ""),
        ("é" * 3000, ("é" * 2047) + "\udcc3"),
    ],
)
def test_normalized_alias(given: str, alias: str) -> None:
    """Check that dashes become underscores outside of brackets only, and that long aliases are cut at 4095 bytes."""
    assert normalized_alias(given) == alias


@pytest.mark.parametrize("given", ["a]", "a[b", "a-[", "[a]]", "[a]-]", "[a][b-"])
def test_unbalanced_brackets(given: str) -> None:
    """Check that an unmatched bracket is an error that names the alias."""
    with pytest.raises(KmodError) as caught:
        normalized_alias(given)
    assert str(caught.value) == f"invalid alias: {given}"
