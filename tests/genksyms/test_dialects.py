# SPDX-License-Identifier: GPL-2.0-or-later
"""Which kernel release means which dialect, and where the release is taken from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from genksyms_py.dialects import DIALECTS, choose_dialect, dialect_of
from genksyms_py.errors import DialectError
from genksyms_py.kernel_release import KernelRelease, NamedRelease, find_release
from tests.genksyms.running import PROGRAM, run

RELEASES = {
    "6.1": (6, 1),
    "v6.1-rc3": (6, 1),
    " 5.10.0-46-amd64\n": (5, 10),
    "6.12.107+deb13-arm64": (6, 12),
    "7.x": (7, 9999),
    "2.4.2": (2, 4),
    "10.0": (10, 0),
}


@pytest.mark.parametrize("text", RELEASES)
def test_releases_are_read(text: str) -> None:
    """Check that major and minor number are taken from a release as uname, make and Debian write it."""
    assert KernelRelease.parse(text) == RELEASES[text]


@pytest.mark.parametrize("text", ["", "6", "six.one", "6.", ".1", "x.1", "6.y", "linux-6.1", "6.12345", "12345.6"])
def test_what_is_no_release_is_refused(text: str) -> None:
    """Check that a text that is no release is named in the error."""
    message = f"not a kernel version: {text!r} (expected e.g. 6.1, 7.x or 6.12.107+deb13-arm64)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        KernelRelease.parse(text)


DIALECT_OF_RELEASE = {
    "2.0": "2.4",
    "2.4.37": "2.4",
    "2.5.1": "5.10",
    "2.6.32": "5.10",
    "4.19.0": "5.10",
    "5.10.0-46-amd64": "5.10",
    "5.18": "5.10",
    "5.19-rc1": "6.1",
    "6.1.0-56-amd64": "6.1",
    "6.11": "6.1",
    "6.12.107+deb13-arm64": "6.12",
    "6.13": "6.12",
    "6.14": "7.x",
    "7.x": "7.x",
    "7.2.13+deb14-amd64": "7.x",
    "8.0": "7.x",
}


@pytest.mark.parametrize("release", DIALECT_OF_RELEASE)
def test_releases_belong_to_dialects(release: str) -> None:
    """Check that a release has the dialect of the last change before it."""
    assert dialect_of(release).name == DIALECT_OF_RELEASE[release]


def test_table_of_dialects() -> None:
    """Check what is different between the dialects."""
    table = [
        (
            dialect.name,
            dialect.grammar,
            dialect.output,
            dialect.has_static_assert,
            dialect.has_relative_crc_option,
            dialect.symbol_prefix_option,
            dialect.export_macros_are_markers,
            dialect.keeps_declarator_attributes,
        )
        for dialect in DIALECTS
    ]
    assert table == [
        ("2.4", "A", "ver", False, False, "unknown", True, True),
        ("5.10", "A", "linker-script", False, True, "fails", False, False),
        ("6.1", "A", "symver", True, False, "fails", False, False),
        ("6.12", "A", "symver", True, False, "unknown", False, False),
        ("7.x", "B", "symver", True, False, "unknown", False, False),
    ]


def test_a_release_older_than_versions_is_refused() -> None:
    """Check that a kernel from before symbol versions is an error of its own."""
    with pytest.raises(DialectError, match=r"^kernel 1\.2\.13 is older than symbol versions \(2\.0\)$"):
        dialect_of("1.2.13")


ALL_VARIABLES = {"GENKSYMS_KERNEL": "2.4.2", "KERNELRELEASE": "5.10.0-46-amd64", "KERNELVERSION": "6.1.192"}


def _write_release(directory: Path, text: str) -> None:
    path = directory / "include/config/kernel.release"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_order_of_the_places(tmp_path: Path) -> None:
    """Check that each place is asked only if those before it say nothing."""
    _write_release(tmp_path, "6.12.107+deb13-arm64\n")
    variables = dict(ALL_VARIABLES)
    found = [choose_dialect("7.2", variables, tmp_path).name]
    while variables:
        found.append(choose_dialect(None, variables, tmp_path).name)
        del variables[next(iter(variables))]
    found.append(choose_dialect(None, {}, tmp_path).name)
    found.append(choose_dialect(None, {}, tmp_path / "include").name)
    assert found == ["7.x", "2.4", "5.10", "6.1", "6.12", "7.x"]


def test_empty_variables_and_files_count_as_unset(tmp_path: Path) -> None:
    """Check that blank values say nothing, and that a blank release file says nothing either."""
    _write_release(tmp_path, "6.1.1\n")
    blank = {"GENKSYMS_KERNEL": "", "KERNELRELEASE": " \n", "KERNELVERSION": ""}
    found = find_release("GENKSYMS_KERNEL", blank, tmp_path)
    assert found == NamedRelease("6.1.1", "include/config/kernel.release")
    (tmp_path / "include/config/kernel.release").write_text(" \n")
    assert find_release("GENKSYMS_KERNEL", blank, tmp_path) is None


@pytest.mark.parametrize("variable", ALL_VARIABLES)
def test_an_unreadable_release_names_its_origin(variable: str, tmp_path: Path) -> None:
    """Check that the error for a bad release says which variable or file had it."""
    text = "not a kernel version: 'next' (expected e.g. 6.1, 7.x or 6.12.107+deb13-arm64)"
    with pytest.raises(DialectError) as caught:
        choose_dialect(None, {variable: "next"}, tmp_path)
    assert str(caught.value) == f"{variable}: {text}"
    _write_release(tmp_path, "next")
    with pytest.raises(DialectError) as caught:
        choose_dialect(None, {}, tmp_path)
    assert str(caught.value) == f"include/config/kernel.release: {text}"


def test_the_command_asks_the_same_places(tmp_path: Path) -> None:
    """Check that the command follows --kernel, then the variables, then the file of its directory, then the newest."""
    source = b"int x;\n__GENKSYMS_EXPORT_SYMBOL(x);\n"
    symver = "#SYMVER x 0xb8a39400\n"
    linker_script = "__crc_x = 0xb8a39400;\n"
    variables = {"KERNELRELEASE": "5.10.1"}
    assert run([], source, kernel="6.1", environment=variables, directory=tmp_path) == (0, symver, "")
    assert run([], source, kernel=None, environment=variables, directory=tmp_path) == (0, linker_script, "")
    assert run([], source, kernel=None, directory=tmp_path) == (0, symver, "")
    _write_release(tmp_path, "5.10.1\n")
    assert run([], source, kernel=None, directory=tmp_path) == (0, linker_script, "")
    message = "KERNELVERSION: not a kernel version: 'x' (expected e.g. 6.1, 7.x or 6.12.107+deb13-arm64)"
    assert run([], source, kernel=None, environment={"KERNELVERSION": "x"}) == (1, "", f"{PROGRAM}: {message}\n")
