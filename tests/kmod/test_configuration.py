# SPDX-License-Identifier: GPL-2.0-or-later
"""modprobe.d: which files, which lines, which statements; and the kernel's command line."""

from __future__ import annotations

import os
from collections.abc import Sized
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modpost_py.kmod.configuration import Configuration, Statement
from modpost_py.kmod.configuration_files import LogicalLine, Problem, configuration_files, logical_lines
from modpost_py.kmod.kernel_command_line import ModuleParameter, module_parameters


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"a\nb", [(1, "a"), (2, "b")]),
        (b"a \\\n b\nc\n", [(2, "a  b"), (3, "c")]),
        (b"a\\\n\\\nb\nc", [(3, "ab"), (4, "c")]),
        (b'a\\xb \\\\ \\# \\"\n', [(1, 'axb \\ # "')]),
        (b"# comment\n\\# comment too\n #none\n", [(3, " #none")]),
        (b"# comment \\\ncontinued\nd\n", [(3, "d")]),
        (b"a\0b\nc\n\0d\ne", [(1, "a"), (2, "c"), (4, "e")]),
        (b"end\\", [(1, "end\udcff")]),
        (b"end\\\\", [(1, "end\\")]),
        (b"end\\\n", [(2, "end")]),
        ("é\udcff".encode("utf-8", "surrogateescape"), [(1, "é\udcff")]),
    ],
)
def test_logical_lines(data: bytes, lines: list[tuple[int, str]]) -> None:
    """Check that lines are continued, unquoted, cut and numbered as kmod does."""
    assert list(logical_lines(data)) == [LogicalLine(*line) for line in lines]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_file(data: bytes) -> None:
    """Check that no bytes make the reader fail, and that each line that counts ends up as a statement or a problem."""
    configuration = Configuration()
    path = f"/dev/fd/{_pipe_with(data)}"
    configuration.add_file(path)
    os.close(int(path.rpartition("/")[2]))
    kinds: tuple[Sized, ...] = (
        configuration.aliases,
        configuration.blacklist,
        configuration.options,
        configuration.installs,
        configuration.removes,
        configuration.softdeps,
        configuration.problems,
    )
    blank_lines = [line for line in logical_lines(data) if not line.text.strip(" \t")]
    assert sum(len(kind) for kind in kinds) == len(list(logical_lines(data))) - len(blank_lines)


def _pipe_with(data: bytes) -> int:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


def test_statements(tmp_path: Path) -> None:
    """Check what each statement becomes: names normalised, texts kept but for the tabs of options."""
    file = tmp_path / "a.conf"
    file.write_text(
        "alias a-b[c-d]-* m-n ignored\nblacklist b-l x\noptions o-p  x=1\ty=2 \ninstall i-n \tcmd  x\nremove r-m\tcmd\n"
        "softdep s-d zz pre: a-x b post: c pre: d\nsoftdep two  pre: x post: y\nsoftdep none x\n"
    )
    configuration = Configuration.read([str(file)])
    assert configuration.aliases == [("a_b[c-d]_*", "m_n")]
    assert configuration.blacklist == ["b_l"]
    assert configuration.options == [("o_p", " x=1 y=2 ")]
    assert configuration.installs == [("i_n", "\tcmd  x")]
    assert configuration.removes == [("r_m", "cmd")]
    assert [(line.name, line.pre, line.post) for line in configuration.softdeps] == [
        ("s_d", ["a-x", "b", "d"], ["c"]),
        ("two", [], ["y"]),
        ("none", [], []),
    ]
    assert configuration.problems == []


def test_questions(tmp_path: Path) -> None:
    """Check what a configuration answers: patterns for aliases, commands and soft dependencies, names for options."""
    file = tmp_path / "a.conf"
    file.write_text(
        "alias disk-* d1\nalias disk-[0-9] d2\nalias disk_a d3\nalias b?d d5\nalias b??ed d4\n"
        "options d1 x=1\noptions disk_1 y=2\noptions d* z=3\n"
        "install d* first\ninstall d1 second\nremove x* gone\nsoftdep d? pre: p\nsoftdep d1 pre: q\n"
    )
    configuration = Configuration.read([str(file)])
    assert configuration.aliased("disk_1") == [("disk_*", "d1"), ("disk_[0-9]", "d2")]
    assert configuration.aliased("disk_a") == [("disk_*", "d1"), ("disk_a", "d3")]
    assert configuration.aliased("disk") == []
    assert configuration.aliased("béd") == []
    assert configuration.aliased("béed") == [("b??ed", "d4")]
    assert configuration.options_for("d1", "disk_1") == "x=1 y=2"
    assert configuration.options_for("d1", None) == "x=1"
    assert configuration.install_command("d1") == "first"
    assert configuration.install_command("e1") is None
    assert configuration.remove_command("x1") == "gone"
    assert configuration.has_command("d1")
    assert configuration.command_for("d1") == ("install", "second")
    assert configuration.command_for("x*") == ("remove", "gone")
    assert not configuration.has_command("d2")
    soft = configuration.soft_dependency("d1")
    assert soft is not None
    assert soft.pre == ["p"]
    assert configuration.soft_dependency("d11") is None


def test_pattern_of_many_stars() -> None:
    """Check that a pattern with many stars takes no longer than any other."""
    configuration = Configuration()
    configuration.aliases = [Statement("a*" * 40 + "b", "x"), Statement("*a" * 40, "y"), Statement("a*[ab]*a*?a", "z")]
    assert configuration.aliased("a" * 100 + "c") == []
    assert configuration.aliased("a" * 100) == configuration.aliases[1:]
    assert configuration.aliased("a" * 100 + "b") == configuration.aliases[:1]


def test_problems(tmp_path: Path) -> None:
    """Check that bad lines are told with the number of their last line and their first word, and others still read."""
    file = tmp_path / "a.conf"
    file.write_text("alias a\n\tfoo \\\n bar\ninclude x\nalias [ b\nblacklist ok\nsoftdep x \n")
    configuration = Configuration.read([str(file)], b"b[.x=1 ok.y=1")
    path = str(file)
    assert configuration.problems == [
        Problem("line", path, 1, "alias"),
        Problem("line", path, 3, "foo"),
        Problem("deprecated", path, 4, "include"),
        Problem("line", path, 5, "alias"),
        Problem("line", path, 7, "softdep"),
        Problem("command line", "", 0, "b["),
    ]
    assert configuration.blacklist == ["ok"]
    assert configuration.options == [("ok", "y=1")]


def test_files(tmp_path: Path) -> None:
    """Check that files are taken by base name, the first place counting, and read in the order of their names."""
    for path in (
        "1/b.conf",
        "1/Z.conf",
        "1/x.txt",
        "1/.h.conf",
        "2/b.conf",
        "2/a.alias",
        "2/d.conf/x.conf",
        "c",
        "3/c",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "1/mask.conf").symlink_to("/dev/null")
    (tmp_path / "2/mask.conf").touch()
    problems: list[Problem] = []
    places = [str(tmp_path / place) for place in ("1", "2", "c", "3/c", "nosuch", "c/x")]
    found = configuration_files(places, problems)
    assert [str(Path(path).relative_to(tmp_path)) for path in found] == [
        "1/Z.conf", "2/a.alias", "1/b.conf", "c", "1/mask.conf",
    ]  # fmt: skip
    assert problems == [Problem("nested", str(tmp_path / "2/d.conf"), 0, "")]


def test_unreadable_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a directory that cannot be read is a problem, and the next one is read."""
    (tmp_path / "ok").mkdir()
    (tmp_path / "ok/a.conf").write_text("blacklist x\n")
    (tmp_path / "closed").mkdir()
    listdir = os.listdir

    def refusing(path: str) -> list[str]:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refusing)
    configuration = Configuration.read([str(tmp_path / "closed"), str(tmp_path / "ok")])
    assert configuration.problems == [Problem("directory", str(tmp_path / "closed"), 0, "Permission denied")]
    assert configuration.blacklist == ["x"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"a.b=c d.e q-r.s-t=u-v\n", [("a", "b=c"), ("d", "e"), ("q-r", "s-t=u-v")]),
        (
            b'a.b="x y" "c.d=z w"v e.f=d"e" "g.h" k.l=1',
            [("a", 'b="x y"'), ("c", 'd="z w"v'), ("e", 'f=d"e"'), ("k", "l=1")],
        ),
        (b'"m".x=1 m."y"=2 x"y.z=1 a" b.c=1', [("b", "c=1")]),
        (b"a.b.c=1 a=b.c a.b=c.d .x=1 a.= = . ..", [("a", "b=c.d"), ("", "x=1"), ("a", "="), ("", "")]),
        (b'a.b=1 c.d="open e.f=1', [("a", "b=1")]),
        (b"a.b=1\tc.d=2\r\ne.f=3\0g.h=4", [("a", "b=1"), ("c", "d=2"), ("e", "f=3")]),
        (b"x" * 4086 + b" a.b=12345 c.d=1", [("a", "b=1234")]),
        (b'"' * 5000, []),
    ],
)
def test_kernel_command_line(text: bytes, found: list[tuple[str, str]]) -> None:
    """Check which words of a kernel command line are module parameters."""
    assert list(module_parameters(text)) == [ModuleParameter(*pair) for pair in found]
