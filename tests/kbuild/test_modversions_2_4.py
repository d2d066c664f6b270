# SPDX-License-Identifier: GPL-2.0-or-later
"""The sample of the 2.4 flow, run as its reader would."""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from genksyms_py import symbol_versions
from tests.demo import test_documents as documents

SAMPLE = documents.ROOT / "samples/modversions-2.4"

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "gcc", "make", "nm", "objcopy"))), reason="needs gcc, make and binutils"
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the repository's samples, with its programs on the path of what is run."""
    documents.copy_of_repository(tmp_path)
    return tmp_path


def run(repository: Path, *commands: str) -> list[list[str]]:
    """What commands print in the sample's directory, one after the other."""
    steps = [documents.Step("cd samples/modversions-2.4"), *map(documents.Step, commands)]
    return documents.outputs_of(steps, repository)[1:]


def names(lines: list[str], kind: str) -> set[str]:
    """The symbols of one kind in the output of nm."""
    return {line.split()[-1] for line in lines if line.split()[-2] == kind}


def test_readme(repository: Path) -> None:
    """Check that the commands of the sample's README print what it says."""
    text = (SAMPLE / "README.md").read_text()
    blocks = re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    steps = [step for block in blocks for step in documents.steps_of(block)]
    assert len(steps) == 5
    for step, printed in zip(steps, documents.outputs_of(steps, repository), strict=True):
        assert documents.matches(step.expected, printed), (step.command, printed)


def test_versions_in_names(repository: Path) -> None:
    """Check that both objects have the CRC of the declaration in the names, and the exporter's table too."""
    built, exporter, guest, table = run(
        repository, "make > /dev/null", "nm build/bar.o", "nm build/guest.o", "strings -a build/bar.o"
    )
    assert built == []
    bar = "int bar ( struct glass { int size ; int level ; } * , const char * ) "
    close = "void bar_close ( void ) "
    versioned = {f"bar_R{zlib.crc32(bar.encode()):08x}", f"bar_close_R{zlib.crc32(close.encode()):08x}"}
    assert names(guest, "U") == versioned
    assert names(exporter, "T") == versioned | {"init_module", "cleanup_module"}
    assert names(exporter, "r") == {f"__{table}_{name}" for table in ("ksymtab", "kstrtab") for name in versioned}
    assert versioned <= set(table)


def test_versions_are_those_of_the_library(repository: Path) -> None:
    """Check that the .ver file has the CRCs that the library computes from the same source."""
    run(repository, "make > /dev/null")
    sample = repository / "samples/modversions-2.4"
    source = subprocess.run(
        ["gcc", "-E", "-D__KERNEL__", "-D__GENKSYMS__", "-nostdinc", "-Iinclude", "bar.c"],
        cwd=sample, stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    found = dict(
        re.findall(r"#define __ver_(\w+)\t(\w+)", (sample / "build/include/linux/modules/bar.ver").read_text())
    )
    assert found == {name: f"{version.crc:08x}" for name, version in symbol_versions(source, kernel="2.4").items()}


def test_mismatch(repository: Path) -> None:
    """Check that after a changed struct the old user finds only what does not reach it, and the new one all."""
    _, _, old, new = run(
        repository,
        "make > /dev/null",
        "make mismatch > /dev/null",
        "./insmod.sh build/guest.o build/changed/bar.o; echo $?",
        "make O=build/changed INCLUDE=build/changed/headers | tail -n 2; echo $?",
    )
    shown = [re.sub(r"_R[0-9a-f]{8}", "_R", line) for line in old]
    assert shown == [
        "build/guest.o: unresolved symbol bar_R",
        "build/guest.o:   there is bar_R, of another version",
        "build/guest.o: bar_close_R found",
        "1",
    ]
    assert [line.partition("_R")[2][8:] for line in new[:2]] == [" found", " found"]


def test_prefix_of_smp_kernels(repository: Path) -> None:
    """Check that the names of a kernel for several processors are others, with the same CRC."""
    one, several = run(
        repository,
        "make > /dev/null; nm -u build/guest.o",
        "make SMP=1 O=smp > /dev/null; nm -u smp/guest.o",
    )
    assert [line.replace("_Rsmp_", "_R") for line in several] == one
    assert len([line for line in several if "_Rsmp_" in line]) == 2


def test_rebuilds_what_changed(repository: Path) -> None:
    """Check that a second make compiles nothing, and that a changed header renews the versions."""
    _, again, changed = run(
        repository,
        "make > /dev/null",
        "make | grep -c '^  CC'",
        "touch include/linux/bar.h; make | grep -cE '^  (CPP|GENKSYMS|CC) '",
    )
    assert (again, changed) == (["0"], ["5"])
