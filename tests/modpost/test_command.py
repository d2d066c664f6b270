# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: getopt's rules, lists of objects, how the kernel is chosen, and what start-up costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import modpost_py
from genksyms_py.gnu_getopt import OptionError
from modpost_py.cli import Extras, main, parsed, requested_kernel
from modpost_py.dialects import DIALECTS, choose_dialect, dialect_of
from modpost_py.errors import DialectError, UsageError
from modpost_py.options import Options
from tests.modpost.module_writer import ExportSpec, ModuleSpec
from tests.modpost.running import ALL, SINCE_6_1, SINCE_6_12, run_in

LETTERS = {
    "5.10": "emnawEN",
    "6.1": "emnaWwEN",
    "6.12": "eMmntaWwEN",
    "7.2": "eMmntaWwENxb",
    "7.3": "eMmntaWwENxb",
}
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_letters(dialect: modpost_py.Dialect) -> None:
    """Check which letters each dialect knows."""
    known = set()
    for letter in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        try:
            parsed([f"-{letter}x" if letter in "iTodu" else f"-{letter}"], dialect)
            known.add(letter)
        except OptionError as error:
            assert str(error) == f"invalid option -- '{letter}'"
    arguments = "iTod" if dialect.name in ("5.10", "6.1") else "iTodu"
    assert known == set(LETTERS[dialect.name] + arguments)


def test_operands_may_come_first() -> None:
    """Check permutation, bundling, arguments in the same word and the end of options."""
    words = ["a.o", "-mei", "one", "-itwo", "b.o", "-oout", "--", "-x.o"]
    assert parsed(words, dialect_of("6.1")) == (
        Options(
            objects=("a.o", "b.o", "-x.o"),
            dumps=("one", "two"),
            dump="out",
            modversions=True,
            is_external=True,
        ),
        Extras(),
    )


@pytest.mark.parametrize("word", ["--explain=1", "--zork", "--", "-"])
def test_long_words(word: str) -> None:
    """Check that an unknown long option is to modpost the letter ``-``, and that ``-`` is an operand."""
    dialect = dialect_of("6.1")
    if word == "--zork":
        with pytest.raises(OptionError, match=r"^invalid option -- '-'$"):
            parsed([word], dialect)
    elif word == "--explain=1":
        with pytest.raises(OptionError, match="doesn't allow an argument"):
            parsed([word], dialect)
    else:
        assert parsed([word], dialect)[0].objects == (() if word == "--" else ("-",))


def test_extras() -> None:
    """Check our own options and that a format must be one that exists."""
    dialect = dialect_of("6.1")
    assert parsed(["--explain", "--format", "sarif", "--github"], dialect)[1] == Extras("sarif", True, True)
    with pytest.raises(UsageError, match="unknown format 'xml'"):
        parsed(["--format=xml"], dialect)


@pytest.mark.parametrize(
    ("words", "kernel"),
    [
        ([], None),
        (["--kernel", "6.1"], "6.1"),
        (["x.o", "--kernel=5.10", "-Z"], "5.10"),
        (["--kernel", "5.10", "--kernel", "7.x"], "7.x"),
        (["-o", "--kernel"], None),
        (["--", "--kernel", "6.1"], None),
    ],
)
def test_requested_kernel(words: list[str], kernel: str | None) -> None:
    """Check that the kernel is found wherever it stands, before the other options are understood."""
    assert requested_kernel(words) == kernel


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("5.10.0-46-amd64", "5.10"), ("5.18", "5.10"), ("5.19", "6.1"), ("6.1", "6.1"), ("6.4.1", "6.1"),
        ("6.5", "6.12"), ("6.12.107+deb13-arm64", "6.12"), ("6.13", "6.12"), ("6.14", "7.2"), ("7.2", "7.2"),
        ("7.3.4", "7.3"), ("7.x", "7.3"), ("8.0", "7.3"),
    ],
)  # fmt: skip
def test_dialect_of_release(release: str, name: str) -> None:
    """Check which dialect serves a release."""
    assert dialect_of(release).name == name


@pytest.mark.parametrize(
    ("environment", "release_file", "name"),
    [
        ({"MODPOST_KERNEL": "6.1", "KERNELRELEASE": "5.10"}, "7.2", "6.1"),
        ({"KERNELRELEASE": "6.12.1"}, "6.1", "6.12"),
        ({"KERNELVERSION": "5.10.1", "KERNELRELEASE": ""}, "6.1", "5.10"),
        ({}, "6.1.0-50-amd64\n", "6.1"),
        ({}, None, "7.3"),
    ],
)
def test_choice_of_dialect(environment: dict[str, str], release_file: str | None, name: str, tmp_path: Path) -> None:
    """Check the order of the places that tell the kernel."""
    if release_file is not None:
        (tmp_path / "include/config").mkdir(parents=True)
        (tmp_path / "include/config/kernel.release").write_text(release_file)
    assert choose_dialect(None, environment, tmp_path).name == name


def test_unreadable_release_names_its_origin(tmp_path: Path) -> None:
    """Check that the message says which variable is wrong."""
    with pytest.raises(DialectError, match=r"^MODPOST_KERNEL: not a kernel version: 'new'"):
        choose_dialect(None, {"MODPOST_KERNEL": "new"}, tmp_path)


# --- lists of objects ---------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ALL)
def test_list_of_objects(dialect: str, tmp_path: Path) -> None:
    """Check that a list has a path a line, the last without newline, after the operands."""
    paths = [ModuleSpec(name).write(tmp_path, dialect) for name in ("first", "with space", "last")]
    (tmp_path / "list").write_text(f"{paths[1]}\n{paths[2]}")
    outcome = run_in(tmp_path, dialect, ["-w", "-T", "list", "first.o"])
    assert [module.name for module in outcome.result.modules] == ["first", "with space", "last"]


@pytest.mark.parametrize("dialect", ["5.10", "6.1"])
def test_list_on_stdin(dialect: str, tmp_path: Path) -> None:
    """Check that ``-T -`` reads stdin."""
    path = ModuleSpec("foo").write(tmp_path, dialect)
    outcome = run_in(tmp_path, dialect, ["-w", "-T", "-"], stdin=f"{path}\n".encode())
    assert "foo.mod.c" in outcome.files


@pytest.mark.parametrize("dialect", SINCE_6_12)
def test_dash_is_a_file_name(dialect: str, tmp_path: Path) -> None:
    """Check that since 6.12 ``-T -`` reads a file of that name."""
    (tmp_path / "-").write_text(ModuleSpec("foo").write(tmp_path, dialect) + "\n")
    assert "foo.mod.c" in run_in(tmp_path, dialect, ["-w", "-T", "-"], stdin=b"bar.o\n").files


@pytest.mark.parametrize("dialect", SINCE_6_1)
def test_blank_line(dialect: str, tmp_path: Path) -> None:
    """Check that a blank line is a path without suffix."""
    (tmp_path / "list").write_text("\n")
    outcome = run_in(tmp_path, dialect, ["-T", "list"])
    assert (outcome.status, outcome.stderr) == (1, "ERROR: modpost: : filename must be suffixed with .o\n")


@pytest.mark.parametrize(("options", "status", "text"), [
    ("", 1, "No such file or directory\n"), ("-n", 0, ": No such file or directory (ignored)\n")])  # fmt: skip
def test_blank_line_of_5_10(options: str, status: int, text: str, tmp_path: Path) -> None:
    """Check that to 5.10 a blank line is a file that cannot be opened."""
    (tmp_path / "list").write_text("\n")
    (tmp_path / "dump").write_text("0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n")
    outcome = run_in(tmp_path, "5.10", [*options.split(), "-i", "dump", "-T", "list"])
    assert (outcome.status, outcome.stderr) == (status, text)


def test_section_mismatches_as_errors(tmp_path: Path) -> None:
    """Check the last words of -E (which has a test of its own for each dialect beside the section checks)."""
    from tests.modpost.elf_writer import ElfWriter

    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0description=x\0")
    text = elf.section(".text", flags=6, data=bytes(8))
    freed = elf.symbol("freed", elf.section(".init.text", flags=6, data=bytes(8)))
    elf.symbol("stays", text)
    elf.relocations(text, [(0, freed, 1, 0)])
    elf.write(tmp_path / "foo.o")
    (tmp_path / "dump").write_text("0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n")
    words = "Section mismatches detected.\nSet CONFIG_SECTION_MISMATCH_WARN_ONLY=y to allow them.\n"
    for dialect in ALL:
        prefix = "FATAL" if dialect == "5.10" else "ERROR"
        outcome = run_in(tmp_path, dialect, ["-E", "-i", "dump", "foo.o"])
        assert outcome.status == 1
        assert outcome.stderr.endswith(f"\n{prefix}: modpost: {words}")
        assert run_in(tmp_path, dialect, ["-i", "dump", "foo.o"]).status == 0


# --- the command --------------------------------------------------------------------------


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if key not in ("KERNELRELEASE", "KERNELVERSION")}
    environment |= {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-m", "modpost_py", *words],
        cwd=cwd,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


def test_process(tmp_path: Path) -> None:
    """Check files, streams and exit status of the command as make would run it."""
    ModuleSpec("foo", exports=[ExportSpec("x")], undefined=["missing"]).write(tmp_path, "6.12")
    done = command("--kernel", "6.12", "-M", "-w", "-o", "out", "foo.o", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == 'WARNING: modpost: "missing" [foo.ko] undefined!\n'
    assert (tmp_path / "out").read_text() == "0x00000000\tx\tfoo\tEXPORT_SYMBOL\t\n"


def test_wrong_option(tmp_path: Path) -> None:
    """Check getopt's line and the exit status for an unknown option and a missing argument."""
    done = command("-Z", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.endswith(": invalid option -- 'Z'\n")
    done = command("-o", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.endswith(": option requires an argument -- 'o'\n")


def test_full_stdout(tmp_path: Path) -> None:
    """Check that a stdout that takes nothing is one line on stderr."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "modpost_py", "--format", "json"],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.endswith(": stdout: No space left on device\n") and done.stderr.count("\n") == 1


def test_nothing_to_do(tmp_path: Path) -> None:
    """Check that no arguments at all are no error."""
    done = command(cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Check --help and --version."""
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: modpost-py [OPTION]... [OBJECT.o]...\n")
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"modpost-py {modpost_py.__version__}\n"


def test_start_up_imports_nothing_large(tmp_path: Path) -> None:
    """Check that a small run does without the parsers of genksyms, pyelftools, and tables that it does not need."""
    ModuleSpec("foo").write(tmp_path, "6.1")
    program = (
        "import sys; from modpost_py.cli import main; main(['--kernel', '6.1', 'foo.o']);"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'pycparser', 'lark', 'elftools', 'argparse', 'multiprocessing', 'json', 'hashlib'}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, text=True, capture_output=True, check=True
    )
    assert done.stdout == "[]\n"


# --- the library --------------------------------------------------------------------------


def test_library_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that run() gives the results as objects."""
    monkeypatch.chdir(tmp_path)
    ModuleSpec("lib", exports=[ExportSpec("x", "GPL", crc=7)]).write(tmp_path, "6.12")
    ModuleSpec("user", undefined=["x", "missing"]).write(tmp_path, "6.12")
    seen: list[modpost_py.Diagnostic] = []
    result = modpost_py.run(
        ["lib.o", Path("user.o")],
        kernel="6.12",
        sink=seen.append,
        modversions=True,
        modules_enabled=True,
        warns_of_undefined=True,
        dump=Path("out"),
    )
    assert result.exit_status == 0
    assert [(found.severity, found.rule, found.module, found.values) for found in result.diagnostics] == [
        ("warning", "undefined-symbol", "lib", {"symbol": "module_layout"}),
        ("warning", "undefined-symbol", "user", {"symbol": "missing"}),
        ("warning", "undefined-symbol", "user", {"symbol": "module_layout"}),
    ]
    assert seen == result.diagnostics
    assert result.undefined == 3
    export = result.exports.find("x")
    assert export is not None
    assert (export.module.name, export.kind, export.crc, export.is_used) == ("lib", "EXPORT_SYMBOL_GPL", 7, True)
    assert result.written == ["lib.mod.c", "user.mod.c", "out"]


def test_library_call_does_not_raise_for_bad_objects(tmp_path: Path) -> None:
    """Check that what is wrong with an object is in the result, and that a wrong option is a TypeError."""
    result = modpost_py.run([tmp_path / "missing.o"], kernel="6.1")
    assert result.exit_status == 1
    assert [found.text for found in result.diagnostics] == [f"{tmp_path}/missing.o: No such file or directory\n"]
    with pytest.raises(TypeError):
        modpost_py.run([], kernel="6.1", no_such_option=True)


def test_many_objects_in_processes(tmp_path: Path) -> None:
    """Check that a run with many objects, read by several processes, is the same as one that reads them in turn."""
    names = [f"m{number}" for number in range(450)]
    for number, name in enumerate(names):
        undefined = [f"x{number - 1}", "missing"] if number % 7 else ["x_none.1"]
        module = ModuleSpec(name, exports=[ExportSpec(f"x{number}")], undefined=undefined, weak=["nowhere"])
        (tmp_path / f"{name}.o").write_bytes(module.object_bytes("6.12"))
    (tmp_path / "m300.o").write_bytes(b"\x7fELF broken")
    whole = run_in(tmp_path, "6.12", ["-M", "-w", "-o", "out", *(f"{name}.o" for name in names)])
    dump = (tmp_path / "out").read_text()
    assert [module.name for module in whole.result.modules] == [name for name in names if name != "m300"]
    assert [line.split("\t")[1] for line in dump.splitlines()] == [f"x{n}" for n in range(450) if n != 300]
    assert whole.status == 0 and len(whole.files) == 450
    # one a module, "missing" or "x_none"; "nowhere" is weak
    assert whole.result.undefined == 449
    (tmp_path / "m301.o").write_bytes(b"")
    failed = run_in(tmp_path, "6.12", ["-M", "-w", "-o", "out", *(f"{name}.o" for name in names)])
    assert (failed.status, failed.stderr) == (1, "m301.o: Invalid argument\n")
