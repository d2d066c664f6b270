# SPDX-License-Identifier: GPL-2.0-or-later
"""The command depmod-py in its surroundings: help, ``-A``, odd trees, failing outputs, interruption, many cycles."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modpost_py.kmod import depmod_cli
from modpost_py.kmod.depmod_cycles import cycles_of
from tests.kmod.depmod_trees import RELEASE, made_files, write_tree
from tests.permissions import ARE_IGNORED

ROOT = Path(__file__).resolve().parents[2]
EMPTY = "".join(f"text lib/modules/{RELEASE}/{name}\n" for name in ("modules.order", "modules.builtin"))
EMPTY += f"strings lib/modules/{RELEASE}/modules.builtin.modinfo\n"
MODULE = f"module lib/modules/{RELEASE}/kernel/a.ko\n  alias=x\n"

_PROGRAM = "import sys; sys.argv[0] = 'depmod'; from modpost_py.kmod.depmod_cli import main; sys.exit(main())"


def run(words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run depmod-py, which takes itself for ``depmod``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    chosen = {"env": environment, "capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run([sys.executable, "-c", _PROGRAM, *words], **chosen)  # type: ignore[call-overload,no-any-return]


def test_help() -> None:
    """Check that the help begins as kmod's does, and that what follows -h is not looked at."""
    done = run(["-h", "-Z"])
    assert done.returncode == 0
    assert done.stdout.startswith(
        "Usage:\n\tdepmod -[aA] [options] [forced_version]\n\nIf no arguments (except options)"
    )
    assert done.stdout.endswith("Exit status: 0, or 1 where the files could not be made or written.\n")


def test_version() -> None:
    """Check that -V gives kmod's version in the third word, as scripts expect."""
    assert run(["-V"]).stdout.split()[:3] == ["kmod", "version", "30"]


def test_quick(tmp_path: Path) -> None:
    """Check that -A does the work only where modules.dep is missing or older than a module, in whole seconds."""
    directory = write_tree(MODULE + EMPTY, tmp_path)
    module, result = directory / "kernel/a.ko", directory / "modules.dep"
    words = ["-A", "--no-cache", "-b", str(tmp_path), RELEASE]
    missing = f"depmod: ERROR: could not fstatat({directory}, modules.dep): No such file or directory\n"
    assert run(words).stderr == missing
    for result_time, module_time, is_written in ((1000.2, 1000.9, False), (1000.0, 1001.0, True), (2000, 3, False)):
        os.utime(result, (result_time, result_time))
        os.utime(module, (module_time, module_time))
        before = result.stat().st_ino
        assert (run(words).stderr, result.stat().st_ino != before) == ("", is_written)


def test_loops_of_links(tmp_path: Path) -> None:
    """Check that a link to a directory above is one line, and that a fan of links comes to an end."""
    fan = "".join(
        f"link lib/modules/{RELEASE}/fan/{level}/{side} ../{level + 1}\n" for level in range(20) for side in "lr"
    )
    directory = write_tree(f"{MODULE}{EMPTY}link lib/modules/{RELEASE}/kernel/up ..\n{fan}", tmp_path)
    start = time.monotonic()
    done = run(["-b", str(tmp_path), RELEASE])
    assert time.monotonic() - start < 20
    assert (
        f"depmod: ERROR: {directory}/kernel/up: a link to a directory above it, which is not followed\n" in done.stderr
    )
    assert done.returncode == 0
    assert made_files(directory)["modules.dep"] == b"kernel/a.ko:\n"


@pytest.mark.skipif(ARE_IGNORED, reason="permissions do not stop root: test_permissions runs it")
def test_unreadable(tmp_path: Path) -> None:
    """Check that a directory and a module without permission are one line each, and all else is done."""
    description = f"{MODULE}{MODULE.replace('a.ko', 'b.ko')}directory lib/modules/{RELEASE}/closed\n{EMPTY}"
    directory = write_tree(description, tmp_path)
    (directory / "closed").chmod(0)
    (directory / "kernel/b.ko").chmod(0)
    done = run(["-b", str(tmp_path), RELEASE])
    (directory / "closed").chmod(0o700)
    assert done.stderr.splitlines() == [
        "depmod: ERROR: openat(3, closed, O_RDONLY): Permission denied",
        f"depmod: ERROR: failed to load symbols from {directory}/kernel/b.ko: Permission denied",
    ]
    assert b"kernel/a.ko:\n" in made_files(directory)["modules.dep"]


def test_names_that_are_not_ascii(tmp_path: Path) -> None:
    """Check that a module and an alias that no index can have are left out of the indices, and told."""
    directory = write_tree(EMPTY + f"module lib/modules/{RELEASE}/kernel/é.ko\n  alias=ü*\n  alias=u*\n", tmp_path)
    done = run(["-b", str(tmp_path), RELEASE])
    assert done.stderr.splitlines() == [
        "depmod: WARNING: é is not ASCII and left out of modules.dep.bin",
        "depmod: WARNING: ü* is not ASCII and left out of modules.alias.bin",
    ]
    assert made_files(directory)["modules.alias"].decode().splitlines()[1:] == ["alias ü* é", "alias u* é"]


def test_a_directory_in_the_place_of_a_result(tmp_path: Path) -> None:
    """Check that nothing is left of a run that cannot replace a file, but for the files replaced before."""
    directory = write_tree(f"{MODULE}{EMPTY}directory lib/modules/{RELEASE}/modules.dep\n", tmp_path)
    done = run(["-b", str(tmp_path), RELEASE])
    assert done.stderr == f"depmod: FATAL: could not replace {directory}/modules.dep: Is a directory\n"
    assert done.returncode == 1
    assert sorted(os.listdir(directory)) == [
        "kernel", "modules.builtin", "modules.builtin.modinfo", "modules.dep", "modules.order",
    ]  # fmt: skip


def test_old_files_stay(tmp_path: Path) -> None:
    """Check that modules in a circle leave the old database as it is."""
    circle = f"module lib/modules/{RELEASE}/kernel/a.ko\n  export a 0x1\n  need a\n"
    directory = write_tree(f"{circle}text lib/modules/{RELEASE}/modules.dep\n  old\n{EMPTY}", tmp_path)
    assert run(["-b", str(tmp_path), RELEASE]).returncode == 1
    assert made_files(directory) == {"modules.dep": b"old\n"}


def test_full_disk(tmp_path: Path) -> None:
    """Check that a stdout that takes nothing is one line."""
    write_tree(MODULE + EMPTY, tmp_path)
    with open("/dev/full", "wb") as full:
        done = run(["-n", "-b", str(tmp_path), RELEASE], capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.stderr == "depmod: ERROR: stdout: No space left on device\n"
    assert done.returncode == 1


def test_interrupted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Check that Ctrl-C gives the status of a program that it ended."""
    write_tree(MODULE + EMPTY, tmp_path)
    monkeypatch.setattr("sys.argv", ["depmod", "-b", str(tmp_path), RELEASE])
    monkeypatch.setattr("modpost_py.kmod.depmod_reading.read_facts", lambda path: signal.raise_signal(signal.SIGINT))
    assert depmod_cli.main() == 130
    assert [name for name in os.listdir(tmp_path / "lib/modules" / RELEASE) if name.startswith(".")] == []


def test_many_modules_in_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that other processes read the same as this one."""
    text = EMPTY + "".join(
        f"module lib/modules/{RELEASE}/kernel/m{number}.ko\n  export s{number} {number:#x}\n  need s{number // 2 + 1}\n"
        for number in range(3, 40)
    )
    directory = write_tree(text, tmp_path)
    monkeypatch.setattr("sys.argv", ["depmod", "--no-cache", "-b", str(tmp_path), RELEASE])
    assert depmod_cli.main() == 0
    alone = made_files(directory)
    monkeypatch.setattr("modpost_py.kmod.depmod_reading._FEWEST_FOR_PROCESSES", 10)
    monkeypatch.setattr("modpost_py.kmod.depmod_reading._BATCH", 7)
    assert depmod_cli.main() == 0
    assert made_files(directory) == alone


def test_very_many_cycles() -> None:
    """Check that the search for cycles comes to an end where everything needs everything."""
    cycles, involved = cycles_of([[other for other in range(40) if other != number] for number in range(40)])
    assert involved == 40
    assert 0 < len(cycles) <= 1000


def test_long_cycle() -> None:
    """Check that a long cycle is found as a whole, beginning with the first module."""
    needs = [[(number + 1) % 3000] for number in range(3000)]
    assert cycles_of(needs) == ([[*range(3000), 0]], 3000)


def test_no_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that all is done where no other process can be started, as in a root without /dev/shm."""

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("multiprocessing.context.BaseContext.Pool", refuse)
    monkeypatch.setattr("modpost_py.kmod.depmod_reading._FEWEST_FOR_PROCESSES", 1)
    directory = write_tree(MODULE + EMPTY, tmp_path)
    monkeypatch.setattr("sys.argv", ["depmod", "-b", str(tmp_path), RELEASE])
    assert depmod_cli.main() == 0
    assert made_files(directory)["modules.dep"] == b"kernel/a.ko:\n"


def test_deep_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that directories may be as deep as paths are long."""
    write_tree(EMPTY, tmp_path)
    directory = tmp_path / "lib/modules" / RELEASE
    deep = [f"{directory}{'/d' * depth}" for depth in range(1, 1201)]
    for path in deep:
        os.mkdir(path)
    try:
        for options in ([], ["-A"]):
            monkeypatch.setattr("sys.argv", ["depmod", *options, "-b", str(tmp_path), RELEASE])
            assert depmod_cli.main() == 0
    finally:  # Python's own rmtree is recursive
        for path in reversed(deep):
            os.rmdir(path)
    assert made_files(directory)["modules.dep"] == b""
