# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``kbuild-py restamp``: what it prints, what it writes, its exit status."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modpost_py.kbuild.restamp import read_module
from modpost_py.kbuild.restamp_command import main
from modpost_py.kmod.module_file import ModuleFile
from tests.kbuild.restamp_modules import BuiltModule, symvers

ROOT = Path(__file__).parents[2]
INCLUDE = ROOT / "samples/mini-kernel/include"

OLD = {"foo_open": 0x11111111, "bar": 0x22222222, "module_layout": 0x33333333}
NEW = {"foo_open": 0x44444444, "bar": 0x55555555, "module_layout": 0x33333333}
DUMP = symvers("0x44444444 foo_open core/foo", "0x55555555 bar", "0x33333333 module_layout")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a module and a dump of another kernel."""
    monkeypatch.chdir(tmp_path)
    BuiltModule(OLD).write(tmp_path / "foo.ko")
    (tmp_path / "Module.symvers").write_text(DUMP)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main([*arguments, "--symvers", "Module.symvers"])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


DEPENDS = "foo.ko: note: depends is '', would be 'foo' (--depends)\n"
CHANGES = """\
foo.ko: foo_open  0x11111111 -> 0x44444444  accepted (foo_*)
foo.ko: bar       0x22222222 -> 0x55555555  accepted (bar)
foo.ko: note: depends is '', would be 'foo' (--depends)
foo.ko: 2 of 3 versions changed
"""


def test_in_place(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that the file is replaced and keeps its mode, with a line for each changed symbol."""
    os.chmod("foo.ko", 0o640)
    assert run(capsys, "foo.ko", "--accept", "foo_*", "--accept", "bar") == (0, CHANGES, "")
    assert (here / "foo.ko").read_bytes() == BuiltModule(NEW).bytes()
    assert os.stat("foo.ko").st_mode & 0o777 == 0o640
    assert sorted(os.listdir()) == ["Module.symvers", "foo.ko"]


def test_output(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that with -o the module goes there, and the file stays."""
    assert run(capsys, "foo.ko", "--accept", "foo_*", "--accept", "bar", "-o", "new.ko") == (0, CHANGES, "")
    assert (here / "foo.ko").read_bytes() == BuiltModule(OLD).bytes()
    assert (here / "new.ko").read_bytes() == BuiltModule(NEW).bytes()


def test_dry_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that a dry run says the same and writes nothing."""
    assert run(capsys, "foo.ko", "--accept", "foo_*", "--accept", "bar", "--dry-run") == (0, CHANGES, "")
    assert (here / "foo.ko").read_bytes() == BuiltModule(OLD).bytes()


def test_nothing_to_do(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that a module with the right versions is not written again, but copied where -o asks for it."""
    BuiltModule(NEW).write(here / "foo.ko")
    os.utime("foo.ko", (1, 1))
    output = f"{DEPENDS}foo.ko: all 3 versions are right\n"
    assert run(capsys, "foo.ko") == (0, output, "")
    assert os.stat("foo.ko").st_mtime == 1
    assert run(capsys, "foo.ko", "-o", "copy.ko") == (0, output, "")
    assert (here / "copy.ko").read_bytes() == BuiltModule(NEW).bytes()


def test_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that what nothing allows is listed on stderr with status 1, and that nothing is written."""
    assert run(capsys, "foo.ko", "--accept", "bar") == (
        1,
        f"foo.ko: bar  0x22222222 -> 0x55555555  accepted (bar)\n{DEPENDS}",
        "foo.ko: foo_open: its CRC was 0x11111111, is 0x44444444: nothing tells that this is harmless\n"
        "kbuild-py: refused, nothing was written; --accept SYMBOL vouches for a symbol, "
        "--symtypes-old and --symtypes-new prove it\n",
    )
    assert (here / "foo.ko").read_bytes() == BuiltModule(OLD).bytes()


def test_all_or_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that of several modules none is written if one is refused."""
    BuiltModule({"gone": 1}).write(here / "other.ko")
    status, _, errors = run(capsys, "foo.ko", "other.ko", "--accept", "*")
    assert (status, errors) == (
        1,
        "other.ko: gone: the new kernel does not export it (if another module does, give its dump too)\n"
        "kbuild-py: refused, nothing was written\n",
    )
    assert (here / "foo.ko").read_bytes() == BuiltModule(OLD).bytes()


SYMTYPES = """\
s#s struct s {{ int {0} ; }}
foo_open int foo_open ( s#s * )
bar int bar ( {1} )
"""


def test_proof(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that symtypes prove what is harmless, and refuse with the difference what is not."""
    (here / "old.symtypes").write_text(SYMTYPES.format("a", "int"))
    (here / "new.symtypes").write_text(SYMTYPES.format("b", "long"))
    proof = ["--symtypes-old", "old.symtypes", "--symtypes-new", "new.symtypes"]
    status, output, errors = run(capsys, "foo.ko", *proof)
    assert (status, output.splitlines()[0]) == (
        1,
        "foo.ko: foo_open  0x11111111 -> 0x44444444  "
        "same layout (parameter 1 -> struct s: .a was renamed .b)",
    )
    assert errors.splitlines()[0] == (
        "foo.ko: bar: its CRC was 0x22222222, is 0x55555555: not the same layout: parameter 1: was int, is long"
    )
    assert run(capsys, "foo.ko", *proof, "--accept", "bar")[0] == 0
    assert (here / "foo.ko").read_bytes() == BuiltModule(NEW).bytes()


def test_modinfo(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that depends and vermagic are changed on request, the latter from a text or another module."""
    BuiltModule(OLD, modinfo=["vermagic=6.12.0 SMP ", "name=other"]).write(here / "other.ko")
    status, output, _ = run(capsys, "foo.ko", "--accept", "*", "--depends", "--vermagic-of", "other.ko")
    assert (status, output.splitlines()[2:4]) == (
        0,
        [
            "foo.ko: depends '' -> 'foo'",
            "foo.ko: vermagic '6.1.0 SMP mod_unload modversions ' -> '6.12.0 SMP '",
        ],
    )
    module = read_module("foo.ko")
    assert (module.value("depends"), module.value("vermagic")) == ("foo", "6.12.0 SMP ")
    assert run(capsys, "foo.ko", "--vermagic", "7.0 ")[0] == 0
    assert read_module("foo.ko").value("vermagic") == "7.0 "


ERRORS = {
    ("missing.ko",): "kbuild-py: missing.ko: No such file or directory\n",
    (".",): "kbuild-py: .: Invalid argument\n",
    ("Module.symvers",): "kbuild-py: Module.symvers: not an ELF file\n",
    ("foo.ko", "--symvers", "missing"): "kbuild-py: missing: No such file or directory\n",
    ("foo.ko", "--accept", "*", "-o", "no/new.ko"): "kbuild-py: no/new.ko: No such file or directory\n",
    ("foo.ko", "--symtypes-old", "no", "--symtypes-new", "no"): "kbuild-py: no: No such file or directory\n",
    ("foo.ko", "--vermagic-of", "no.ko"): "kbuild-py: no.ko: No such file or directory\n",
}


@pytest.mark.parametrize("arguments", ERRORS)
def test_errors(here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """Check that each bad file is one line and status 2."""
    status, _, errors = run(capsys, *arguments)
    assert (status, errors) == (2, ERRORS[arguments])


USAGE = {
    ("foo.ko", "other.ko", "-o", "x.ko"): "-o is for one FILE",
    ("foo.ko", "--symtypes-old", "x"): "--symtypes-old and --symtypes-new belong together",
    ("foo.ko", "--vermagic", "x", "--vermagic-of", "y"): "not allowed with argument",
}


@pytest.mark.parametrize("arguments", USAGE)
def test_usage(here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """Check that options that do not go together are refused before anything is read."""
    with pytest.raises(SystemExit) as exit_:
        run(capsys, *arguments)
    assert exit_.value.code == 2
    assert USAGE[arguments] in capsys.readouterr().err


def test_closed_output(here: Path) -> None:
    """Check that a closed pipe is no traceback."""
    command = f"'{sys.executable}' -m modpost_py.kbuild.cli restamp foo.ko --symvers Module.symvers --dry-run"
    found = subprocess.run(
        f"{{ {command}; }} 2>errors | true",
        shell=True,
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert found.returncode == 0
    assert "Traceback" not in (here / "errors").read_text()


FOO = """\
#include <linux/module.h>
int foo_open(int); int bar(void);
int foo(void);
int foo(void) { return foo_open(1) + bar(); }
MODULE_LICENSE("GPL");
"""


def build(directory: Path, dump: str) -> Path:
    """Compile and link foo.ko against a dump, with modpost-py in between."""
    directory.mkdir()
    (directory / "foo.c").write_text(FOO)
    (directory / "foo.mod").write_text("foo.o\n")
    (directory / ".foo.o.cmd").write_text("savedcmd_foo.o := gcc -c foo.c\n")
    (directory / "Module.symvers").write_text(dump)
    compiler = ["gcc", "-c", "-nostdinc", f"-I{INCLUDE}", "-DMODULE", "-O2", "-fno-pic", '-DKBUILD_MODNAME="foo"']
    compiler.append("-fno-stack-protector")
    python = [sys.executable, "-m", "modpost_py", "--kernel", "6.12", "-M", "-m", "-e"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command in (
        [*compiler, "foo.c", "-o", "foo.o"],
        [*python, "-i", "Module.symvers", "-o", "out", "foo.o"],
        [*compiler, "foo.mod.c", "-o", "foo.mod.o"],
        ["ld", "-r", "-o", "foo.ko", "foo.o", "foo.mod.o"],
    ):
        subprocess.run(command, cwd=directory, env=environment, check=True)
    return directory / "foo.ko"


@pytest.mark.skipif(shutil.which("gcc") is None or shutil.which("ld") is None, reason="needs gcc and ld")
def test_as_if_compiled_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that a restamped module says what one says that was compiled for the other kernel."""
    old = build(tmp_path / "old", symvers("0x1 module_layout", "0x2 foo_open vmlinux", "0x3 bar lib/zlib-bar"))
    new = build(tmp_path / "new", symvers("0x1 module_layout", "0xffffffff foo_open a/foo", "0x3 bar lib/zlib-bar"))
    before = old.read_bytes()
    assert main([str(old), "--symvers", str(new.parent / "Module.symvers"), "--accept", "foo_open", "--depends"]) == 0
    capsys.readouterr()
    restamped, compiled = ModuleFile.read(str(old)), ModuleFile.read(str(new))
    assert bytes(restamped.section("__versions") or b"") == bytes(compiled.section("__versions") or b"")
    assert restamped.versions() == compiled.versions()
    assert sorted(restamped.modinfo()) == sorted(compiled.modinfo())
    assert restamped.data != before
    listing = subprocess.run(["readelf", "-aW", old], capture_output=True, text=True, check=True)
    assert listing.stderr == ""
