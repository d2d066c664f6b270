# SPDX-License-Identifier: GPL-2.0-or-later
"""fixdep: the .cmd text that each kernel's program writes, its messages and its exit status."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modpost_py.kbuild import fixdep
from modpost_py.kbuild.fixdep import FixdepError, cmd_text
from modpost_py.kbuild.fixdep_cli import HELP, USAGE, main
from modpost_py.kbuild.fixdep_dialects import DIALECTS, dialect_of
from modpost_py.kbuild.launchers import launcher_text

_OLD = ("5.10", "6.1")
_NEW = ("6.12", "7.2")
_ALL = _OLD + _NEW


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("FIXDEP_KERNEL", "KERNELRELEASE", "KERNELVERSION"):
        monkeypatch.delenv(variable, raising=False)


def _write(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(text.encode("latin-1"))


def _text(release: str, depfile: str, **files: str) -> str:
    """The .cmd text for a depfile; files ``a_h`` are called ``a.h``."""
    _write({name[:-2] + "." + name[-1]: text for name, text in files.items()})
    Path("deps").write_bytes(depfile.encode("latin-1"))
    return b"".join(cmd_text(b"deps", b"a.o", b"CC", dialect_of(release))).decode("latin-1")


def _middle(release: str, depfile: str, **files: str) -> list[str]:
    """What stands between ``deps_a.o := \\`` and the end, a line an entry, without blanks and the backslash."""
    text = _text(release, depfile, **files)
    _, _, rest = text.partition("deps_a.o := \\\n")
    return [line.removesuffix("\\").strip() for line in rest.partition("\na.o: $(deps_a.o)")[0].split("\n") if line]


def test_whole_text_5_10() -> None:
    """Check that 5.10 names option files in lower case with slashes and sets cmd_."""
    assert _text("5.10", "a.o: a.c \\\n a.h\n", a_c="#if CONFIG_FOO_BAR\n", a_h="CONFIG_X") == (
        "cmd_a.o := CC\n\nsource_a.o := a.c\n\ndeps_a.o := \\\n    $(wildcard include/config/foo/bar.h) \\\n"
        "  a.h \\\n    $(wildcard include/config/x.h) \\\n\na.o: $(deps_a.o)\n\n$(deps_a.o):\n"
    )


def test_whole_text_6_1() -> None:
    """Check that 6.1 names option files as the options and still sets cmd_."""
    assert _text("6.1", "a.o: a.c \\\n a.h\n", a_c="#if CONFIG_FOO_BAR\n", a_h="CONFIG_X") == (
        "cmd_a.o := CC\n\nsource_a.o := a.c\n\ndeps_a.o := \\\n    $(wildcard include/config/FOO_BAR) \\\n"
        "  a.h \\\n    $(wildcard include/config/X) \\\n\na.o: $(deps_a.o)\n\n$(deps_a.o):\n"
    )


@pytest.mark.parametrize("release", _NEW)
def test_whole_text_since_6_3(release: str) -> None:
    """Check that newer kernels set savedcmd_."""
    assert _text(release, "a.o: a.c \\\n a.h\n", a_c="#if CONFIG_FOO_BAR\n", a_h="CONFIG_X") == (
        "savedcmd_a.o := CC\n\nsource_a.o := a.c\n\ndeps_a.o := \\\n    $(wildcard include/config/FOO_BAR) \\\n"
        "  a.h \\\n    $(wildcard include/config/X) \\\n\na.o: $(deps_a.o)\n\n$(deps_a.o):\n"
    )


# Text of a source -> the options that it mentions
_MENTIONS = {
    "CONFIG_A CONFIG_B CONFIG_A": ["A", "B"],
    "XCONFIG_A 1CONFIG_B _CONFIG_C -CONFIG_D \xe4CONFIG_E": ["D", "E"],
    "CONFIG_A_MODULE CONFIG_MODULE CONFIG__MODULE CONFIG_B_MODULE_MODULE CONFIG_C_MODULES": [
        "A", "MODULE", "B_MODULE", "C_MODULES",
    ],
    "CONFIG_ CONFIG": [],
    "CONFIG_CONFIG_X CONFIG_CONFIG_CONFIG_Y CONFIG_CONFIG_": ["CONFIG_X", "CONFIG_CONFIG_Y", "CONFIG_"],
    "CONFIG_a/b.h CONFIG_9\xe4": ["a", "9"],
    "CONFIG_A\0CONFIG_B": ["A"],
    "CONFIG_LAST": ["LAST"],
    "": [],
}  # fmt: skip


@pytest.mark.parametrize(("text", "options"), _MENTIONS.items())
def test_mentions(text: str, options: list[str]) -> None:
    """Check which options a text mentions: whole words, without _MODULE, up to a NUL byte, each once."""
    expected = [f"$(wildcard include/config/{option})" for option in options]
    assert _middle("6.1", "a.o: a.c\n", a_c=text) == expected
    assert _middle("7.2", "a.o: a.c\n", a_c=text) == expected


def test_lower_case_paths() -> None:
    """Check that 5.10 leaves no empty part in the path of an option file but the last."""
    text = "CONFIG_A__B CONFIG__C CONFIG_D_ CONFIG_E__ CONFIG__ CONFIG_X CONFIG_x"
    found = [line.removeprefix("$(wildcard include/config/") for line in _middle("5.10", "a.o: a.c\n", a_c=text)]
    assert found == ["a/b.h)", "c.h)", "d/.h)", "e/.h)", ".h)", "x.h)", "x.h)"]


@pytest.mark.parametrize("release", _ALL)
def test_autoconf_is_left_out(release: str) -> None:
    """Check that the header with all options is no dependency, by the end of its name."""
    depfile = "a.o: a.c ./include/generated/autoconf.h /x/include/generated/autoconf.h a.h\n"
    assert _middle(release, depfile, a_c="", a_h="") == ["a.h"]


@pytest.mark.parametrize(("release", "listed"), [("6.1", []), ("6.12", ["include/generated/autoksyms.h"])])
def test_autoksyms(release: str, listed: list[str]) -> None:
    """Check that the list of symbols to keep is left out as long as kernels have it."""
    _write({"include/generated/autoksyms.h": ""})
    assert _middle(release, "a.o: a.c include/generated/autoksyms.h\n", a_c="") == listed


def test_first_dependency_that_counts() -> None:
    """Check what the source is where autoconf.h comes first: the next one up to 6.2, itself since."""
    _write({"include/generated/autoconf.h": "CONFIG_A"})
    depfile = "a.o: include/generated/autoconf.h a.c\n"
    assert "source_a.o := a.c\n" in _text("6.1", depfile, a_c="")
    assert "source_a.o := include/generated/autoconf.h\n" in _text("6.12", depfile, a_c="")


def test_repeated_headers() -> None:
    """Check that a header is listed each time up to 6.2, once since."""
    depfile = "a.o: a.c b.h c.h b.h\n"
    assert _middle("6.1", depfile, a_c="", b_h="", c_h="") == ["b.h", "c.h", "b.h"]
    assert _middle("6.12", depfile, a_c="", b_h="", c_h="") == ["b.h", "c.h"]


def test_several_rules() -> None:
    """Check that a second rule's source is read but not listed up to 6.2, and nothing since."""
    depfile = "a.o: a.c b.h\n\nb.o: b.c c.h\n"
    files = {"a_c": "", "b_h": "", "b_c": "CONFIG_B", "c_h": ""}
    assert _middle("6.1", depfile, **files) == ["b.h", "$(wildcard include/config/B)", "c.h"]
    assert _middle("6.12", depfile, **files) == ["b.h", "c.h"]


def test_rust_libraries_are_not_read() -> None:
    """Check that since 6.3 what is no text is listed but not searched."""
    _write(dict.fromkeys(("l.rlib", "m.rmeta", "n.so"), "CONFIG_X"))
    assert _middle("6.12", "a.o: a.c l.rlib m.rmeta n.so\n", a_c="") == ["l.rlib", "m.rmeta", "n.so"]
    assert _middle("6.1", "a.o: a.c l.rlib\n", a_c="") == ["l.rlib", "$(wildcard include/config/X)"]


# rustc's comments, make's escapes and line ends -> what is listed since 6.3
_MAKE_SYNTAX = {
    "# env: A=1 \\\n goes on\na.o: a.c b.h # c.h\n": ["b.h"],
    "a.o: a.c # goes on \\\n x: b.h c.h\n": [],
    "a.o: a.c \\\n\tb.h\\\n c.h": ["b.h", "c.h"],
    "a.o: a.c with\\ space.h\n": ["with\\ space.h"],
    "a.o: a.c ha\\#sh.h col\\:on.h\n": ["ha#sh.h", "col:on.h"],
    "a.o: a.c \\: b.h\n": [":", "b.h"],
    "a.o: a.c b.h\nc.h d.h\n": ["b.h"],
    "a.o:a.c b.h\n": ["b.h"],
    "a.o: a.c back\\\\\nb.h: x\n": ["back\\\\"],
}


@pytest.mark.parametrize(("depfile", "listed"), _MAKE_SYNTAX.items())
def test_make_syntax(depfile: str, listed: list[str]) -> None:
    """Check that since 6.3 comments, escapes and line ends mean what they mean to make."""
    _write(dict.fromkeys(("a.c", "b.h", "c.h", "with\\ space.h", "ha#sh.h", "col:on.h", ":", "back\\\\", "x"), ""))
    assert _middle("6.12", depfile) == listed


def test_words_before_6_3() -> None:
    """Check that up to 6.2 every backslash and newline divides words, and comments are words."""
    _write(dict.fromkeys(("a.c", "with", "space.h", "#", "b.h"), ""))
    assert _middle("6.1", "a.o: a.c with\\ space.h\n# b.h") == ["with", "space.h", "#", "b.h"]


def test_words_before_the_rule() -> None:
    """Check that up to 6.2 a word before any target is listed, and since 6.3 is a target itself."""
    _write({"b.h": "CONFIG_B"})
    assert _text("6.1", "b.h a.o: a.c\n", a_c="").startswith(
        "cmd_a.o := CC\n\n  b.h \\\n    $(wildcard include/config/B) \\\nsource_a.o := a.c\n"
    )
    assert "b.h" not in _text("6.12", "b.h a.o: a.c\n", a_c="")


_WORDS = st.lists(st.sampled_from(["a", "b.h", " ", "\t", "\n", "\\\n", ":", "\r", "\v", "$", "x:y"]), max_size=30)


@given(_WORDS)
def test_quick_and_thorough_words_agree(parts: list[str]) -> None:
    """Check that a depfile without escapes is cut the same whether quickly or byte by byte."""
    text = "".join(parts).encode()
    quick = list(fixdep._make_words(text))
    thorough = list(fixdep._escaped_words(text))
    assert [word for word in quick if word != b"\n"] == [word for word in thorough if word != b"\n"]
    assert _roles(quick) == _roles(thorough)


def _roles(words: list[bytes]) -> list[bytes]:
    """Newlines without those at the end and those that follow one."""
    kept = [word for index, word in enumerate(words) if word != b"\n" or words[index - 1 : index] != [b"\n"]]
    return kept[: len(kept) - (kept[-1:] == [b"\n"])]


@pytest.mark.parametrize("release", _ALL)
def test_no_rule(release: str) -> None:
    """Check that a depfile without a rule is an error, after the first line of the output."""
    Path("deps").write_text("")
    pieces = cmd_text(b"deps", b"a.o", b"CC", dialect_of(release))
    assert next(pieces).endswith(b"cmd_a.o := CC\n\n")
    with pytest.raises(FixdepError, match="parse error") as error:
        list(pieces)
    assert (str(error.value), error.value.exit_status) == ("fixdep: parse error; no targets found", 1)


def _run(*words: str, kernel: str = "6.1", **options: object) -> tuple[bytes, bytes, int]:
    """The command in a process of its own: output, messages, status."""
    environment = {**os.environ, "PYTHONPATH": str(Path(fixdep.__file__).parents[2])}
    command = [sys.executable, "-m", "modpost_py.kbuild.fixdep_cli", "--kernel", kernel, *words]
    settings = {"stdout": subprocess.PIPE, **options}
    result = subprocess.run(command, env=environment, stderr=subprocess.PIPE, **settings)  # type: ignore[call-overload]
    return result.stdout, result.stderr, result.returncode


def test_missing_header() -> None:
    """Check that a missing header ends the run with status 2 behind what was found before it."""
    _write({"a.c": "CONFIG_A", "deps": "a.o: a.c gone.h b.h\n"})
    assert _run("deps", "a.o", "CC") == (
        b"cmd_a.o := CC\n\nsource_a.o := a.c\n\ndeps_a.o := \\\n    $(wildcard include/config/A) \\\n  gone.h \\\n",
        b"fixdep: error opening file: gone.h: No such file or directory\n",
        2,
    )


def test_unreadable_inputs(capfd: pytest.CaptureFixture[str]) -> None:
    """Check the messages for a directory, a missing depfile and an empty name."""
    assert main(["--kernel", "6.1", ".", "a.o", "CC"]) == 2
    assert main(["--kernel", "6.1", "gone", "a.o", "CC"]) == 2
    assert main(["--kernel", "6.1", "", "a.o", "CC"]) == 2
    assert capfd.readouterr() == (
        "cmd_a.o := CC\n\n" * 3,
        "fixdep: read: Is a directory\nfixdep: error opening file: gone: No such file or directory\n"
        "fixdep: error opening file: No such file or directory\n",
    )


@pytest.mark.parametrize("words", [[], ["deps"], ["deps", "a.o"], ["deps", "a.o", "CC", "more"], ["--kernel", "6.1"]])
def test_wrong_number_of_arguments(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Check that any number of arguments but three gives the usage line and status 1."""
    assert main(words) == 1
    assert capfd.readouterr() == ("", USAGE)


def test_output_that_cannot_be_written() -> None:
    """Check that a full disk is an error since 5.18, and before only where the output is long."""
    _write({"a.c": "", "deps": "a.o: a.c\n"})
    with open("/dev/full", "wb") as full:
        assert _run("deps", "a.o", "CC", stdout=full)[1:] == (b"fixdep: not all data was written to the output\n", 1)
        assert _run("deps", "a.o", "CC", kernel="5.10", stdout=full)[1:] == (b"", 0)
        long_command = "CC" * 50000
        assert _run("deps", "a.o", long_command, kernel="5.10", stdout=full)[1:] == (
            b"fixdep: No space left on device\n",
            1,
        )


def test_closed_pipe() -> None:
    """Check that a reader who is gone ends the process as it ends C programs."""
    _write({"a.c": "", "deps": "a.o: a.c\n"})
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert _run("deps", "a.o", "CC", stdout=writer)[1:] == (b"", -13)
    finally:
        os.close(writer)


def test_bytes_that_are_no_text() -> None:
    """Check that names and commands pass through as the bytes that they are."""
    Path(os.fsdecode(b"\xff.c")).write_bytes(b"")
    Path("deps").write_bytes(b"a.o: \xff.c\n")
    output, messages, status = _run("deps", os.fsdecode(b"\xfe.o"), "CC", kernel="7.2")
    assert (messages, status) == (b"", 0)
    assert output.startswith(b"savedcmd_\xfe.o := CC\n\nsource_\xfe.o := \xff.c\n")


@pytest.mark.parametrize(
    ("release", "since"),
    [
        ("4.19.0", (2, 6)), ("5.10.262", (2, 6)), ("v5.13-rc1", (5, 13)), ("5.18", (5, 18)),
        ("6.1.0-56-arm64", (5, 18)), ("6.12.118+deb13-amd64", (6, 5)), ("7.x", (6, 5)), ("6.4.0", (6, 3)),
        ("6.2", (5, 18)),
    ],
)  # fmt: skip
def test_dialects(release: str, since: tuple[int, int]) -> None:
    """Check which row of the table a release belongs to."""
    assert dialect_of(release).since == since
    assert sorted(dialect.since for dialect in DIALECTS) == [dialect.since for dialect in DIALECTS]


def test_kernel_of_the_build(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that --kernel, the environment and the build's own file tell the kernel, in this order."""
    _write({"a.c": "", "deps": "a.o: a.c\n", "include/config/kernel.release": "5.10.0\n"})

    def first_line(*options: str) -> str:
        assert main([*options, "deps", "a.o", "CC"]) == 0
        return capfd.readouterr().out.split("\n")[0]

    assert first_line() == "cmd_a.o := CC"
    monkeypatch.setenv("KERNELRELEASE", "6.12.0")
    assert first_line() == "savedcmd_a.o := CC"
    monkeypatch.setenv("FIXDEP_KERNEL", "6.1")
    assert first_line() == "cmd_a.o := CC"
    assert first_line("--kernel=7.2") == "savedcmd_a.o := CC"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kernel", "six"], "fixdep: not a kernel version: 'six' (expected e.g. 6.1, 7.x or 6.12.107+deb13-arm64)\n"),
        (["--kernel=2.4"], "fixdep: kernel 2.4 is older than the first whose fixdep is known, 2.6\n"),
    ],
)
def test_unknown_kernel(options: list[str], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a release that is none, or too old, is an error."""
    assert main([*options, "deps", "a.o", "CC"]) == 1
    assert capfd.readouterr() == ("", message)


def test_unknown_kernel_of_the_build(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that an unreadable release is said together with where it came from."""
    reason = "not a kernel version: 'six' (expected e.g. 6.1, 7.x or 6.12.107+deb13-arm64)"
    _write({"include/config/kernel.release": "six\n"})
    assert main(["deps", "a.o", "CC"]) == 1
    assert capfd.readouterr() == ("", f"fixdep: include/config/kernel.release: {reason}\n")
    monkeypatch.setenv("KERNELVERSION", "six")
    assert main(["deps", "a.o", "CC"]) == 1
    assert capfd.readouterr() == ("", f"fixdep: KERNELVERSION: {reason}\n")


def test_help(capfd: pytest.CaptureFixture[str]) -> None:
    """Check that --help goes to stdout."""
    assert main(["--help"]) == 0
    assert capfd.readouterr() == (HELP, "")


def _telling(launcher: str) -> str:
    """A launcher that prints what is loaded at the end."""
    start, call, end = launcher.partition("sys.exit(main(")
    assert call and end.endswith("))\n")
    return f"{start}main({end.removesuffix(chr(10)).removesuffix(')')}; print(*sys.modules)\n"


def test_launcher_starts_without_what_is_slow_to_load() -> None:
    """Check that the launcher works and loads none of the large modules of the standard library."""
    _write({"a.c": "CONFIG_A", "deps": "a.o: a.c\n"})
    text = launcher_text("fixdep", "6.12.0-1-amd64")
    Path("fixdep").write_text(text)
    Path("fixdep").chmod(0o755)
    result = subprocess.run(["./fixdep", "deps", "a.o", "CC"], capture_output=True, text=True)
    assert (result.stdout, result.stderr, result.returncode) == (_text("6.12", "a.o: a.c\n"), "", 0)
    Path("loaded").write_text(_telling(text))
    Path("loaded-without-release").write_text(_telling(launcher_text("fixdep")))
    command = [sys.executable, "-IS", "loaded", "deps", "a.o", "CC"]
    environment = {**os.environ, "KERNELRELEASE": "6.12.0-1-amd64"}
    for path in ("loaded", "loaded-without-release"):
        command[2] = path
        result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        modules = result.stdout.splitlines()[-1].split()
        assert "modpost_py.kbuild.fixdep" in modules
        assert not {"typing", "re", "pathlib", "dataclasses", "enum", "signal", "argparse"} & set(modules)


def test_depfile_of_gcc() -> None:
    """Check that what gcc writes for a source with two headers becomes the .cmd text."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    _write({"a.c": '#include "a.h"\n#ifdef CONFIG_A\n#endif\n', "a.h": '#include "b.h"\n', "b.h": "// CONFIG_B\n"})
    subprocess.run([compiler, "-Wp,-MMD,deps", "-c", "a.c"], check=True)
    assert _middle("6.12", Path("deps").read_text()) == [
        "$(wildcard include/config/A)", "a.h", "b.h", "$(wildcard include/config/B)",
    ]  # fmt: skip
