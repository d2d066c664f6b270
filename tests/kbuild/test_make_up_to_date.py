# SPDX-License-Identifier: GPL-2.0-or-later
"""What kbuild wrongly takes for done: other modules' versions that changed, objects that a killed build left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from modpost_py.kbuild.symbol_dumps import forget_stale_run
from modpost_py.kbuild.unfinished_objects import forget_unfinished
from tests.kbuild.make_trees import build, headers_tree, module_directory
from tests.modpost.module_writer import ExportSpec, ModuleSpec, write_files

COMPILED, LATER = 1_000_000_000, 1_000_000_100


def write(path: Path, text: str, seconds: int) -> Path:
    path.write_text(text)
    os.utime(path, (seconds, seconds))
    return path


# ----- dumps


def saved_run(module: Path, command: str) -> Path:
    return write(module / ".Module.symvers.cmd", command, COMPILED)


def test_dump_that_changed(tmp_path: Path) -> None:
    """Check that modpost's saved command goes when a dump that it read is newer, in either form of the file."""
    other = write(tmp_path / "other.symvers", "", LATER)
    write(tmp_path / "Module.symvers", "", COMPILED)
    for command in (
        f"cmd_/m/Module.symvers := sed 's/ko$$/o/' /m/order | modpost -m -o /m/x -e -i Module.symvers -i {other}",
        f"savedcmd_Module.symvers := modpost -M -m -o Module.symvers -T modules.order -e -i {other} ",
    ):
        saved = saved_run(tmp_path, command)
        assert forget_stale_run(tmp_path, tmp_path) == [str(other)]
        assert not saved.exists()


def test_relative_dump(tmp_path: Path) -> None:
    """Check that a relative dump is one of the kernel's directory."""
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    write(kernel / "Module.symvers", "", LATER)
    write(tmp_path / "Module.symvers", "", COMPILED)
    saved_run(tmp_path, "cmd_x := modpost -e -i Module.symvers -T -")
    assert forget_stale_run(tmp_path, kernel) == ["Module.symvers"]


def test_dumps_as_they_were(tmp_path: Path) -> None:
    """Check that nothing goes when dumps are older, gone, or there was no run yet."""
    assert forget_stale_run(tmp_path, tmp_path) == []
    older = write(tmp_path / "other.symvers", "", COMPILED - 1)
    # The -i inside a path is no option.
    newer = write(tmp_path / "newer.symvers", "", LATER)
    saved = saved_run(tmp_path, f"cmd_x := modpost -e -i {older} -i {tmp_path}/gone -o /a-i{newer} -T -")
    assert forget_stale_run(tmp_path, tmp_path) == []
    assert saved.exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_what_a_build_says(tmp_path: Path) -> None:
    """Check that a build tells of the dump that changed and of the object that lacks its versions."""
    headers = headers_tree(tmp_path / "headers", os.uname().release)
    module = module_directory(tmp_path / "module")
    dump = write(tmp_path / "other.symvers", "", LATER)
    saved_run(module, f"cmd_x := modpost -e -i {dump} -T -")
    unfinished(module, "6.1", LATER)
    assert build(module, headers).stderr == (
        f"kbuild-py: note: {dump} has changed: the modules that use it get its new versions\n"
        f"kbuild-py: note: {module}/ring.o: a build was killed here before its versions were made\n"
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_where_dumps_are_relative_to(tmp_path: Path) -> None:
    """Check that a relative dump is looked for where modpost runs: at the kernel until 6.12, at the module since."""
    module = module_directory(tmp_path / "module")
    for release, place in (("6.12.0-1-test", "headers"), ("7.2.0-1-test", "module")):
        headers_tree(tmp_path / "headers", release)
        dump = write(tmp_path / place / "other.symvers", "", LATER)
        saved_run(module, "cmd_x := modpost -e -i other.symvers -T -")
        assert "note: other.symvers has changed" in build(module, tmp_path / "headers").stderr
        dump.unlink()


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_kernel_without_versions(tmp_path: Path) -> None:
    """Check that objects of a kernel without symbol versions are finished without any."""
    headers = headers_tree(tmp_path / "headers", os.uname().release, configuration="")
    module = module_directory(tmp_path / "module")
    saved = unfinished(module, "6.12", LATER)
    assert build(module, headers).stderr == ""
    assert saved.exists()


# ----- objects


def unfinished(directory: Path, dialect: str, seconds: int, versions: str = "", crc: int | None = None) -> Path:
    """``ring.o`` with an export and the ``.cmd`` file that fixdep has written; returns the latter."""
    module = ModuleSpec("ring", [ExportSpec("ring_count", crc=crc)])
    write_files(directory, {"ring.o": module.object_bytes(dialect)})
    return write(directory / ".ring.o.cmd", f"cmd_ring.o := cc\n\nring.o: $(deps_ring.o)\n{versions}", seconds)


@pytest.mark.parametrize("dialect", ["5.10", "6.1", "6.12"])
def test_unfinished_object(tmp_path: Path, dialect: str) -> None:
    """Check that an exporting object without versions is compiled again, whether or not modpost ever ran."""
    saved = unfinished(tmp_path, dialect, LATER)
    assert forget_unfinished(tmp_path) == [str(tmp_path / "ring.o")]
    assert not saved.exists()
    saved = unfinished(tmp_path, dialect, LATER)
    saved_run(tmp_path, "")
    assert forget_unfinished(tmp_path) == [str(tmp_path / "ring.o")]


def test_objects_below(tmp_path: Path) -> None:
    """Check that objects of subdirectories count."""
    (tmp_path / "core").mkdir()
    unfinished(tmp_path / "core", "6.1", LATER)
    assert forget_unfinished(tmp_path) == [str(tmp_path / "core/ring.o")]


def test_finished_objects(tmp_path: Path) -> None:
    """Check what stays: older than modpost's run, with versions in either place, without exports, made by modpost."""
    saved_run(tmp_path, "")
    for seconds in (COMPILED - 1, COMPILED):
        saved = unfinished(tmp_path, "6.1", seconds)
        assert forget_unfinished(tmp_path) == []
        assert saved.exists()
    unfinished(tmp_path, "6.1", LATER, versions="#SYMVER ring_count 0x12345678\n")
    assert forget_unfinished(tmp_path) == []
    unfinished(tmp_path, "5.10", LATER, crc=0x12345678)
    assert forget_unfinished(tmp_path) == []
    write_files(tmp_path, {"ring.o": ModuleSpec("ring").object_bytes("6.1")})
    assert forget_unfinished(tmp_path) == []
    unfinished(tmp_path, "6.1", LATER).rename(tmp_path / ".ring.mod.o.cmd")
    (tmp_path / "ring.o").rename(tmp_path / "ring.mod.o")
    assert forget_unfinished(tmp_path) == []


def test_odd_files(tmp_path: Path) -> None:
    """Check that a .cmd without its object, a directory of that name and a damaged object are passed over."""
    write(tmp_path / ".gone.o.cmd", "", LATER)
    (tmp_path / ".directory.o.cmd").mkdir()
    (tmp_path / "directory.o").mkdir()
    write(tmp_path / "damaged.o", "\x7fELF__ksymtab_x", LATER)
    saved = write(tmp_path / ".damaged.o.cmd", "", LATER)
    assert forget_unfinished(tmp_path) == [str(tmp_path / "damaged.o")]
    assert not saved.exists()
