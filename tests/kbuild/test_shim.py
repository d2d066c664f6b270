# SPDX-License-Identifier: GPL-2.0-or-later
"""kbuild-py shim: launchers in the places of a tree's programs, and the way back, whatever happens meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from modpost_py.kbuild import shim, shim_command
from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.headers_tree import HeadersTree
from modpost_py.kbuild.launchers import PROGRAMS as LAUNCHED
from modpost_py.kbuild.launchers import launcher_text
from modpost_py.kbuild.shim import Place, State, install, places, restore, state_of
from modpost_py.kbuild.shim_checks import check_launcher
from modpost_py.kbuild.shim_command import main
from tests.kbuild.shim_trees import FOREIGN, PROGRAMS, foreign_program, headers_tree, snapshot

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="run")
def _run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words: str | Path) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out.replace(str(tmp_path), "TMP"), captured.err.replace(str(tmp_path), "TMP")

    return run


@pytest.fixture(name="tree")
def _tree(tmp_path: Path) -> Path:
    return headers_tree(tmp_path / "headers")


def _place(tree: Path, program: str = "fixdep") -> Place:
    return next(place for place in places(HeadersTree.at(tree)) if place.program == program)


def test_shim_and_undo(run: Run, tree: Path) -> None:
    """Check what is said and done, and that undoing it leaves contents, modes, times and inodes as they were."""
    before = snapshot(tree)
    status, output, errors = run("--headers", tree)
    assert (status, errors) == (0, "")
    assert output == (
        "TMP/headers: headers of 6.1.0-9-arm64 (arm64)\n"
        f"  replaced: scripts/basic/fixdep, original ({FOREIGN}): fixdep.shimmed\n"
        f"  replaced: scripts/genksyms/genksyms, original ({FOREIGN}): genksyms.shimmed\n"
        f"  replaced: scripts/mod/modpost, original ({FOREIGN}): modpost.shimmed\n"
        "  no other program of this tree is foreign\n"
        "  check fixdep: a .cmd file: ok\n"
        "  check genksyms: the CRC of printk, 0xea147363: ok\n"
        "  check modpost: a .mod.c and a Module.symvers: ok\n"
        "build with: make -C TMP/headers M=$PWD"
        + (" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-\n" if os.uname().machine != "aarch64" else "\n")
    )
    shimmed = snapshot(tree)
    for path in PROGRAMS:
        assert shimmed[f"{path}.shimmed"] == before[path]
        assert (tree / path).read_text() == launcher_text(path.split("/")[-1], "6.1.0-9-arm64")
        assert os.access(tree / path, os.X_OK)
    assert run("--headers", tree, "--undo") == (0, "".join(f"restored: {path}\n" for path in PROGRAMS), "")
    assert snapshot(tree) == before


def test_twice(run: Run, tree: Path) -> None:
    """Check that a second shim changes nothing, and a second undo finds nothing to do."""
    before = snapshot(tree)
    run("--headers", tree)
    kept = {path: facts for path, facts in snapshot(tree).items() if path.endswith(".shimmed")}
    status, output, _ = run("--headers", tree)
    assert status == 0
    assert output.count("  already replaced: ") == 3
    assert {path: facts for path, facts in snapshot(tree).items() if path.endswith(".shimmed")} == kept
    run("--headers", tree, "--undo")
    assert run("--headers", tree, "--undo") == (0, "TMP/headers: nothing to undo\n", "")
    assert snapshot(tree) == before


def test_dry_run(run: Run, tree: Path) -> None:
    """Check that --dry-run says what would be done and does nothing, in either direction."""
    before = snapshot(tree)
    status, output, _ = run("--headers", tree, "--dry-run")
    assert (status, output.count("  would be replaced: "), "check" in output) == (0, 3, False)
    assert snapshot(tree) == before
    run("--headers", tree)
    shimmed = snapshot(tree)
    assert run("--headers", tree, "--undo", "--dry-run")[1] == "".join(f"would be restored: {x}\n" for x in PROGRAMS)
    assert snapshot(tree) == shimmed


def test_shared_scripts(run: Run, tmp_path: Path) -> None:
    """Check that scripts/ as a link, as Debian has it, is followed and said to be shared."""
    tree = headers_tree(tmp_path / "headers")
    (tmp_path / "lib").mkdir()
    (tree / "scripts").rename(tmp_path / "lib/scripts")
    (tree / "scripts").symlink_to("../lib/scripts")
    before = snapshot(tmp_path / "lib")
    status, output, _ = run("--headers", tree)
    assert status == 0
    assert "its scripts/ is a link to TMP/lib/scripts, which other headers packages may use too\n" in output
    assert (tmp_path / "lib/scripts/mod/modpost.shimmed").exists()
    run("--headers", tree, "--undo")
    assert snapshot(tmp_path / "lib") == before


def test_path_with_spaces(run: Run, tmp_path: Path) -> None:
    """Check that a tree in a directory with spaces, umlauts and quotes is shimmed and restored."""
    tree = headers_tree(tmp_path / "it's a träe")
    before = snapshot(tree)
    status, output, errors = run("--headers", tree)
    assert (status, output.count(": ok\n"), errors) == (0, 3, "")
    assert "  kbuild itself cannot work in a path with spaces or colons; " in output
    assert f"build with: make -C {shlex.quote(str(tree))} M=$PWD".replace(str(tmp_path), "TMP") in output
    run("--headers", tree, "--undo")
    assert snapshot(tree) == before


# -- interrupted ---------------------------------------------------------------------------------------------------


class _Interruption(BaseException):
    """Stands for the power failing: nothing may catch it and go on."""


class _Kernel:
    """``os``, but that the first ``calls`` calls that change files get through and the next one does not."""

    def __init__(self, calls: int, has_links: bool) -> None:
        self._left = calls
        self._has_links = has_links

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in ("link", "rename", "unlink", "open", "fdopen", "fchmod"):
            return real

        def call(*arguments: Any, **options: Any) -> Any:
            if self._left == 0:
                raise _Interruption
            self._left -= 1
            if name == "link" and not self._has_links:
                raise PermissionError(1, "Operation not permitted")
            return real(*arguments, **options)

        return call


def _interrupted(work: Callable[[], object], has_links: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Do the work with an interruption at the first, second ... of its calls, until one run is through."""
    for calls in range(30):
        with monkeypatch.context() as patch:
            patch.setattr(shim, "os", _Kernel(calls, has_links))
            try:
                work()
            except _Interruption:
                was_through = False
            else:
                was_through = True
        if was_through:
            return
        yield calls
    raise AssertionError("the work does not end")


def _original_is_there(place: Place, original: bytes) -> bool:
    return any(path.exists() and path.read_bytes() == original for path in (place.file, place.kept))


def _files(tree: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, time of change and contents of all files: a directory's time is lost with an interruption."""
    facts = snapshot(tree).items()
    return {path: (mode, time, data) for path, (mode, time, _, data) in facts if not stat.S_ISDIR(mode)}


@pytest.mark.parametrize("has_links", [True, False])
def test_interrupted_shim(has_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that after an interruption anywhere the original is there, a second run completes, and undo restores."""
    original = headers_tree(tmp_path / "original")
    before = _files(original)
    seen = set()
    for again in (True, False):
        tree = tmp_path / f"tree-{again}"
        shutil.copytree(original, tree, symlinks=True)
        place = _place(tree)
        contents = place.file.read_bytes()
        text = launcher_text("fixdep", "6.1")
        for calls in _interrupted(partial(install, place, text), has_links, monkeypatch):
            seen.add(calls)
            assert _original_is_there(place, contents)
            assert place.file.exists() or not has_links
            if again:
                install(place, text)
                assert (state_of(place), place.kept.read_bytes()) == (State.SHIMMED, contents)
            restore(place)
            assert _files(tree) == before
    assert len(seen) >= 5


@pytest.mark.parametrize("has_links", [True, False])
def test_interrupted_undo(has_links: bool, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that after an interruption of undo the original is there and a second undo completes."""
    before = snapshot(tree)
    place = _place(tree)
    contents = place.file.read_bytes()
    install(place, launcher_text("fixdep", "6.1"))
    for _ in _interrupted(lambda: restore(place), has_links, monkeypatch):
        assert _original_is_there(place, contents)
    assert snapshot(tree)["scripts/basic/fixdep"] == before["scripts/basic/fixdep"]
    assert sorted(os.listdir(place.file.parent)) == ["fixdep"]


def _shim_and_say(tree: Path, results: Any) -> None:
    with open(os.devnull, "w") as sink:
        sys.stdout = sink
        results.put(main(["--headers", str(tree)]))


def test_at_the_same_time(tree: Path, run: Run) -> None:
    """Check that several shims at once leave one launcher each and lose no original."""
    before = snapshot(tree)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    workers = [context.Process(target=_shim_and_say, args=(tree, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    assert [results.get() for _ in workers] == [0] * 4
    for worker in workers:
        worker.join()
    run("--headers", tree, "--undo")
    assert snapshot(tree) == before


# -- other states --------------------------------------------------------------------------------------------------


def test_package_installed_anew(run: Run, tree: Path) -> None:
    """Check that a program installed over the launcher becomes the original; undo never overwrites it."""
    run("--headers", tree)
    modpost = tree / "scripts/mod/modpost"
    modpost.unlink()
    modpost.write_bytes(foreign_program("newer"))
    status, output, _ = run("--headers", tree, "--undo")
    assert status == 0
    assert "left alone: scripts/mod/modpost, installed anew since; modpost.shimmed is the earlier one\n" in output
    assert modpost.read_bytes() == foreign_program("newer")
    assert run("--headers", tree)[0] == 0
    assert (tree / "scripts/mod/modpost.shimmed").read_bytes() == foreign_program("newer")
    assert (tree / "scripts/mod/modpost.shimmed.1").read_bytes() == foreign_program("scripts/mod/modpost")
    run("--headers", tree, "--undo")
    assert modpost.read_bytes() == foreign_program("newer")


def test_original_that_is_lost(run: Run, tree: Path) -> None:
    """Check that a launcher without its original is said, and undo does not delete the launcher."""
    run("--headers", tree)
    (tree / "scripts/basic/fixdep.shimmed").unlink()
    status, output, _ = run("--headers", tree)
    assert (status, "  made anew: scripts/basic/fixdep, its original is lost\n" in output) == (0, True)
    assert run("--headers", tree, "--undo") == (
        2,
        "",
        "kbuild-py shim: TMP/headers/scripts/basic/fixdep: a launcher, but its original fixdep.shimmed is gone; "
        "install the package that it came from again\n",
    )
    assert (tree / "scripts/basic/fixdep").exists()


def test_tree_without_genksyms(run: Run, tree: Path) -> None:
    """Check that a tree without genksyms, of a kernel without versions, gets two launchers."""
    shutil.rmtree(tree / "scripts/genksyms")
    status, output, _ = run("--headers", tree)
    assert (status, output.count("  replaced: "), output.count(": ok\n")) == (0, 2, 2)
    assert "  it has no scripts/genksyms/genksyms: no launcher for that\n" in output
    assert run("--headers", tree, "--undo")[1].count("restored: ") == 2


def test_trees_that_are_none(run: Run, tree: Path, tmp_path: Path) -> None:
    """Check that a missing directory and a tree without its programs are errors that say what to do."""
    status, output, errors = run("--headers", tmp_path / "gone")
    assert (status, output) == (2, "")
    assert errors.startswith("kbuild-py shim: TMP/gone: no such directory; install the headers of your kernel")
    (tree / "scripts/mod/modpost").unlink()
    status, _, errors = run("--headers", tree)
    assert status == 2
    assert "it has no scripts/mod/modpost; 'make modules_prepare' in the kernel's source makes it\n" in errors


def test_failed_check(run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a launcher that does not work is found, with status 1."""
    monkeypatch.setattr(shim_command, "launcher_text", lambda program, release: "#!/bin/sh\necho broken >&2; exit 3\n")
    status, output, _ = run("--headers", tree)
    assert status == 1
    assert "  check fixdep: a .cmd file: FAILED: exit status 3: broken\n" in output
    assert "build with" not in output


@pytest.mark.parametrize(
    ("program", "script", "fault"),
    [
        ("fixdep", "exit 0", "'' instead of 'cmd_probe.o := "),
        ("genksyms", "echo '#SYMVER printk 0xea147363'; echo warning >&2", "exit status 0: warning"),
        ("genksyms", "echo '#SYMVER printk 0xea147362'", "'#SYMVER printk 0xea147362\\n' instead of '0xea147363'"),
        ("modpost", "exit 0", "it made no probe.mod.c with the version of module_layout"),
        ("modpost", "echo 0x1 > probe.mod.c", "it made no probe.mod.c with the version of module_layout"),
        ("modpost", "echo 0x12345678 > probe.mod.c", "it made no Module.symvers"),
        ("modpost", "kill -9 $$", "exit status -9: no message"),
    ],
)
def test_faults(program: str, script: str, fault: str, tmp_path: Path) -> None:
    """Check what the checks say of programs that do not do their work."""
    launcher = tmp_path / program
    launcher.write_text(f"#!/bin/sh\n{script}\n")
    launcher.chmod(0o755)
    assert (check_launcher(program, launcher, "6.1").fault or "").startswith(fault)


def test_originals_are_never_overwritten(tree: Path) -> None:
    """Check that what is kept stays even if another process kept it since we looked."""
    place = _place(tree)
    place.kept.write_text("another process's")
    with pytest.raises(FileExistsError):
        shim._keep(place)
    assert place.kept.read_text() == "another process's"


def test_launchers_are_for_all_users(tree: Path) -> None:
    """Check that a launcher can be run by everyone, whatever the umask of who made it."""
    before = os.umask(0o077)
    try:
        install(_place(tree), "#!/bin/sh\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE(_place(tree).file.stat().st_mode) == 0o755


@pytest.mark.parametrize("program", LAUNCHED)
@pytest.mark.parametrize("release", ["5.10.0-9-amd64", "6.1.0-9-arm64", "6.12.1+deb13-amd64", "7.2.1+deb14-arm64"])
def test_checks_know_each_kernel(program: str, release: str, tmp_path: Path) -> None:
    """Check that each launcher passes its check for each kernel, and fails that of another where they differ."""
    launcher = tmp_path / program
    launcher.write_text(launcher_text(program, release))
    launcher.chmod(0o755)
    assert check_launcher(program, launcher, release).fault is None
    if program == "fixdep":
        other = "6.12" if release.startswith(("5", "6.1.")) else "6.1"
        assert check_launcher(program, launcher, other).fault is not None


@pytest.mark.parametrize(
    ("output", "messages", "status"),
    [("/dev/full", "kbuild-py shim: standard output: No space left on device\n", 2), ("pipe", "", 0), ("none", "", 0)],
)
def test_lost_output(output: str, messages: str, status: int, tree: Path) -> None:
    """Check that all is done though nobody hears of it, and a full disk is said."""
    command = [sys.executable, "-m", "modpost_py.kbuild.cli", "shim", "--headers", str(tree)]
    environment = {**os.environ, "PYTHONPATH": str(Path(shim.__file__).parents[2])}
    reader, writer = os.pipe()
    os.close(reader)
    where = writer if output == "pipe" else os.open("/dev/full", os.O_WRONLY)
    closing = ["sh", "-c", 'exec "$@" >&-', "sh"] if output == "none" else []
    result = subprocess.run([*closing, *command], env=environment, stdout=where, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (result.stderr, result.returncode) == (messages, status)
    assert [state_of(place) for place in places(HeadersTree.at(tree))] == [State.SHIMMED] * 3


# -- launchers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["py thon", "it's", "x" * 240])
def test_interpreter_with_an_odd_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a launcher works where the first line of a script cannot name its interpreter."""
    interpreter = tmp_path / name
    interpreter.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    launcher = tmp_path / "fixdep"
    launcher.write_text(launcher_text("fixdep", "6.1"))
    launcher.chmod(0o755)
    (tmp_path / "deps").write_text("a.o: a.c\n")
    (tmp_path / "a.c").write_text("")
    result = subprocess.run([launcher, "deps", "a b.o", "x  y"], cwd=tmp_path, capture_output=True, text=True)
    assert (result.stdout.split("\n")[0], result.stderr) == ("cmd_a b.o := x  y", "")


def test_launcher_without_its_package(tmp_path: Path) -> None:
    """Check that a launcher whose packages have moved says so in one line."""
    text = launcher_text("genksyms", "6.1")
    start, _, rest = text.partition("sys.path += [")
    launcher = tmp_path / "genksyms"
    launcher.write_text(f"{start}sys.path += []\n{rest.partition(chr(10))[2]}")
    launcher.chmod(0o755)
    result = subprocess.run([launcher], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        f"{launcher}: No module named 'genksyms_py': modversions has moved or is gone; "
        "install it and make this launcher anew\n"
    )


def test_interpreter_that_cannot_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a path that no launcher can hold is an error."""
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(KbuildError, match="the Python interpreter's path cannot be written into a launcher"):
        launcher_text("fixdep")
