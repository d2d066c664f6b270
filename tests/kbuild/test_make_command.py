# SPDX-License-Identifier: GPL-2.0-or-later
"""kbuild-py make on made-up trees: what make is given, what is said before, who waits for whom."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modpost_py.kbuild.build_checks import missing_default
from tests.kbuild.make_trees import REPOSITORY, build, environment, files, headers_tree, module_directory, run
from tests.permissions import ARE_IGNORED

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")

RUNNING = os.uname().release
OTHER_KERNEL = (
    f"kbuild-py: note: building for 6.1.0-1-test; the running kernel is {RUNNING} and will not load these modules\n"
)


@pytest.fixture
def headers(tmp_path: Path) -> Path:
    return headers_tree(tmp_path / "headers")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return module_directory(tmp_path / "module")


def refused(module: Path, headers: Path, *words: str) -> str:
    """The message of a build that does not begin; make must not have run."""
    done = build(module, headers, *words)
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


# ----- what make is given


def test_words_go_to_make(module: Path, headers: Path) -> None:
    """Check that targets and variables reach make, and that its output is all there is."""
    done = build(module, headers, "ring.o", "CC=gcc-12", "-k")
    assert done.stdout == f"ring.o M={module} KBUILD_EXTRA_SYMBOLS= INSTALL_MOD_PATH= CC=gcc-12\n"
    assert done.stderr == OTHER_KERNEL
    assert done.returncode == 0


def test_programs_in_place(module: Path, headers: Path) -> None:
    """Check that the variables name launchers beside the module, and that these are our programs."""
    printed = build(module, headers, "environment").stdout
    launchers = module / ".modversions"
    assert f"MODPOST={launchers}/modpost\n" in printed
    assert f"genksyms={launchers}/genksyms $(if $(1),-T $(2))" in printed
    assert f"cmd_and_fixdep=$(cmd); {launchers}/fixdep $(depfile)" in printed
    assert (launchers / ".gitignore").read_text() == "*\n"
    source = "int ring_count(void);\n__GENKSYMS_EXPORT_SYMBOL(ring_count);\n"
    crc = subprocess.run([launchers / "genksyms"], input=source, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"#SYMVER ring_count 0x[0-9a-f]{8}\n", crc)
    helped = subprocess.run([launchers / "modpost", "--help"], capture_output=True, text=True, check=True).stdout
    assert "modpost-py" in helped
    assert subprocess.run([launchers / "fixdep"], capture_output=True).returncode == 1


def test_kept_programs(module: Path, headers: Path) -> None:
    """Check that --keep leaves a program the kernel's own."""
    printed = build(module, headers, "--keep", "modpost", "--keep", "fixdep", "environment").stdout
    assert printed.startswith(f"MODPOST=\ngenksyms={module}/.modversions/genksyms ")
    assert "cmd_and_fixdep=\n" in printed
    assert sorted(path.name for path in (module / ".modversions").iterdir()) == [".gitignore", "genksyms"]


def test_launchers_stay(module: Path, headers: Path) -> None:
    """Check that a second build writes no launcher again: make would take modpost for changed."""
    build(module, headers)
    before = files(module / ".modversions")
    build(module, headers)
    assert files(module / ".modversions") == before
    (module / ".modversions/modpost").chmod(0o600)
    build(module, headers)
    assert os.access(module / ".modversions/modpost", os.X_OK)
    assert files(module / ".modversions") == before


def test_clean(module: Path, headers: Path) -> None:
    """Check that clean removes the launchers too, needs no dump and says nothing of other kernels."""
    (headers / "Module.symvers").unlink()
    build(module, headers, "ring.o")
    assert (module / ".modversions").is_dir()
    done = build(module, headers, "clean")
    assert (done.stdout.split()[0], done.stderr, done.returncode) == ("clean", "", 0)
    assert not (module / ".modversions").exists()


def test_installation(module: Path, headers: Path) -> None:
    """Check that installing, mostly done by root, writes nothing of ours beside the modules."""
    build(module, headers, "modules_install")
    assert not (module / ".modversions").exists()


def test_status_of_make(module: Path, headers: Path) -> None:
    """Check that make's failure is the command's."""
    done = build(module, headers, "fails")
    assert done.returncode == 2
    assert "Error 3" in done.stderr


def test_directories(tmp_path: Path, module: Path, headers: Path) -> None:
    """Check that M=, KDIR= and the environment's KDIR mean what they mean to users."""
    expected = f"modules M={module} KBUILD_EXTRA_SYMBOLS= INSTALL_MOD_PATH= CC=cc\n"
    words = ("kbuild-py", "make", "--no-print-directory")
    assert run(tmp_path, *words, "M=module", f"KDIR={headers}", programs=tmp_path).stdout == expected
    done = run(tmp_path, *words, "--module-directory", "module", programs=tmp_path, variables={"KDIR": str(headers)})
    assert done.stdout == expected


def test_jobs(tmp_path: Path, module: Path, headers: Path) -> None:
    """Check that a calling make's jobs and variables are those of the build."""
    show = 'echo "$$MAKEFLAGS" | tr " " "\\n" | grep -o "^-*j.*\\|^V=1" | sort'
    (headers / "Makefile").write_text(f"modules: ; @{show}\n")
    (tmp_path / "Makefile").write_text(f"all: ; +@kbuild-py make --headers {headers} --module-directory {module}\n")
    done = run(tmp_path, "make", "-j2", "V=1", "--no-print-directory", programs=tmp_path)
    assert re.fullmatch(r"(-j2\n)?--jobserver\S+\nV=1\n|--jobserver\S+\n-j2\nV=1\n", done.stdout), done.stdout
    assert "jobserver unavailable" not in done.stderr


def test_build_directory_of_the_kernel(tmp_path: Path, module: Path, headers: Path) -> None:
    """Check O=: the source is KDIR, what tells about the kernel lies in O; relative to the user's directory."""
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(headers / "Makefile", source)
    done = build(module, source, "environment", "O=../headers")
    assert done.stdout.endswith(f"O={headers} MO= CURDIR={source}\n")
    assert done.stderr == OTHER_KERNEL


def test_directory_for_built_files(tmp_path: Path, module: Path) -> None:
    """Check MO= of 6.13: launchers go there, and it may be relative."""
    headers = headers_tree(tmp_path / "headers", "7.2.0-1-test")
    done = build(module, headers, "environment", "MO=../out")
    assert done.stdout.endswith(f"O= MO={tmp_path}/out CURDIR={headers}\n")
    assert f"MODPOST={tmp_path}/out/.modversions/modpost\n" in done.stdout
    assert not (module / ".modversions").exists()


def test_symtypes_of_7(tmp_path: Path, module: Path) -> None:
    """Check that x.symtypes is made by way of x.i where kbuild has no such target, and not together with x.i."""
    headers = headers_tree(tmp_path / "headers", "7.2.0-1-test")
    printed = build(module, headers, "ring.symtypes", "ring.o", "X=a.symtypes").stdout
    assert re.findall(r"^(\S+) M=", printed, re.MULTILINE) == ["ring.i", "ring.o"]
    assert refused(module, headers, "ring.symtypes", "ring.i").endswith(
        "kbuild-py: this kernel's kbuild makes .symtypes and .i files one after the other: ask for one kind\n"
    )
    headers = headers_tree(tmp_path / "older", "6.12.0-1-test")
    assert build(module, headers, "ring.symtypes").stdout.startswith("ring.symtypes M=")


# ----- what can be wrong


def test_no_headers_of_the_running_kernel(tmp_path: Path, module: Path) -> None:
    """Check the message without KDIR where the running kernel has no headers."""
    if Path(f"/lib/modules/{RUNNING}/build").is_dir():
        pytest.skip("the running kernel has headers")
    done = run(module, "kbuild-py", "make")
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"kbuild-py: /lib/modules/{RUNNING}/build: the running kernel, {RUNNING}, has no headers here; install them "
        f"(Debian, Ubuntu: linux-headers-{RUNNING}; Fedora, SUSE: kernel-devel); or "
    )


def test_headers_that_are_installed(tmp_path: Path) -> None:
    """Check that the message names the headers that are there, each once, and passes over what is none."""
    modules, sources = tmp_path / "lib/modules", tmp_path / "src"
    headers_tree(sources / "linux-headers-6.1.0-1-test")
    headers_tree(sources / "linux-headers-6.1.0-2-test")
    (sources / "linux-headers-6.1.0-1-common").mkdir()
    (modules / "6.1.0-1-test").mkdir(parents=True)
    (modules / "6.1.0-1-test/build").symlink_to(sources / "linux-headers-6.1.0-1-test")
    begin = (
        "/lib/modules/6.9/build: the running kernel, 6.9, has no headers here; install them (Debian, Ubuntu: "
        "linux-headers-6.9; Fedora, SUSE: kernel-devel); or "
    )
    assert missing_default("6.9", [str(modules), str(sources)]) == (
        f"{begin}build for another kernel, with KDIR={modules}/6.1.0-1-test/build "
        f"(or {sources}/linux-headers-6.1.0-2-test)"
    )
    assert missing_default("6.9", [str(tmp_path)]) == f"{begin}name others with KDIR=DIRECTORY"


def test_headers_without_kbuild(module: Path, headers: Path) -> None:
    """Check that headers whose link to kbuild leads nowhere say which package lacks."""
    shutil.rmtree(headers / "scripts")
    (headers / "scripts").symlink_to("../../lib/linux-kbuild-6.1/scripts")
    assert refused(module, headers) == (
        f"kbuild-py: {headers}/scripts: a link to ../../lib/linux-kbuild-6.1/scripts, which is not there; install the "
        "package that holds it (Debian: linux-kbuild-VERSION)\n"
    )


def test_no_dump(tmp_path: Path, module: Path) -> None:
    """Check that a missing Module.symvers stops a build of modules, says why, and can be overruled."""
    because = {
        "CONFIG_MODVERSIONS=y\n": "modules built here would have no symbol versions, and the kernel would refuse them",
        "": "modpost could not tell which symbols the kernel exports",
    }
    for number, (configuration, text) in enumerate(because.items()):
        headers = headers_tree(tmp_path / f"headers-{number}", configuration=configuration, symvers=None)
        assert refused(module, headers).removeprefix(OTHER_KERNEL) == (
            f"kbuild-py: {headers}: no Module.symvers: {text}; it comes with a whole build of this kernel "
            "('make modules' there), or from its image with 'symvers-py'; KBUILD_MODPOST_WARN=1 builds without it\n"
        )
        assert build(module, headers, "KBUILD_MODPOST_WARN=1").returncode == 0
        assert build(module, headers, "ring.o").returncode == 0


def test_no_note(tmp_path: Path, module: Path, headers: Path) -> None:
    """Check that nothing is said where the headers are the running kernel's, or another machine's on purpose."""
    done = build(module, headers_tree(tmp_path / "own", RUNNING))
    assert (done.stderr, done.returncode) == ("", 0)
    assert build(module, headers, "ARCH=arm64").stderr == ""


def test_missing_compiler(module: Path, headers: Path) -> None:
    """Check the note on a compiler that the headers ask for and that is not there, unless one is named."""
    compiler = "CC = $(if $(DEBIAN_KERNEL_USE_CCACHE),$(CCACHE)) $(CROSS_COMPILE)gcc-none\n"
    (headers / ".kernelvariables").write_text(compiler)
    assert build(module, headers).stderr == OTHER_KERNEL + (
        "kbuild-py: note: these headers ask for gcc-none, which is not installed; install it, or name another with "
        "CC=gcc\n"
    )
    assert build(module, headers, "CC=gcc").stderr == OTHER_KERNEL


def test_dwarf_versions(tmp_path: Path, module: Path) -> None:
    """Check the note on a kernel whose versions come from gendwarfksyms."""
    headers = headers_tree(tmp_path / "headers", RUNNING, "CONFIG_MODVERSIONS=y\nCONFIG_GENDWARFKSYMS=y\n")
    assert build(module, headers).stderr == (
        "kbuild-py: note: this kernel's symbol versions come from gendwarfksyms, which stays its own program\n"
    )


def test_unusable_paths(tmp_path: Path, module: Path, headers: Path) -> None:
    """Check that a space, which kbuild cannot have in a path, is named and where it is."""
    spaced = shutil.copytree(headers, tmp_path / "my headers")
    assert refused(module, spaced).endswith(
        f"kbuild-py: {spaced}: the headers' directory has a space in its path, which kbuild cannot handle; "
        "move or rename it\n"
    )
    for name, character in (("my module", "a space"), ("a:b", "the character ':'"), ("a,b", "the character ','")):
        other = shutil.copytree(module, tmp_path / name)
        assert refused(other, headers).endswith(
            f"kbuild-py: {other}: the module's directory has {character} in its path, which kbuild cannot handle; "
            "move or rename it\n"
        )


def test_our_programs_in_a_path_with_spaces(tmp_path: Path, module: Path, headers: Path) -> None:
    """Check that an interpreter in a path with spaces is started by launchers in one without."""
    directory = tmp_path / "my programs"
    directory.mkdir()
    (directory / "python").symlink_to(os.path.realpath(sys.executable))
    path = ":".join([str(REPOSITORY), *(entry for entry in sys.path if entry.endswith("-packages"))])
    command = (str(directory / "python"), "-m", "modpost_py.kbuild.cli", "make", "--headers", str(headers))
    assert run(module, *command, variables={"PYTHONPATH": path}).returncode == 0
    launcher = module / ".modversions/modpost"
    assert str(directory) in launcher.read_text()
    assert subprocess.run([launcher, "--version"], capture_output=True).returncode == 0


def test_no_module(tmp_path: Path, module: Path, headers: Path) -> None:
    """Check the messages for a directory without anything to build, and for none."""
    assert refused(tmp_path / "headers", headers, "--module-directory", str(tmp_path)).endswith(
        f"kbuild-py: {tmp_path}: no modules here: it has neither Kbuild nor Makefile; for NAME.c, a file Kbuild with "
        "the line 'obj-m := NAME.o' is enough\n"
    )
    missing = tmp_path / "missing"
    assert refused(module, headers, f"M={missing}") == (
        f"kbuild-py: {missing}: no such directory, to build modules in\n"
    )


def test_read_only_module(module: Path, headers: Path) -> None:
    """Check that a directory that cannot be written to is named before kbuild fails in it."""
    if ARE_IGNORED:
        pytest.skip("permissions do not stop root: test_permissions runs it")
    module.chmod(0o555)
    assert refused(module, headers) == (
        f"kbuild-py: {module}: cannot write here, where the built files go; copy the module to a directory of your "
        "own\n"
    )


def test_wrong_output_directories(tmp_path: Path, module: Path, headers: Path) -> None:
    """Check what is said of O= that names no kernel, and of MO= before 6.13."""
    assert refused(module, headers, f"O={tmp_path}/out") == (
        f"kbuild-py: {tmp_path}/out: no such directory; install the headers of your kernel (Debian, Ubuntu: "
        "linux-headers-RELEASE; Fedora, SUSE: kernel-devel), or name a kernel's build directory\n"
        "kbuild-py: O= names the directory that the kernel was built in; for a directory that the modules' files go "
        "to, kernels since 6.13 have MO=\n"
    )
    assert refused(module, headers, "MO=out") == (
        "kbuild-py: MO=out: kbuild of 6.1.0-1-test builds modules beside their source; copy the source to build "
        "elsewhere (MO= is understood since 6.13)\n"
    )


def test_incomplete_split_tree(tmp_path: Path, module: Path) -> None:
    """Check that headers whose common part is not installed say which package has it."""
    headers = headers_tree(tmp_path / "headers", makefile="include /nowhere/linux-headers-6.1.0-1-common/Makefile\n")
    assert refused(module, headers) == (
        f"kbuild-py: {headers}/Makefile: it includes /nowhere/linux-headers-6.1.0-1-common/Makefile, which is not "
        "there; install the package that holds it (Debian: linux-headers-6.1.0-1-common), or change that line where "
        "these headers are a copy\n"
    )


def test_headers_stay_as_they_are(module: Path, headers: Path) -> None:
    """Check that headers that nobody may write to serve, and that nothing in them is touched."""
    before = files(headers)
    for path in (headers, *headers.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for target in ("modules", "ring.o", "modules_install", "clean"):
        assert build(module, headers, target).returncode == 0
    assert files(headers) == before


def test_printed_command(module: Path, headers: Path) -> None:
    """Check that --print shows the command for these headers or a named kernel, and builds nothing."""
    printed = build(module, headers, "--print").stdout
    assert printed.startswith(f"make -C {headers} M=$PWD \\\n    genksyms='genksyms-py ")
    assert run(module, "kbuild-py", "make", "--print", "--kernel", "5.10").stdout.count("\\\n") == 4
    done = run(module, "kbuild-py", "make", "--print", "--kernel", "4.4")
    assert (done.returncode, done.stderr) == (
        2, "kbuild-py: kernel 4.4 is older than 5.4, the oldest whose Makefiles are known here\n"
    )  # fmt: skip
    assert not (module / ".modversions").exists()


def test_unwritable_output(module: Path, headers: Path) -> None:
    """Check that what the system refuses is one line: a full disk, a file in the launchers' place."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            ["kbuild-py", "make", "--print", "--kernel", "6.1"], env=environment(module.parent), stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "kbuild-py: standard output: No space left on device\n")
    (module / ".modversions").touch()
    assert refused(module, headers) == f"{OTHER_KERNEL}kbuild-py: {module}/.modversions: File exists\n"


# ----- two builds at once

# A build that goes on until a file appears, or for 20 seconds.
SLOW = """\
modules:
	@touch $(M)/begun
	@for i in $$(seq 400); do [ -e $(M)/go ] && break; sleep 0.05; done; echo built
"""


def started(module: Path, headers: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["kbuild-py", "make", "--no-print-directory", "--headers", str(headers)], cwd=module,
        env=environment(module.parent), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} does not appear"
        time.sleep(0.02)


def test_second_build_waits(tmp_path: Path, module: Path) -> None:
    """Check that a second build says that it waits, and builds when the first has ended."""
    headers = headers_tree(tmp_path / "headers", RUNNING, makefile=SLOW)
    first = started(module, headers)
    wait_for(module / "begun")
    second = started(module, headers)
    assert second.stderr is not None
    assert second.stderr.readline() == (
        f"kbuild-py: {module}: another build is under way here; waiting for its end\n"
    )
    assert first.poll() is None
    (module / "go").touch()
    assert (first.communicate(timeout=30)[0], first.returncode) == ("built\n", 0)
    assert (second.communicate(timeout=30)[0], second.returncode) == ("built\n", 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_lock_of_an_ended_build(tmp_path: Path, module: Path, number: int) -> None:
    """Check that a build that was interrupted or killed leaves no lock behind."""
    headers = headers_tree(tmp_path / "headers", RUNNING, makefile=SLOW)
    first = started(module, headers)
    wait_for(module / "begun")
    os.killpg(first.pid, number)
    assert first.wait(30) != 0
    (module / "go").touch()
    done = build(module, headers)
    assert (done.stdout, done.stderr, done.returncode) == ("built\n", "", 0)


def test_build_within_a_build(tmp_path: Path, module: Path) -> None:
    """Check that a build that calls another, which calls one of the first's modules, does not wait for itself."""
    other = module_directory(tmp_path / "other")
    call = f"kbuild-py make --no-print-directory --headers {tmp_path}/headers"
    calls = (f"modules: ; +@cd {other} && {call} ring.o", f"ring.o: ; +@cd {module} && {call} ring.i")
    headers = headers_tree(tmp_path / "headers", RUNNING, makefile="\n".join([*calls, "ring.i: ; @echo in\n"]))
    done = build(module, headers)
    assert (done.stdout, done.stderr, done.returncode) == ("in\n", "", 0)


def test_locks_are_of_one_directory(tmp_path: Path, module: Path, headers: Path) -> None:
    """Check that a build of other modules does not wait."""
    other = module_directory(tmp_path / "other")
    descriptor = os.open(other, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert build(module, headers).returncode == 0
    finally:
        os.close(descriptor)
