# SPDX-License-Identifier: GPL-2.0-or-later
"""What a headers tree is, what it says about its kernel, and what is said of a directory that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.headers_tree import HeadersTree
from tests.kbuild.make_trees import headers_tree

INSTALL = (
    "; install the headers of your kernel (Debian, Ubuntu: linux-headers-RELEASE; Fedora, SUSE: kernel-devel), "
    "or name a kernel's build directory"
)


def message_of(path: Path) -> str:
    with pytest.raises(KbuildError) as caught:
        HeadersTree.at(path)
    return str(caught.value)


def test_facts(tmp_path: Path) -> None:
    """Check release, architecture, options and dump of a whole tree."""
    conf = 'CONFIG_MODVERSIONS=y\nCONFIG_ARM64=y\nCONFIG_RTC=m\nCONFIG_LOCALVERSION="-x y"\nCONFIG_HZ=250\n'
    tree = HeadersTree.at(headers_tree(tmp_path / "tree", "6.12.3+deb13-arm64", conf))
    assert (tree.release, tree.architecture, tree.has_modversions) == ("6.12.3+deb13-arm64", "arm64", True)
    assert [tree.config(name) for name in ("RTC", "CONFIG_LOCALVERSION", "HZ", "X86")] == ["m", "-x y", "250", None]
    assert tree.source == tree.directory == tmp_path / "tree"
    assert tree.module_symvers == tmp_path / "tree/Module.symvers"
    assert tree.program("scripts/Makefile.build") == tmp_path / "tree/scripts/Makefile.build"


def test_split_tree(tmp_path: Path) -> None:
    """Check Debian's form: the Makefile includes that of the common part, which then holds what the flavour lacks."""
    headers = headers_tree(tmp_path / "flavour", makefile=f"include {tmp_path}/common/Makefile\n", symvers=None)
    (tmp_path / "common/scripts/mod").mkdir(parents=True)
    (tmp_path / "common/scripts/mod/modpost").touch()
    tree = HeadersTree.at(headers)
    assert tree.source == tmp_path / "common"
    assert tree.module_symvers is None
    assert tree.program("scripts/mod/modpost") == tmp_path / "common/scripts/mod/modpost"


def test_release_without_its_header(tmp_path: Path) -> None:
    """Check that kernel.release serves where utsrelease.h lacks, and that one of them must be there."""
    headers = headers_tree(tmp_path / "tree")
    (headers / "include/generated/utsrelease.h").unlink()
    assert message_of(headers) == (
        f"{headers}: nothing tells its kernel release (no include/generated/utsrelease.h, no "
        "include/config/kernel.release); 'make modules_prepare' in the kernel's source makes both"
    )
    (headers / "include/config/kernel.release").write_text("5.10.1-own\n")
    assert HeadersTree.at(headers).release == "5.10.1-own"


def test_none(tmp_path: Path) -> None:
    """Check the messages for what is no directory, no headers, a source without configuration, a common part."""
    missing = tmp_path / "missing"
    link = tmp_path / "link"
    link.symlink_to(missing)
    file = tmp_path / "file"
    file.touch()
    source = tmp_path / "linux-6.1"
    common = tmp_path / "linux-headers-6.1.0-1-common"
    modules = tmp_path / "modules"
    headers_tree(modules / "build")
    for directory in (source, common):
        directory.mkdir()
        (directory / "Makefile").touch()
    assert message_of(missing) == f"{missing}: no such directory{INSTALL}"
    assert message_of(link) == f"{link}: a link to {missing}, which is not there{INSTALL}"
    assert message_of(file) == f"{file}: no directory{INSTALL}"
    assert message_of(tmp_path) == f"{tmp_path}: no headers of a kernel: it has no Makefile{INSTALL}"
    assert message_of(modules) == (
        f"{modules}: no headers of a kernel: it has no Makefile; did you mean {modules}/build?"
    )
    assert message_of(source) == (
        f"{source}: a kernel's source that is not configured (no include/config/auto.conf); in it, run "
        "'make oldconfig && make modules_prepare', or name the directory that the kernel was built in"
    )
    assert message_of(common) == (
        f"{common}: the part that all flavours share; name the headers of one, {tmp_path}/linux-headers-6.1.0-1-*"
    )


def test_missing_programs(tmp_path: Path) -> None:
    """Check what is said of a program that is not there: the package that a link leads to, or how to make it."""
    tree = HeadersTree.at(headers_tree(tmp_path / "tree"))
    with pytest.raises(KbuildError) as caught:
        tree.program("scripts/mod/modpost")
    assert str(caught.value) == (
        f"{tree.directory}: it has no scripts/mod/modpost; 'make modules_prepare' in the kernel's source makes it"
    )
    (tree.directory / "tools").symlink_to("../../lib/linux-kbuild-6.1/tools")
    with pytest.raises(KbuildError) as caught:
        tree.program("tools/objtool/objtool")
    assert str(caught.value) == (
        f"{tree.directory}/tools: a link to ../../lib/linux-kbuild-6.1/tools, which is not there; install the package "
        "that holds it (Debian: linux-kbuild-VERSION)"
    )
