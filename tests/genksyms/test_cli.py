# SPDX-License-Identifier: GPL-2.0-or-later
"""The command's options: those of the C tools, word for word, and our own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from genksyms_py import cli
from genksyms_py.arriving_text import ArrivingText
from genksyms_py.command_options import usage
from genksyms_py.dialects import dialect_of
from tests.genksyms.running import CHECKOUT, PROGRAM, run, start, unit

SOURCE = unit("x", "y", header="typedef int t; extern t x; struct A { int a; }; struct A *y;")
SYMVER = "#SYMVER x 0x7f69767f\n#SYMVER y 0x5b014f1b\n"

OUTPUTS = {
    "2.4": (
        "#define __ver_x\t7f69767f\n#define x\t_set_ver(x)\n#define __ver_y\t5b014f1b\n#define y\t_set_ver(y)\n"
    ),
    "5.10": "__crc_x = 0x7f69767f;\n__crc_y = 0x5b014f1b;\n",
    "6.1": SYMVER,
    "6.12": SYMVER,
    "7.2": SYMVER,
}


@pytest.mark.parametrize("kernel", OUTPUTS)
def test_output_forms(kernel: str) -> None:
    """Check the lines that each dialect prints for two exports."""
    assert run([], SOURCE, kernel=kernel) == (0, OUTPUTS[kernel], "")


@pytest.mark.parametrize("option", ["-R", "--relative-crc", "--rel"])
def test_relative_crcs(option: str) -> None:
    """Check the linker script that 5.10 prints with -R."""
    assert run([option], unit("x", header="int x;"), kernel="5.10") == (
        0,
        "SECTIONS { .rodata : ALIGN(4) { __crc_x = .; LONG(0xb8a39400); } }\n",
        "",
    )


USAGE_5_10 = """\
Usage:
genksyms [-adDTwqhVR] > /path/to/.tmp_obj.ver

  -s, --symbol-prefix   Select symbol prefix
  -d, --debug           Increment the debug level (repeatable)
  -D, --dump            Dump expanded symbol defs (for debugging only)
  -r, --reference file  Read reference symbols from a file
  -T, --dump-types file Dump expanded types into file
  -p, --preserve        Preserve reference modversions or fail
  -w, --warnings        Enable warnings
  -q, --quiet           Disable warnings (default)
  -h, --help            Print this message
  -V, --version         Print the release version
  -R, --relative-crc    Emit section relative symbol CRCs
"""
USAGE_6_1 = USAGE_5_10.replace("  -R, --relative-crc    Emit section relative symbol CRCs\n", "")
USAGE_6_12 = USAGE_6_1.replace("  -s, --symbol-prefix   Select symbol prefix\n", "")
USAGES = {"5.10": USAGE_5_10, "6.1": USAGE_6_1, "6.12": USAGE_6_12, "7.2": USAGE_6_12}

WRONG_OPTIONS = [
    ("6.1", ["-Z"], "invalid option -- 'Z'"),
    ("6.1", ["-wZ"], "invalid option -- 'Z'"),
    ("6.1", ["-R"], "invalid option -- 'R'"),
    ("7.2", ["-s", "_"], "invalid option -- 's'"),
    ("6.1", ["-k", "2.4.2"], "invalid option -- 'k'"),
    ("6.1", ["--nope"], "unrecognized option '--nope'"),
    ("6.1", ["--nope=3"], "unrecognized option '--nope=3'"),
    ("6.1", ["--symbol-prefix=_"], "unrecognized option '--symbol-prefix=_'"),
    ("6.12", ["--relative-crc"], "unrecognized option '--relative-crc'"),
    ("6.1", ["-T"], "option requires an argument -- 'T'"),
    ("5.10", ["-r"], "option requires an argument -- 'r'"),
    ("6.1", ["-s"], "option requires an argument -- 's'"),
    ("6.1", ["--reference"], "option '--reference' requires an argument"),
    ("6.1", ["--dump-types"], "option '--dump-types' requires an argument"),
    ("7.2", ["--warnings=1"], "option '--warnings' doesn't allow an argument"),
    (
        "6.1",
        ["--d"],
        "option '--d' is ambiguous; possibilities: '--debug' '--dump' '--dump-types'",
    ),
    ("5.10", ["--re"], "option '--re' is ambiguous; possibilities: '--reference' '--relative-crc'"),
]


@pytest.mark.parametrize(("kernel", "arguments", "message"), WRONG_OPTIONS)
def test_wrong_options(kernel: str, arguments: list[str], message: str) -> None:
    """Check getopt's message and the usage text, exit status 1 and no output."""
    assert run(arguments, SOURCE, kernel=kernel) == (1, "", f"{PROGRAM}: {message}\n{USAGES[kernel]}")


@pytest.mark.parametrize("kernel", ["5.10", "6.1"])
def test_symbol_prefix_is_dead(kernel: str) -> None:
    """Check that -s takes an argument and then is refused by the usage text alone."""
    assert run(["-s", "_"], SOURCE, kernel=kernel) == (1, "", USAGES[kernel])


@pytest.mark.parametrize("option", ["-h", "--help", "--h"])
@pytest.mark.parametrize("kernel", USAGES)
def test_help(kernel: str, option: str) -> None:
    """Check that help is the C tool's usage, then our own options, exit status 0, at once."""
    outcome = run([option, "-Z"], SOURCE, kernel=kernel)
    assert outcome == (0, "", usage(dialect_of(kernel), with_own=True))
    assert outcome.stderr.startswith(USAGES[kernel] + "\nBeyond the C tool:\n  --kernel VERSION ")
    assert option == "--h" or run(["--batch", option], kernel=kernel) == outcome


@pytest.mark.parametrize("option", ["-V", "--version", "--v"])
def test_version_goes_on(option: str) -> None:
    """Check that the version goes to stderr and the run goes on."""
    assert run([option], SOURCE) == (0, SYMVER, "genksyms version 2.5.60\n")


WARNING = "x.c:2: export undefined symbol y\n"


@pytest.mark.parametrize(
    ("arguments", "status", "warning"),
    [
        ([], 0, ""),
        (["-w"], 1, WARNING),
        (["--warnings"], 1, WARNING),
        (["-q", "-w"], 1, WARNING),
        (["-wq"], 0, ""),
        (["-w", "--quiet"], 0, ""),
        (["-w", "--qu"], 0, ""),
        (["file.c", "-w"], 1, WARNING),
        (["--", "-w"], 0, ""),
        (["-", "-w"], 1, WARNING),
    ],
)
def test_warnings(arguments: list[str], status: int, warning: str) -> None:
    """Check that the last one of -w and -q wins, with permutation and bundling, and that warnings count."""
    source = b'# 1 "x.c"\nint x;\n__GENKSYMS_EXPORT_SYMBOL(y); __GENKSYMS_EXPORT_SYMBOL(x);'
    assert run(arguments, source) == (status, "#SYMVER x 0xb8a39400\n", warning)


def test_dump() -> None:
    """Check what -D shows, the CRC lines staying on stdout."""
    stderr = "Export x == <typedef int t x >\nExport y == <struct A { int a ; } * y >\n"
    assert run(["-D"], SOURCE) == (0, SYMVER, stderr)
    assert run(["--dump"], SOURCE) == (0, SYMVER, stderr)


def test_debug() -> None:
    """Check what -d shows of every new entry and of the table."""
    stderr = (
        "Defn for typedef t == <typedef int t >\n"
        "Defn for type0 x == <extern t#t x >\n"
        "Defn for struct A == <struct A { int a ; } >\n"
        "Defn for type0 y == <s#A * y >\n"
        "Hash table occupancy 4/4096 = 0.000976562\n"
    )
    assert run(["-d"], SOURCE) == (0, SYMVER, stderr)


SYMTYPES = "t#t typedef int t \nx extern t#t x \ns#A struct A { int a ; } \ny s#A * y \n"


@pytest.mark.parametrize(
    "arguments", [["-T", "out"], ["-Tout"], ["--dump-types", "out"], ["--dump-types=out"], ["--dump-t=out"], ["-wTout"]]
)
def test_symtypes(arguments: list[str], tmp_path: Path) -> None:
    """Check the symtypes file in all spellings of the option."""
    assert run(arguments, SOURCE, directory=tmp_path) == (0, SYMVER, "")
    assert (tmp_path / "out").read_text() == SYMTYPES


def test_symtypes_twice(tmp_path: Path) -> None:
    """Check that of two -T files both are made and the last one is written."""
    (tmp_path / "first").write_text("old")
    assert run(["-T", "first", "-T", "last"], SOURCE, directory=tmp_path) == (0, SYMVER, "")
    assert ((tmp_path / "first").read_text(), (tmp_path / "last").read_text()) == ("", SYMTYPES)


def test_symtypes_without_exports(tmp_path: Path) -> None:
    """Check that without exports the symtypes file is there and empty."""
    assert run(["-T", "out"], unit(header="int x;"), directory=tmp_path) == (0, "", "")
    assert (tmp_path / "out").read_bytes() == b""


def test_symtypes_on_a_pipe() -> None:
    """Check that -T /dev/stdout goes where stdout goes, also through a pipe."""
    process = start(["-T", "/dev/stdout"])
    stdout, stderr = process.communicate(SOURCE)
    assert (process.returncode, sorted(stdout.decode().splitlines()), stderr) == (
        0,
        sorted((SYMVER + SYMTYPES).splitlines()),
        b"",
    )


REFERENCE = "t#t typedef long t \nx extern t#t x \ns#A struct A { UNKNOWN } \ny s#A * y \n"
CHANGED_X = "x: modversion changed because of changes in typedef t\n"
CHANGED_Y = "y: modversion changed because of changes in struct A (became defined)\n"


def test_reference(tmp_path: Path) -> None:
    """Check that changes against a reference are warned of, even when quiet, and that the new CRC is printed."""
    (tmp_path / "ref").write_text(REFERENCE)
    expected = f"x.c:3: warning: {CHANGED_X}x.c:4: warning: {CHANGED_Y}"
    for arguments in (["-r", "ref"], ["--reference=ref"], ["--ref", "ref"], ["-r", "/dev/null", "-r", "ref"]):
        assert run(arguments, SOURCE, directory=tmp_path) == (0, SYMVER, expected)
    (tmp_path / "both").write_text("t#t typedef long t \nx t#t x \nf void f ( t#t ) \n")
    both = "x.c:3: warning: f: modversion changed because of changes in typedef t, f\n"
    source = unit("f", header="typedef int t; int f(t);")
    assert run(["-r", "both"], source, directory=tmp_path)[2] == both
    (tmp_path / "same").write_text(SYMTYPES)
    assert run(["-r", "same"], SOURCE, directory=tmp_path) == (0, SYMVER, "")
    (tmp_path / "empty").write_text("")
    assert run(["-r", "empty"], SOURCE, directory=tmp_path) == (0, SYMVER, "")


def test_no_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a reference without content, as kbuild passes it, costs no unit its fast path."""
    (tmp_path / "empty").touch()
    (tmp_path / "ref").write_text(REFERENCE)
    found = [cli._has_content(str(path)) for path in ("/dev/null", tmp_path / "empty", tmp_path / "ref", "/dev/tty")]
    assert found == [False, False, True, True]
    monkeypatch.setattr(cli, "exact_run", None)
    source = ArrivingText([unit("x", header="int x;")])
    result = cli._unit_versions(source, cli.Settings(reference="/dev/null"), cli.OwnOptions(), dialect_of("6.1"))
    assert [version.name for version in result.versions] == ["x"]


def test_preserve(tmp_path: Path) -> None:
    """Check that with -p a change is an error that counts, unless the reference overrides it."""
    (tmp_path / "ref").write_text(REFERENCE)
    expected = f"x.c:3: error: {CHANGED_X}x.c:4: error: {CHANGED_Y}"
    for option in ("-p", "--preserve", "--p"):
        assert run([option, "-r", "ref"], SOURCE, directory=tmp_path) == (1, SYMVER, expected)
    (tmp_path / "ref").write_text("override x int x \n")
    stdout = "#SYMVER x 0xb8a39400\n#SYMVER y 0x5b014f1b\n"
    message = "x.h:1: ignoring x modversion change\n"
    assert run(["-p", "-r", "ref", "-T", "out"], SOURCE, directory=tmp_path) == (0, stdout, message)
    assert (tmp_path / "out").read_text() == "override x int x \ns#A struct A { int a ; } \ny s#A * y \n"
    assert run(["-p"], SOURCE) == (0, SYMVER, "")


def test_bytes_stay_bytes(tmp_path: Path) -> None:
    """Check that bytes that are no ASCII come out as they went in: on stderr, in symtypes, in the CRC."""
    exports = "__GENKSYMS_EXPORT_SYMBOL(x);\n__GENKSYMS_EXPORT_SYMBOL(y);\n"
    source = f'# 1 "\xe9.c"\nint x __attribute__((a("\xe9"))) = 1;\n{exports}'.encode("latin-1")
    status, stdout, stderr = run(["-wD", "-T", "out"], source, directory=tmp_path)
    definition = 'int x __attribute__ ( ( a ( "\xe9" ) ) ) '
    assert (status, stdout) == (1, "#SYMVER x 0x89caacca\n")
    assert stderr == f"Export x == <{definition}>\n\xe9.c:3: export undefined symbol y\n"
    assert (tmp_path / "out").read_text("latin-1") == f"x {definition}\n"


def test_strict_and_kernel_stand_anywhere() -> None:
    """Check our own options among the C tool's, in both spellings, and the one that lacks its argument."""
    crc = "__crc_x = 0x7f69767f;\n__crc_y = 0x5b014f1b;\n"
    assert run(["-w", "--kernel=5.10", "--strict", "-q"], SOURCE, kernel=None) == (0, crc, "")
    assert run(["-w", "--strict", "--kernel", "5.10"], SOURCE, kernel=None) == (0, crc, "")
    message = f"{PROGRAM}: option '--kernel' requires an argument\n"
    assert run(["--kernel"], SOURCE, kernel=None) == (1, "", message)


def test_arguments_that_look_like_our_options(tmp_path: Path) -> None:
    """Check that the word behind an option of the C tool that takes one is that option's, whatever it is."""
    source = unit("none", header="int x;")
    assert run(["-T", "--strict", "-wT", "--batch"], source, directory=tmp_path)[0] == 1
    assert run(["-T", "--strict"], source, directory=tmp_path) == (0, "", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["--batch", "--strict"]


def test_modversions_header() -> None:
    """Check the header of 2.4 that includes the .ver files."""
    expected = (
        "#ifndef _LINUX_MODVERSIONS_H\n#define _LINUX_MODVERSIONS_H\n#include <linux/modsetver.h>\n"
        "#include <linux/modules/a.ver>\n#include <linux/modules/b.ver>\n#endif\n"
    )
    files = ["linux/modules/a.ver", "linux/modules/b.ver"]
    assert run(["--modversions-h", *files], kernel="2.4.2") == (0, expected, "")


PRINTK = (
    "__attribute__((regparm(0))) int printk(const char * fmt, ...) __attribute__ ((format (printf, 1, 2)));\n"
    "EXPORT_SYMBOL(printk);\n"
)


@pytest.mark.parametrize(
    ("arguments", "crc"),
    [
        (["-k", "2.4.2"], "1b7d4074"),
        (["-k2.4.2"], "1b7d4074"),
        (["-k", "2.4.2", "-p", "smp_"], "smp_1b7d4074"),
        (["-p", "smp_", "-a", "i386", "-k", "2.4.2"], "smp_1b7d4074"),
    ],
)
def test_printk_of_2_4(arguments: list[str], crc: str) -> None:
    """Check the published version printk_R1b7d4074, and the prefix that marks kernels for several processors."""
    expected = f"#define __ver_printk\t{crc}\n#define printk\t_set_ver(printk)\n"
    assert run(arguments, PRINTK.encode(), kernel=None) == (0, expected, "")


def test_bare_checkout(tmp_path: Path) -> None:
    """Check that python -m genksyms_py works from another directory with nothing installed but the dependencies."""
    process = start(["-T", "out", "-Z"], directory=tmp_path)
    _, stderr = process.communicate(b"")
    assert (process.returncode, stderr.decode()) == (1, f"genksyms-py: invalid option -- 'Z'\n{USAGE_6_1}")
    process = start(["-T", "out"], directory=tmp_path)
    stdout, stderr = process.communicate(SOURCE)
    assert (process.returncode, stdout.decode(), stderr) == (0, SYMVER, b"")
    assert (tmp_path / "out").read_text() == SYMTYPES


def test_the_module_runs_as_a_program() -> None:
    """Check that the command needs nothing of the place it is started from."""
    command = [sys.executable, "-P", "-m", "genksyms_py", "--kernel", "6.1"]
    environment = {"PYTHONPATH": str(CHECKOUT)}
    result = subprocess.run(command, input=SOURCE, capture_output=True, cwd="/", env=environment)
    assert (result.returncode, result.stdout.decode(), result.stderr) == (0, SYMVER, b"")
