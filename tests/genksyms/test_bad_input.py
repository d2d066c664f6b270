# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input and bad surroundings: one clear line on stderr, the C tool's exit status, never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.genksyms.running import CHECKOUT, PROGRAM, run, start, unit

X_LINE = "#SYMVER x 0xb8a39400\n"
ONE_ERROR = (1, "", "<stdin>:1: syntax error\n")


@pytest.mark.parametrize("kernel", ["5.10", "6.1", "6.12", "7.2"])
def test_empty_input(kernel: str) -> None:
    """Check that empty input is silence and success, and with -w one syntax error."""
    assert run([], kernel=kernel) == (0, "", "")
    assert run(["-w"], kernel=kernel) == ONE_ERROR


GARBAGE = {
    b"\x7fELF\x02\x01\x01\0\0": "<stdin>:1: syntax error\n",
    b"\xff\xfe\xfd": "<stdin>:1: syntax error\n",
    b"\0": "<stdin>:1: syntax error\n",
    bytes(range(1, 128)) * 3: "<stdin>:1: syntax error\n",
    b"int x;\n}}}}}\nint y;{{{{ int z;": "<stdin>:2: syntax error\n",
    b"int x; struct A { int a; struct B {": "<stdin>:1: syntax error\n",
    b"((((((": "<stdin>:1: syntax error\n",
    b"int f(void) { return 1;": "<stdin>:1: syntax error\n",
    b"int x = {": "<stdin>:1: syntax error\n",
}


@pytest.mark.parametrize("content", GARBAGE)
def test_garbage(content: bytes) -> None:
    """Check that garbage and unbalanced braces give the C tool's messages with -w, and nothing without."""
    assert run([], content) == (0, "", "")
    assert run(["-w"], content) == (1, "", GARBAGE[content])


@pytest.mark.parametrize("kernel", ["6.1", "7.2"])
@pytest.mark.parametrize(
    ("opening", "middle", "closing"),
    [
        ("struct {", "int a;", "} m;"),
        ("int (*", "f", ")(void)"),
        ("void (*)(", "int", ")"),
        ("int a[(", "1", ")];"),
    ],
)
def test_two_hundred_deep(opening: str, middle: str, closing: str, kernel: str) -> None:
    """Check that 200 levels of braces, declarators or brackets give a CRC and the same with the exact engine."""
    nested = opening * 200 + middle + closing * 200
    texts = {
        "struct {": f"struct S {{ {nested} }}; struct S *x;",
        "int (*": f"{nested}; int x;",
        "void (*)(": f"int x({nested});",
        "int a[(": f"struct S {{ int a[{'(' * 200}1{')' * 200}]; }}; struct S x;",
    }
    source = unit("x", header=texts[opening])
    status, stdout, stderr = run([], source, kernel=kernel)
    assert (status, stdout[:12], stdout.count("\n"), stderr) == (0, "#SYMVER x 0x", 1, "")
    assert run(["-D"], source, kernel=kernel)[1] == stdout


def test_a_line_of_fifty_megabytes() -> None:
    """Check that one line of 50 MB is read within bounds of time and memory, and the rest behind it too."""
    line = b'static const char text[] = "' + b"\\x00" * 12_000_000 + b'"; ' + b"int u[2]; " * 200_000
    source = b'# 1 "x.c"\n' + line + b"\nint x;\n__GENKSYMS_EXPORT_SYMBOL(x);\n"
    before = time.process_time() + sum(os.times()[2:4])
    bounded = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30));"
    program = bounded + "from genksyms_py.cli import main; main(['--kernel', '6.1'])"
    result = subprocess.run([sys.executable, "-c", program], input=source, capture_output=True, cwd=CHECKOUT)
    seconds = time.process_time() + sum(os.times()[2:4]) - before
    assert (result.returncode, result.stdout, result.stderr) == (0, X_LINE.encode(), b"")
    assert len(source) > 50_000_000 and seconds < 30


def test_unreadable_stdin(tmp_path: Path) -> None:
    """Check that a closed stdin is the lexer's failure, exit status 2, and leaves no -T file."""
    expected = (2, "", "input in flex scanner failed\n")
    assert run(["-T", "types"], closed=[0], directory=tmp_path) == expected
    assert os.listdir(tmp_path) == []


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """Check that -r and -T files that cannot be opened end the run at once, with the system's text."""
    source = unit("x", header="int x;")
    for arguments, message in (
        (["-r", "none"], "none: No such file or directory"),
        (["-T", "none/types"], "none/types: No such file or directory"),
        (["-T", "."], ".: Is a directory"),
        (["-r", "."], ".: Is a directory"),
        (["-T", ""], ": No such file or directory"),
        (["-r", "none", "-Z"], "none: No such file or directory"),
    ):
        status, stdout, stderr = run(arguments, source, directory=tmp_path)
        assert (status, stdout, stderr.removeprefix(f"{PROGRAM}: ")) == (1, "", message + "\n"), arguments
    assert os.listdir(tmp_path) == []


def test_a_bad_reference(tmp_path: Path) -> None:
    """Check that a reference with a token that is too long or of no kind is refused with its place."""
    source = unit("x", header="int x;")
    for content, message in (("x " + "y" * 256, "Token too long"), ("\nx q#u32 x\n", "Unknown type q")):
        (tmp_path / "ref").write_text(content)
        line = 1 + content.startswith("\n")
        outcome = run(["-r", "ref", "-T", "types"], source, directory=tmp_path)
        assert (outcome.status, outcome.stdout) == (1, "")
        assert outcome.stderr.removeprefix(f"{PROGRAM}: ") == f"ref:{line}: {message}\n"
        assert os.listdir(tmp_path) == ["ref"]


def test_closed_stdout(tmp_path: Path) -> None:
    """Check that with stdout closed the -T file is written and nothing breaks, as in the C tool."""
    outcome = run(["-T", "types"], unit("x", header="int x;"), closed=[1], directory=tmp_path)
    assert "Traceback" not in outcome.stderr and outcome.stderr.count("\n") <= 1
    assert (outcome.status, (tmp_path / "types").read_text()) == (0, "x int x \n")


def test_closed_stderr() -> None:
    """Check that with stderr closed stdout and exit status stay as they are."""
    source = unit("x", "y", header="int x;")
    assert run(["-w"], source, closed=[2]) == (1, X_LINE, "")
    assert run(["-Z"], source, closed=[2]) == (1, "", "")


def test_full_stdout() -> None:
    """Check that a full disk is told in one line."""
    source = unit(*["x"] * 3000, header="int x;")
    with open("/dev/full", "wb") as full:
        process = start([], stdout=full.fileno())
        _, stderr = process.communicate(source)
    assert stderr.decode().count("\n") == 1 and stderr.endswith(b"No space left on device\n")


def test_pipe_without_reader() -> None:
    """Check that a reader that went away ends the command by SIGPIPE with one line."""
    read_end, write_end = os.pipe()
    process = start([], stdout=write_end)
    os.close(read_end)
    os.close(write_end)
    _, stderr = process.communicate(unit(*["x"] * 3000, header="int x;"))
    assert (process.returncode, stderr.decode().count("\n")) == (-signal.SIGPIPE, 1)
    assert stderr.endswith(b": standard output: the reader is gone\n")


def test_ctrl_c(tmp_path: Path) -> None:
    """Check that Ctrl-C ends the command by SIGINT with one line, and that the -T file keeps its old content."""
    (tmp_path / "types").write_text("old\n")
    process = start(["-T", "types", "-T", "other"], directory=tmp_path)
    assert process.stdin is not None
    process.stdin.write(b" " * 500_000)  # more than a pipe holds: the command has begun to read
    process.stdin.flush()
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout, stderr.decode().count("\n")) == (-signal.SIGINT, b"", 1)
    assert stderr.endswith(b": interrupted\n")
    assert (os.listdir(tmp_path), (tmp_path / "types").read_text()) == (["types"], "old\n")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_in_a_batch(jobs: str, tmp_path: Path) -> None:
    """Check that Ctrl-C in a batch, which reaches its processes too, gives one line as well."""
    pipe = tmp_path / "pipe.i"
    os.mkfifo(pipe)
    paths = [f"{number}.i" for number in range(20)]
    for path in paths:
        (tmp_path / path).write_bytes(unit("x", header="int x;"))
    process = start(["--batch", "-j", jobs, *paths, "pipe.i", *paths], directory=tmp_path)
    # Opening succeeds when the batch has come to the pipe, where it then waits for us.
    writer = os.open(pipe, os.O_WRONLY)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    os.close(writer)
    assert (process.returncode, stderr.decode().count("\n")) == (-signal.SIGINT, 1), stderr.decode()
    assert stderr.endswith(b": interrupted\n")


def test_out_of_memory() -> None:
    """Check that a lack of memory is told in the C tool's words."""
    limit = 400 * 2**20
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}));"
        "from genksyms_py.cli import main; main(['--kernel', '6.1'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], input=b"int x; " * 30_000_000, capture_output=True, cwd=CHECKOUT
    )
    assert (result.returncode, result.stdout, result.stderr) == (1, b"", b"-c: out of memory\n")


OPTIONS = st.sampled_from([[], ["-w"], ["-D"], ["-d"], ["--strict"], ["-T", "/dev/null", "-w"]])
PIECES = st.sampled_from(
    [b"struct ", b"{", b"}", b"(", b")", b"[", b"]", b";", b"=", b",", b"int ", b"x", b"typeof", b"typedef ", b"enum ",
     b"# 1 \"x.c\"\n", b"\n# 5 \"x.h\"\n", b"\n#", b'"', b"'", b"__attribute__", b"__GENKSYMS_EXPORT_SYMBOL(x);", b"\\",
     b"\0", b"\x80", b"*", b"asm", b"..."]
)  # fmt: skip
BYTES = st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=40).map(b"".join))


@given(BYTES, OPTIONS, st.sampled_from(["2.4", "5.10", "6.1", "7.2"]))
@settings(max_examples=120, deadline=None)
def test_random_bytes(content: bytes, options: list[str], kernel: str) -> None:
    """Check that no input whatever gives a traceback, or an exit status other than 0 and 1."""
    outcome = run(options, b'# 1 "x.c"\nint x;\n' + content, kernel=kernel)
    assert outcome.status in (0, 1) and "Traceback" not in outcome.stderr, outcome.stderr
