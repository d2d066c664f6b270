# SPDX-License-Identifier: GPL-2.0-or-later
"""The command modinfo-py in its surroundings: help, odd files, outputs that take nothing, interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kmod.described_files import write_described
from tests.kmod.test_modinfo import ROOT, run
from tests.modpost.elf_writer import ElfWriter
from tests.permissions import ARE_IGNORED

MODULE = "module foo.ko\n  license=GPL\n"


def test_help() -> None:
    """Check that the help is kmod's, with our options behind, and that what follows -h is not looked at."""
    for words in (["-h", "-Z"], ["--help"]):
        done = run(words, ROOT)
        assert done.returncode == 0
        lines = done.stdout.decode().splitlines()
        assert lines[:3] == ["Usage:", "\tmodinfo [options] <modulename|filename> [args]", "Options:"]
        assert lines[3] == "\t-a, --author                Print only 'author'"
        assert lines[15:] == [
            "Beyond kmod:",
            "\t    --json                  All modules as one JSON array",
            "\t    --versions              Print the CRCs of the symbols that modules use",
            "Exit status: 0, or 1 where a module was not found or not readable.",
        ]


def test_version() -> None:
    """Check that -V and every abbreviation of --version give kmod's version in the third word, as scripts expect."""
    for word in ("-V", "--version", "--versio", "--ve"):
        done = run([word], ROOT)
        assert done.stdout.split()[:3] == [b"kmod", b"version", b"30"]
        assert done.returncode == 0


def test_a_pipe_nobody_writes_to(tmp_path: Path) -> None:
    """Check that a named pipe that is called like a module is no module, and nothing waits for it."""
    os.mkfifo(tmp_path / "pipe.ko")
    (tmp_path / "lib/modules/1.0").mkdir(parents=True)
    done = run(["-b", ".", "-k", "1.0", "pipe.ko"], tmp_path, timeout=20)
    assert (done.stdout, done.stderr) == (b"", b"modinfo: ERROR: Module pipe.ko not found.\n")
    assert done.returncode == 1


@pytest.mark.skipif(ARE_IGNORED, reason="permissions do not stop root: test_permissions runs it")
def test_unreadable_module(tmp_path: Path) -> None:
    """Check that a module without permission is one line, and that the next one is processed."""
    write_described(MODULE + "module bar.ko\n  license=BSD\n", tmp_path)
    (tmp_path / "foo.ko").chmod(0)
    done = run(["-l", "foo.ko", "bar.ko"], tmp_path)
    assert done.stdout == b"BSD\n"
    assert done.stderr == b"modinfo: ERROR: could not get modinfo from 'foo': Permission denied\n"
    assert done.returncode == 1


def test_damaged_database(tmp_path: Path) -> None:
    """Check that a damaged database is one line, and that the files of the command line are processed."""
    write_described(MODULE + "text lib/modules/1.0/modules.dep.bin\n  no index at all\n", tmp_path)
    done = run(["-b", ".", "-k", "1.0", "-l", "baz", "foo.ko"], tmp_path)
    assert done.stdout == b"GPL\n"
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith(f"modinfo: ERROR: {tmp_path}/./lib/modules/1.0/modules.dep.bin: no index")
    assert lines[1:] == ["modinfo: ERROR: Module baz not found."]
    assert done.returncode == 1


def test_bytes_come_out_as_they_went_in(tmp_path: Path) -> None:
    """Check that texts and file names that are no UTF-8 are printed unchanged, and that JSON has escapes for them."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"author=\xe9\xff\0")
    name = b"caf\xe9.ko"
    (tmp_path / os.fsdecode(name)).write_bytes(elf.bytes())
    assert run(["-a", os.fsdecode(name)], tmp_path).stdout == b"\xe9\xff\n"
    assert run(["-n", os.fsdecode(name)], tmp_path).stdout == os.fsencode(tmp_path) + b"/caf\xe9.ko\n"
    document = json.loads(run(["--json", os.fsdecode(name)], tmp_path).stdout)
    assert document[0]["modinfo"] == {"author": ["\udce9\udcff"]}
    assert document[0]["name"] == "caf\udce9"


def test_stdout_that_takes_nothing(tmp_path: Path) -> None:
    """Check that a full disk is one line, and that a closed pipe is silence, as when a signal ends the program."""
    write_described(MODULE, tmp_path)
    with open("/dev/full", "wb") as full:
        done = run(["foo.ko"], tmp_path, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, b"modinfo: ERROR: stdout: No space left on device\n")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run(["foo.ko"], tmp_path, capture_output=False, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_interruption(tmp_path: Path) -> None:
    """Check that Ctrl-C ends the program without a traceback, with the status that a shell shows for it."""
    write_described(MODULE, tmp_path)
    program = (
        "import os, signal, sys\n"
        "from modpost_py.kmod import modinfo_cli\n"
        "modinfo_cli.entries_of = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(modinfo_cli.main(['foo.ko']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert (done.returncode, done.stderr) == (130, b"")


def test_current_directory(tmp_path: Path) -> None:
    """Check that relative paths become absolute through $PWD where that is the current directory, and only there."""
    write_described("module real/foo.ko\n  license=GPL\nlink shown real\n", tmp_path)
    for pwd, expected in ((tmp_path / "shown", "shown"), (tmp_path, "real"), (Path("nonsense"), "real")):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PWD": str(pwd)}
        done = run(["-n", "foo.ko"], tmp_path / "real", env=environment)
        assert done.stdout.decode() == f"{tmp_path}/{expected}/foo.ko\n"


def test_many_modules(tmp_path: Path) -> None:
    """Check that many modules come out whole and in their order."""
    numbers = range(30)
    long = "\n  alias=" + "x" * 20000
    write_described(
        "".join(f"module m{number}.ko\n  description=number {number}{long}\n" for number in numbers), tmp_path
    )
    done = run([f"m{number}.ko" for number in numbers], tmp_path)
    lines = done.stdout.decode().splitlines()
    assert lines[1::3] == [f"description:    number {number}" for number in numbers]
    assert all(line == "alias:          " + "x" * 20000 for line in lines[2::3])
