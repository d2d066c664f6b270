# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of two modules of one name counts: what the order of a directory's entries must not decide in a test tree."""

from __future__ import annotations

import pytest

from modpost_py.kmod.depmod_configuration import DepmodConfiguration
from modpost_py.kmod.depmod_search import FoundModule, is_module_file, is_preferred

DIRECTORY = "/lib/modules/1.0"


def preferred(new: str, old: str, **configuration: list[str]) -> bool:
    """Whether the new one is taken; paths are relative to the modules directory, or absolute."""
    modules = [FoundModule(path if path[0] == "/" else f"{DIRECTORY}/{path}", DIRECTORY) for path in (new, old)]
    return is_preferred(modules[0], modules[1], DepmodConfiguration(**configuration))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        ("updates/a.ko", "kernel/a.ko", True),
        ("kernel/a.ko", "updates/a.ko", False),
        ("extra/a.ko", "kernel/a.ko", False),  # the first one met stays
        ("updates2/a.ko", "kernel/a.ko", False),
        ("updates/x/a.ko", "updates/a.ko", True),  # a directory that both are in counts for the new one
    ],
)
def test_usual_search(new: str, old: str, expected: bool) -> None:
    """Check the choice without a configuration."""
    assert preferred(new, old, searches=["updates"]) is expected


def test_external() -> None:
    """Check that of external directories the one given last counts most, and that built-in stands for the others."""
    searches, externals = ["built-in", "external"], ["/opt/one", "/opt/two"]
    assert not preferred("/opt/two/a.ko", "kernel/a.ko", searches=searches, externals=externals)
    assert preferred("/opt/two/a.ko", "kernel/a.ko", searches=searches[::-1], externals=externals)
    assert preferred("/opt/one/a.ko", "/opt/two/a.ko", searches=searches, externals=externals)
    assert not preferred("/opt/one/a.ko", "/opt/one/x/a.ko", searches=searches, externals=externals)


def test_override_is_a_path_without_suffix() -> None:
    """Check that an override means the name of the file, in which a dash is no underscore."""
    assert preferred("kernel/a-b.ko.xz", "updates/a_b.ko", searches=["updates"], overrides=["kernel/a-b"])
    assert not preferred("kernel/a-b.ko.xz", "updates/a_b.ko", searches=["updates"], overrides=["kernel/a_b"])


def test_names_of_modules() -> None:
    """Check which names are those of module files."""
    names = ("a.ko", "a.ko.gz", "a.ko.xz", "a.ko.zst", ".ko", ".ko.xz", "a.ko.bz2", "a.kox", "ko", ".a.ko")
    assert [is_module_file(name) for name in names] == [True, True, True, True, False, False, False, False, False, True]


def test_path_in_modules_order() -> None:
    """Check that modules.order has a module by its name, uncompressed, cut off as kmod does."""
    paths = ("kernel/a-b.ko.xz", "kernel/e.f.ko", "c.ko.gz")
    found = [FoundModule(f"{DIRECTORY}/{path}", DIRECTORY).ordered_as for path in paths]
    assert found == ["kernel/a-b.ko", "kernel/e.f.", "c.ko"]
    assert FoundModule("/opt/c.ko", DIRECTORY).ordered_as is None
