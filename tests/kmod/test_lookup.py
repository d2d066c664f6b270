# SPDX-License-Identifier: GPL-2.0-or-later
"""What a name or an alias means in a modules directory, and what modules depend on."""

from __future__ import annotations

from pathlib import Path

import pytest

from modpost_py.errors import FileError
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.index_file import index_bytes
from modpost_py.kmod.lookup import EscapingPathError, FoundModule, ModulesDirectory
from tests.kmod.fake_root import make_databases


class Fixed:
    """A configuration of two aliases and a command."""

    def aliased(self, alias: str) -> list[tuple[str, str]]:
        return {"core": [("co*", "helper.ko"), ("core", "ext4")], "nothing": [("nothing", "no_such")]}.get(alias, [])

    def has_command(self, name: str) -> bool:
        return name in ("by_command", "disk")


@pytest.fixture
def directory(tmp_path: Path) -> ModulesDirectory:
    """Some modules that are found in each of the databases, and one in several."""
    files = {
        "modules.dep": "kernel/core.ko:\nkernel/disk.ko.xz: kernel/bus-base.ko kernel/core.ko\nkernel/bus-base.ko: "
        "kernel/core.ko\nextra/helper.ko:\n",
        "modules.alias": "alias pci:v1* disk\nalias pci:v1d[0-9]* core\nalias disk core\nalias by_command core\n"
        "alias gone no_file\nalias fs_ext4 core\nalias both core\n",
        "modules.symbols": "alias symbol:start core\n",
        "modules.builtin": "kernel/fs/ext4.ko\nkernel/fs/both.ko\n",
        "modules.builtin.alias": "alias fs_* ext4\nalias ext? ext4\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    make_databases(tmp_path)
    return ModulesDirectory(str(tmp_path))


def test_dependencies(directory: ModulesDirectory) -> None:
    """Check that dependencies come in the order of loading, and are none for what is unknown."""
    paths = [f"{directory.path}/kernel/core.ko", f"{directory.path}/kernel/bus-base.ko"]
    assert directory.dependencies("disk") == paths
    assert directory.path_of("disk") == f"{directory.path}/kernel/disk.ko.xz"
    assert directory.dependencies("core") == []
    assert directory.dependencies("nosuch") == []
    assert directory.path_of("bus-base") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("disk", [("disk", "kernel/disk.ko.xz", False, None)]),
        ("bus-base", [("bus_base", "kernel/bus-base.ko", False, None)]),
        ("pci:v1d5", [("disk", "kernel/disk.ko.xz", False, "pci:v1d5"), ("core", "kernel/core.ko", False, "pci:v1d5")]),
        ("pci:v2", []),
        ("symbol:start", [("core", "kernel/core.ko", False, "symbol:start")]),
        ("by-command", [("core", "kernel/core.ko", False, "by_command")]),
        ("gone", [("no_file", None, False, "gone")]),
        ("ext4", [("ext4", None, True, None)]),
        ("ext2", [("ext4", None, True, "ext2")]),
        ("fs-ext4", [("core", "kernel/core.ko", False, "fs_ext4")]),
        ("both", [("core", "kernel/core.ko", False, "both")]),
        ("a]", []),
        ("", []),
    ],
)
def test_order_of_places(
    directory: ModulesDirectory, text: str, found: list[tuple[str, str | None, bool, str | None]]
) -> None:
    """Check that names come before aliases, and files before built-in modules."""
    expected = [
        FoundModule(name, path and f"{directory.path}/{path}", builtin, alias) for name, path, builtin, alias in found
    ]
    assert directory.lookup(text) == expected


def test_configuration_first(directory: ModulesDirectory) -> None:
    """Check that aliases of the configuration come before names, commands behind names and before aliases."""
    configuration = Fixed()
    assert directory.lookup("core", configuration) == [
        FoundModule("helper", f"{directory.path}/extra/helper.ko", False, "co*"),
        FoundModule("ext4", None, True, "core"),
    ]
    assert directory.lookup("nothing", configuration) == [FoundModule("no_such", None, False, "nothing")]
    assert directory.lookup("by-command", configuration) == [FoundModule("by_command", None, False)]
    assert directory.lookup("disk", configuration)[0].path == f"{directory.path}/kernel/disk.ko.xz"


def test_escaping_path(tmp_path: Path) -> None:
    """Check that a path out of the modules directory is refused, an absolute one taken, and dots inside allowed."""
    (tmp_path / "modules.dep").write_text("../up.ko:\na.ko: b/../../c.ko\n/opt/d.ko: b/../e.ko ..f/g.ko\n")
    make_databases(tmp_path)
    directory = ModulesDirectory(str(tmp_path))
    with pytest.raises(EscapingPathError) as caught:
        directory.path_of("up")
    assert (
        str(caught.value) == f"{tmp_path}/modules.dep.bin: module up: '../up.ko' lies outside of the modules directory"
    )
    with pytest.raises(EscapingPathError):
        directory.dependencies("a")
    assert directory.path_of("d") == "/opt/d.ko"
    assert directory.dependencies("d") == [f"{tmp_path}/..f/g.ko", f"{tmp_path}/b/../e.ko"]


def test_damage_is_told_once(tmp_path: Path) -> None:
    """Check that a damaged index is reported once and knows nothing, while the others answer."""
    (tmp_path / "modules.dep.bin").write_bytes(b"no index at all")
    (tmp_path / "modules.alias").write_text("alias a core\n")
    make_databases(tmp_path)
    told: list[KmodError | FileError] = []
    directory = ModulesDirectory(str(tmp_path), told.append)
    assert [module.name for module in directory.lookup("a")] == ["core"]
    assert directory.lookup("core") == []
    assert [str(error).partition(":")[0] for error in told] == [f"{tmp_path}/modules.dep.bin"]
    with pytest.raises(KmodError):
        ModulesDirectory(str(tmp_path)).lookup("core")


def test_no_names_with_colons(tmp_path: Path) -> None:
    """Check that modules.dep is not asked for a text with a colon: no module has such a name."""
    (tmp_path / "modules.dep.bin").write_bytes(index_bytes([("a:b", "a:b.ko:", 0)]))
    directory = ModulesDirectory(str(tmp_path))
    assert directory.lookup("a:b") == []
    assert directory.path_of("a:b") is None


def test_nothing_there(tmp_path: Path) -> None:
    """Check that a directory without databases, or with empty ones, knows nothing and is no error."""
    (tmp_path / "modules.builtin.alias.bin").touch()
    assert ModulesDirectory(str(tmp_path)).lookup("core") == []
    assert ModulesDirectory(str(tmp_path / "nosuch")).lookup("core") == []
