# SPDX-License-Identifier: GPL-2.0-or-later
"""The samples and the fragment that builds them, against a made-up headers tree; conformance has real ones."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kbuild.make_trees import REPOSITORY, headers_tree, run
from tests.modpost.module_writer import ModuleSpec
from tests.modpost.running import run_in

SAMPLES = ("exporter", "exporter-user", "device-table", "name-space", "gpl-violation", "crc-mismatch")
SOURCE = REPOSITORY / "samples"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A copy of the samples' sources beside a headers tree."""
    directory = tmp_path / "samples"
    shutil.copytree(SOURCE, directory, ignore=shutil.ignore_patterns("*.o", "*.cmd", "*.symvers", "build", ".mod*"))
    headers_tree(tmp_path / "headers")
    return directory


def make(sample: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ("make", "--no-print-directory", f"KDIR={sample.parents[1]}/headers", *words)
    return run(sample, *command, programs=sample.parents[1])


def said(sample: Path, target: str, dumps: str = "", root: str = "") -> str:
    """What the made-up kernel's Makefile prints for a target."""
    return f"{target} M={sample} KBUILD_EXTRA_SYMBOLS={dumps} INSTALL_MOD_PATH={root} CC=cc\n"


def test_targets(samples: Path) -> None:
    """Check the fragment's targets: all, single files, installation below DESTDIR, clean."""
    sample = samples / "exporter"
    for words, expected in (
        ([], said(sample, "modules")),
        (["all"], said(sample, "modules")),
        (["tally.o"], said(sample, "tally.o")),
        (["tally.symtypes", "tally.i"], said(sample, "tally.symtypes") + said(sample, "tally.i")),
        (["modules_install"], said(sample, "modules_install")),
        (["modules_install", "DESTDIR=/new/root"], said(sample, "modules_install", root="/new/root")),
        (["modules_install", "DESTDIR=../root"], said(sample, "modules_install", root=f"{samples}/root")),
        (["clean"], said(sample, "clean")),
    ):
        done = make(sample, *words)
        assert (done.stdout, done.returncode) == (expected, 0), words


def test_existing_file_is_asked_for(samples: Path) -> None:
    """Check that a file that is there is still kbuild's to judge: it knows what changed."""
    (samples / "exporter/tally.o").touch()
    assert make(samples / "exporter", "tally.o").stdout == said(samples / "exporter", "tally.o")


def test_words_of_the_command_line(tmp_path: Path, samples: Path) -> None:
    """Check that O= and CC= on make's command line are known to the checks: O holds the kernel, CC is there."""
    shutil.copytree(tmp_path / "headers", tmp_path / "output")
    shutil.rmtree(tmp_path / "headers/include")
    (tmp_path / "output/.kernelvariables").write_text("CC = $(CROSS_COMPILE)gcc-none\n")
    done = make(samples / "exporter", "O=../../output", "CC=true")
    assert (done.stdout, done.returncode) == (said(samples / "exporter", "modules").replace("CC=cc", "CC=true"), 0)
    assert "gcc-none" not in done.stderr


def test_other_directory(samples: Path) -> None:
    """Check that the user of another directory's exports has that built first, and names its dump absolutely."""
    other, sample = samples / "exporter", samples / "exporter-user"
    assert make(sample).stdout == said(other, "modules") + said(sample, "modules", f"{other}/Module.symvers")


def test_altered_dump(samples: Path) -> None:
    """Check that the failing example alters one version, and that clean takes the altered dump away."""
    sample = samples / "crc-mismatch"
    lines = ("0x11111111\ttally_open", "0x22222222\ttally_count", "0x33333333\ttally_counted")
    dump = "".join(f"{line}\t/x/tally\tEXPORT_SYMBOL_GPL\t\n" for line in lines)
    (samples / "exporter/Module.symvers").write_text(dump)
    assert make(sample).stdout == said(sample, "modules", f"{sample}/altered.symvers")
    assert (sample / "altered.symvers").read_text() == dump.replace("0x22222222", "0x12345678")
    make(sample, "clean")
    assert not (sample / "altered.symvers").exists()


def test_makefile_without_kbuild(tmp_path: Path, samples: Path) -> None:
    """Check that a Makefile alone serves: its obj-m is kbuild's, which sees nothing of the fragment."""
    module = samples / "alone"
    module.mkdir()
    (module / "Makefile").write_text(f"obj-m := ring.o\ninclude {samples}/Makefile.modversions\n")
    kernel = (
        "export KERNELRELEASE = 6.1.0\nexport KBUILD_EXTMOD = $(M)\n"
        "modules: ; +@$(MAKE) -f build\n"
    )  # fmt: skip
    (tmp_path / "headers/Makefile").write_text(kernel)
    (tmp_path / "headers/build").write_text("here: ; @echo '$(obj-m) $(kbuild)'\ninclude $(M)/Makefile\n")
    assert make(module).stdout == "ring.o \n"


def test_without_the_program(samples: Path) -> None:
    """Check what is said where kbuild-py is not installed."""
    done = make(samples / "exporter", "KBUILD_PY=kbuild-none")
    assert done.returncode == 2
    assert done.stderr == (
        "../Makefile.modversions:23: *** kbuild-none is not there; install modversions (pip install DIRECTORY), "
        "or name it: make KBUILD_PY=/path/to/kbuild-py.  Stop.\n"
    )


def test_licence_violation(tmp_path: Path) -> None:
    """Check that the failing example fails with the message that is kept beside it."""
    source = (SOURCE / "gpl-violation/greedy.c").read_text()
    licence = re.search(r'MODULE_LICENSE\("(.*)"\)', source)
    assert licence is not None and "debugfs_create_dir(" in source
    module = ModuleSpec("greedy", undefined=["debugfs_create_dir"], modinfo=[f"license={licence[1]}", "description=x"])
    module.write(tmp_path, "6.1")
    (tmp_path / "Module.symvers").write_text("0x00000000\tdebugfs_create_dir\tvmlinux\tEXPORT_SYMBOL_GPL\t\n")
    outcome = run_in(tmp_path, "6.1", ["-e", "-i", "Module.symvers", "greedy.o"])
    expected = (SOURCE / "gpl-violation/expected-message").read_text()
    assert (outcome.status, outcome.stderr) == (1, f"ERROR: {expected}")


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample(name: str) -> None:
    """Check that each sample is whole: sources for what Kbuild lists, a licence and a description in each."""
    kbuild = (SOURCE / name / "Kbuild").read_text()
    modules = re.findall(r"(\w+)\.o", kbuild)
    assert modules
    for module in modules:
        text = (SOURCE / name / f"{module}.c").read_text()
        assert text.startswith("// SPDX-License-Identifier: GPL-2.0-or-later\n")
        assert text.count("MODULE_LICENSE(") == text.count("MODULE_DESCRIPTION(") == 1
    assert "include ../Makefile.modversions" in (SOURCE / name / "Makefile").read_text()
