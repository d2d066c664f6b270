# SPDX-License-Identifier: GPL-2.0-or-later
"""kbuild-py shim where the tree may not be changed, and what it says about the other programs of a tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from modpost_py.kbuild import shim_command
from modpost_py.kbuild.elf_programs import foreign_reason
from modpost_py.kbuild.shim_command import main
from tests.kbuild.shim_trees import FOREIGN, PROGRAMS, foreign_program, headers_tree, snapshot

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="run")
def _run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words: str | Path) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out.replace(str(tmp_path), "TMP"), captured.err.replace(str(tmp_path), "TMP")

    return run


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Path:
    return headers_tree(tmp_path / "headers")


def _make_unchangeable(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in PROGRAMS:
        (tree / path).parent.chmod(0o555)
    if os.geteuid() == 0:  # whom permissions do not stop
        monkeypatch.setattr(shim_command, "is_writable", lambda place: False)


def _expect_overlay(overlay: Path, tree: Path) -> None:
    """Everything of the tree is in the overlay under its name: the same file, but for the three launchers."""
    for path in tree.rglob("*"):
        name = str(path.relative_to(tree))
        if name in PROGRAMS:
            assert not (overlay / name).is_symlink()
            assert os.access(overlay / name, os.X_OK)
            assert (overlay / name).read_bytes() != path.read_bytes()
        elif path.is_file():
            assert os.path.samefile(overlay / name, path)


def test_tree_without_write_permission(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Check that a tree that may not be changed gets an overlay, stays as it was, and undo removes the overlay."""
    _make_unchangeable(tree, monkeypatch)
    before = snapshot(tree)
    status, output, errors = run("--headers", tree)
    overlay = tmp_path / "cache/modversions/overlays" / str(tree).strip("/").replace("/", "-")
    shown = str(overlay).replace(str(tmp_path), "TMP")
    assert (status, errors) == (0, "")
    assert "  TMP/headers/scripts/basic may not be changed: an overlay directory takes the launchers\n" in output
    assert f"  overlay made: {shown}\n    scripts/basic/fixdep: launcher\n" in output
    assert output.count(": ok\n") == 3
    assert f"build with: make -C {shown} M=$PWD" in output
    _expect_overlay(overlay, tree)
    assert run("--headers", tree)[0] == 0
    _expect_overlay(overlay, tree)
    assert run("--headers", tree, "--undo") == (0, f"overlay removed: {shown}\n", "")
    assert not overlay.exists()
    assert run("--headers", tree, "--undo") == (0, "TMP/headers: nothing to undo\n", "")
    assert snapshot(tree) == before


def test_overlay_on_request(run: Run, tree: Path, tmp_path: Path) -> None:
    """Check that --overlay leaves a tree alone that could be changed, follows its changes, and is undone."""
    before = snapshot(tree)
    overlay = tmp_path / "else/where"
    assert run("--headers", tree, "--overlay", overlay, "--dry-run")[0] == 0
    assert not overlay.parent.exists()
    assert run("--headers", tree, "--overlay", overlay)[0] == 0
    _expect_overlay(overlay, tree)
    assert [path.stat().st_mode & 0o777 for path in (overlay, overlay / PROGRAMS[0])] == [0o755, 0o755]
    assert snapshot(tree) == before
    (tree / "scripts/Makefile.new").write_text("# rules\n")
    (tree / "scripts/Makefile.build").unlink()
    assert run("--headers", tree, "--overlay", overlay)[0] == 0
    _expect_overlay(overlay, tree)
    assert not os.path.lexists(overlay / "scripts/Makefile.build")
    assert os.listdir(tmp_path / "else") == ["where"]
    # The overlay's own path means the same tree
    assert run("--headers", overlay, "--overlay", overlay)[0] == 0
    _expect_overlay(overlay, tree)
    assert run("--headers", overlay, "--undo", "--dry-run")[1] == "overlay would be removed: TMP/else/where\n"
    _expect_overlay(overlay, tree)
    assert run("--headers", overlay, "--undo") == (0, "overlay removed: TMP/else/where\n", "")
    assert os.listdir(tmp_path / "else") == []


def test_make_works_in_the_overlay(run: Run, tree: Path, tmp_path: Path) -> None:
    """Check that the overlay serves make -C: the tree's Makefile, our program."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    (tree / "deps").write_text("a.o: Makefile\n")
    run("--headers", tree, "--overlay", tmp_path / "overlay")
    result = subprocess.run(["make", "-s", "-C", tmp_path / "overlay", "run"], capture_output=True, text=True)
    assert (result.stdout.split("\n")[0], result.stderr) == ("cmd_a.o := CC", "")


@pytest.mark.parametrize("setting", ["KBUILD_OUTPUT={}", "export KBUILD_OUTPUT = {}", "KBUILD_OUTPUT := {}/. "])
def test_makefile_that_names_its_tree(setting: str, run: Run, tree: Path, tmp_path: Path) -> None:
    """Check that a Makefile that names its tree as KBUILD_OUTPUT names the overlay there, and nothing else changes."""
    rest = f"KBUILD_OUTPUT=/else\nX = {tree}\n# \udcff\n"
    (tree / "Makefile").write_text(f"{setting.format(tree)}\n{rest}", errors="surrogateescape")
    run("--headers", tree, "--overlay", tmp_path / "overlay")
    makefile = tmp_path / "overlay/Makefile"
    assert makefile.read_text(errors="surrogateescape") == f"{setting.partition('{}')[0]}{tmp_path}/overlay\n{rest}"
    assert makefile.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("full", "exists and is no overlay made by kbuild-py; choose another place"),
        ("a file", "kbuild cannot work in a path with spaces or colons; choose another (--overlay)"),
        ("headers/below", "lies in the headers themselves; choose another place"),
        ("other", "the overlay of other headers, TMP/others; choose another place, or --undo that"),
    ],
)
def test_places_that_no_overlay_can_take(place: str, message: str, run: Run, tree: Path, tmp_path: Path) -> None:
    """Check that an overlay replaces nothing but an overlay of the same headers, and where kbuild could not use it."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter").write_text("dear")
    run("--headers", headers_tree(tmp_path / "others"), "--overlay", tmp_path / "other")
    before = snapshot(tmp_path)
    status, _, errors = run("--headers", tree, "--overlay", tmp_path / place)
    assert (status, errors) == (2, f"kbuild-py shim: TMP/{place}: {message}\n")
    assert snapshot(tmp_path) == before


def test_undo_deletes_no_other_directory(run: Run, tree: Path, tmp_path: Path) -> None:
    """Check that --undo --overlay of a directory that is no overlay is an error."""
    (tmp_path / "full").mkdir()
    assert run("--headers", tree, "--undo", "--overlay", tmp_path / "full") == (
        2,
        "",
        "kbuild-py shim: TMP/full: no overlay made by kbuild-py (it has no .modversions-overlay)\n",
    )
    assert (tmp_path / "full").is_dir()


# Path of a program -> options of the configuration with which a module build needs it, and without
_NEEDS = {
    "tools/objtool/objtool": ((["OBJTOOL=y"], ["STACK_VALIDATION=y"]), ([], ["HAVE_OBJTOOL=y"])),
    "tools/objtool/objtool.real-x86": ((["OBJTOOL=y", "X86=y"],), (["X86=y"], ["OBJTOOL=y", "PPC=y"])),
    "scripts/recordmcount": (
        (["FTRACE_MCOUNT_USE_RECORDMCOUNT=y"], ["FTRACE_MCOUNT_RECORD=y", "HAVE_C_RECORDMCOUNT=y", "RISCV=y"]),
        (
            ["FTRACE_MCOUNT_RECORD=y", "HAVE_C_RECORDMCOUNT=y", "FTRACE_MCOUNT_USE_CC=y", "RISCV=y"],
            ["FTRACE_MCOUNT_RECORD=y", "HAVE_C_RECORDMCOUNT=y", "X86=y"],
            ["FTRACE_MCOUNT_RECORD=y", "RISCV=y"],
        ),
    ),
    "scripts/gcc-plugins/latent_entropy_plugin.so": ((["GCC_PLUGINS=y"],), ([],)),
    "scripts/gendwarfksyms/gendwarfksyms": ((["GENDWARFKSYMS=y"],), ([],)),
    "tools/bpf/resolve_btfids/resolve_btfids": ((), (["DEBUG_INFO_BTF_MODULES=y"],)),
    "scripts/sign-file": ((), (["MODULE_SIG_ALL=y"],)),
    "scripts/kallsyms": ((), ([],)),
    "scripts/mod/modpost.real-lsb-64": ((), ([],)),
    "scripts/something-new": ((), ([],)),
}
_NEED_CASES = [
    (path, options, needed)
    for path, cases in _NEEDS.items()
    for needed, lists in zip((True, False), cases, strict=True)
    for options in lists
]


@pytest.mark.parametrize(("path", "options", "needed"), _NEED_CASES)
def test_other_programs(path: str, options: list[str], needed: bool, run: Run, tmp_path: Path) -> None:
    """Check which foreign programs a module build is said to need, by configuration, with status 1 if so."""
    tree = headers_tree(tmp_path / "headers", options=options, programs=[path])
    status, output, _ = run("--headers", tree, "--dry-run")
    assert status == (1 if needed else 0)
    assert (f"  NEEDED and foreign: {path}: for {FOREIGN}; " in output) == needed
    assert (f"\n    {path}: for {FOREIGN}; " in output) == (not needed)


def test_btf_with_vmlinux(run: Run, tmp_path: Path) -> None:
    """Check that resolve_btfids is needed where vmlinux is in the tree, and the way around it is said."""
    programs = ["tools/bpf/resolve_btfids/resolve_btfids"]
    tree = headers_tree(tmp_path / "headers", options=["DEBUG_INFO_BTF_MODULES=y"], programs=programs)
    (tree / "vmlinux").touch()
    status, output, _ = run("--headers", tree)
    assert (status, output.count(": ok\n")) == (1, 3)
    assert "    build without BTF: make ... CONFIG_DEBUG_INFO_BTF_MODULES=\n" in output


def test_needed_program_keeps_status_1(run: Run, tmp_path: Path) -> None:
    """Check that the launchers are made though objtool stays foreign, and what to do is said."""
    tree = headers_tree(tmp_path / "headers", options=["OBJTOOL=y"], programs=["tools/objtool/objtool"])
    status, output, _ = run("--headers", tree)
    assert (status, output.count("  replaced: "), output.count(": ok\n")) == (1, 3, 3)
    assert "\n    copy it from this machine's build of the same package (Debian: linux-kbuild), or build it" in output


def test_programs_of_this_machine(tmp_path: Path) -> None:
    """Check what is foreign: another machine, another C library; not the shell, scripts, or what is damaged."""
    assert foreign_reason(Path(shutil.which("sh") or "/bin/sh")) is None
    program = tmp_path / "program"
    for data in (b"", b"#!/bin/sh\n", b"\x7fELF", foreign_program("x")[:40], b"\x7fELF\3\3" + bytes(60)):
        program.write_bytes(data)
        assert foreign_reason(program) is None
    program.write_bytes(foreign_program("x"))
    assert foreign_reason(program) == f"for {FOREIGN}"
    native = bytearray(Path(shutil.which("sh") or "/bin/sh").read_bytes())
    loader = native.find(b"/ld-")
    if loader < 0:
        pytest.skip("this machine's shell has no loader")
    native[loader : loader + 4] = b"/xx-"
    program.write_bytes(native)
    assert (foreign_reason(program) or "").endswith(", a C library that is not here")
