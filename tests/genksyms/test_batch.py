# SPDX-License-Identifier: GPL-2.0-or-later
"""Many files in one run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genksyms_py.batch import BatchResult, run_batch
from genksyms_py.dialects import dialect_of
from genksyms_py.versions import exact_run
from tests.genksyms.running import PROGRAM, run, start, unit

HEADERS = ("typedef int t;", "typedef long t;", "struct t { int a; };", "")


def _source(number: int) -> bytes:
    """Units that share a header's text, which means something else in each."""
    shared = '\n# 1 "shared.h" 1\nstruct s { t *a; struct t *b; }; int f(struct s t);'
    return unit("f", "g", header=HEADERS[number % 4] + shared, source=f"int g(int a[{number}]);")


@pytest.fixture()
def tree(tmp_path: Path) -> list[str]:
    """Thirty units below ``tmp_path``; the paths as they are listed."""
    paths = [f"{'abc'[number % 3]}/{number}.i" for number in range(30)]
    for number, path in enumerate(paths):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(_source(number))
    return paths


def _expected(paths: list[str]) -> str:
    lines = []
    for path in paths:
        for version in exact_run(_source(int(path[2:-2])), dialect_of("6.1")).versions:
            lines.append(f"{path}\t{version.name}\t0x{version.crc:08x}\n")
    return "".join(lines)


@pytest.mark.parametrize("jobs", [[], ["-j", "2"], ["-j3"], ["--jobs=1"]])
def test_order(tree: list[str], tmp_path: Path, jobs: list[str]) -> None:
    """Check lines and their order, whatever the number of processes; each unit counts for itself."""
    reordered = [*reversed(tree), tree[3]]
    assert run(["--batch", *jobs, *reordered], directory=tmp_path) == (0, _expected(reordered), "")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_symtypes_tree(tree: list[str], tmp_path: Path, jobs: str) -> None:
    """Check that every unit's symtypes file is what -T writes, under the unit's path."""
    arguments = ["--batch", "-j", jobs, "--root", tmp_path, "--symtypes-dir", tmp_path / "out/types"]
    assert run([*arguments, *tree], directory=Path("/")) == (0, _expected(tree), "")
    written = sorted(str(path.relative_to(tmp_path / "out/types")) for path in (tmp_path / "out").rglob("*.*"))
    assert written == sorted(f"{path[:-2]}.symtypes" for path in tree)
    for number, path in enumerate(tree):
        text = (tmp_path / "out/types" / f"{path[:-2]}.symtypes").read_text()
        assert text == exact_run(_source(number), dialect_of("6.1")).symtypes_text()


def test_files_from(tree: list[str], tmp_path: Path) -> None:
    """Check lists of files, from a file and from stdin, behind files of the command line."""
    listing = "\n".join(tree[1:]) + "\n\n"
    (tmp_path / "list").write_text(listing)
    expected = (0, _expected(tree), "")
    assert run(["--batch", "--files-from", "list", tree[0]], directory=tmp_path) == expected
    assert run(["--batch", tree[0], "--files-from=-"], listing.encode(), directory=tmp_path) == expected
    assert run(["--batch", "--root", tmp_path, "--files-from", tmp_path / "list", "--", tree[0]]) == expected


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_failing_file(tree: list[str], tmp_path: Path, jobs: str) -> None:
    """Check that files that cannot be read are reported, the others go on, and the exit status is 1."""
    (tmp_path / "directory.i").mkdir()
    paths = [*tree[:12], "directory.i", "gone.i", *tree[12:]]
    messages = "directory.i: Is a directory\ngone.i: No such file or directory\n"
    assert run(["--batch", "-j", jobs, *paths], directory=tmp_path) == (1, _expected(tree), messages)


def test_symtypes_that_cannot_be_written(tree: list[str], tmp_path: Path) -> None:
    """Check that a file in the way of a directory is told, the others are written, and the exit status is 1."""
    (tmp_path / "types").mkdir()
    (tmp_path / "types/b").write_text("in the way")
    status, stdout, stderr = run(["--batch", "--symtypes-dir", "types", *tree[:3]], directory=tmp_path)
    assert (status, stdout) == (1, _expected([tree[0], tree[2]]))
    assert (stderr.count("\n"), stderr.startswith("types/b: ")) == (1, True)
    assert sorted(os.listdir(tmp_path / "types")) == ["a", "b", "c"]


def test_paths_stay_inside(tmp_path: Path) -> None:
    """Check that absolute paths and paths with .. and other names write below the symtypes directory."""
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/x.i").write_bytes(unit("x", header="int x;"))
    (tmp_path / "in/y.txt").write_bytes(unit("x", header="int x;"))
    paths = ["../x.i", "../y.txt", str(tmp_path / "in/x.i")]
    stdout = "".join(f"{path}\tx\t0xb8a39400\n" for path in paths)
    assert run(["--batch", "--symtypes-dir", "../../out", *paths], directory=tmp_path / "in/deep") == (0, stdout, "")
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.symtypes")}
    assert written == {"x.symtypes", "y.txt.symtypes", str(tmp_path / "in/x.symtypes")[1:]}


def test_names_of_any_bytes(tmp_path: Path) -> None:
    """Check that a path that is no UTF-8 is printed as it was listed, also where it fails."""
    name = os.fsdecode(b"\xff.i")
    (tmp_path / name).write_bytes(unit("x", header="int x;"))
    expected = (1, "\xff.i\tx\t0xb8a39400\n", "\xfe.i: No such file or directory\n")
    assert run(["--batch", name, os.fsdecode(b"\xfe.i")], directory=tmp_path) == expected


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--batch", "-w"], 1, f"{PROGRAM}: option '-w' does not go with --batch; see --help\n"),
        (["--batch", "-j"], 1, f"{PROGRAM}: -j takes a number of processes, not ''\n"),
        (["--batch", "-j", "0"], 1, f"{PROGRAM}: -j takes a number of processes, not '0'\n"),
        (["--batch", "--jobs=two"], 1, f"{PROGRAM}: -j takes a number of processes, not 'two'\n"),
        (["--batch", "--root"], 1, f"{PROGRAM}: option '--root' requires an argument\n"),
        (["--batch", "--files-from", "none"], 2, "none: No such file or directory\n"),
        (["--batch"], 0, ""),
        (["--batch", "-q"], 0, ""),
    ],
)
def test_options(arguments: list[str], status: int, message: str, tmp_path: Path) -> None:
    """Check what is said of options that do not fit, and that no files are no error."""
    outcome = run(arguments, directory=tmp_path)
    assert (outcome.status, outcome.stdout) == (status, "")
    assert outcome.stderr.removeprefix(f"{PROGRAM}: ") == message.removeprefix(f"{PROGRAM}: ")


def test_strict(tmp_path: Path) -> None:
    """Check that --strict tells of each file what it tells of one, and that exit status is 1 then."""
    (tmp_path / "a.i").write_bytes(unit("x", "y", header="int x;"))
    (tmp_path / "b.i").write_bytes(unit("x", header="int x;"))
    stdout = "a.i\tx\t0xb8a39400\nb.i\tx\t0xb8a39400\n"
    message = "x.c:4:1: no declaration of the exported symbol y: it gets no CRC\n"
    assert run(["--batch", "--strict", "a.i", "b.i"], directory=tmp_path) == (1, stdout, message)
    assert run(["--batch", "a.i", "b.i"], directory=tmp_path) == (0, stdout, "")


def test_the_call(tree: list[str], tmp_path: Path) -> None:
    """Check results of the library call, in order, with the reason for a failure."""
    results = list(run_batch(["b/1.i", "none.i"], dialect_of("6.1"), root=tmp_path))
    crcs = [(version.name, version.crc) for version in exact_run(_source(1), dialect_of("6.1")).versions]
    assert results[0] == BatchResult("b/1.i", crcs, [])
    assert (results[1].path, results[1].crcs, str(results[1].error).endswith("No such file or directory")) == (
        "none.i",
        [],
        True,
    )
    assert len(results) == 2


def test_as_a_program(tree: list[str], tmp_path: Path) -> None:
    """Check that several processes work from the command itself, too."""
    process = start(["--batch", "-j", "2", "--files-from", "-"], directory=tmp_path)
    stdout, stderr = process.communicate("\n".join(tree).encode())
    assert (process.returncode, stdout.decode(), stderr) == (0, _expected(tree), b"")
