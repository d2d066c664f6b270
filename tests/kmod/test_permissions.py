# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests that are about permissions, for root, who has to give up privileges for them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.permissions import ARE_IGNORED, WITHOUT_PRIVILEGES

ROOT = Path(__file__).resolve().parents[2]
TESTS = (
    "tests/kbuild/test_make_command.py::test_read_only_module",
    "tests/kmod/test_compression.py::test_unreadable_file",
    "tests/kmod/test_depmod_command.py::test_unreadable",
    "tests/kmod/test_modinfo_command.py::test_unreadable_module",
)


@pytest.mark.skipif(not ARE_IGNORED, reason="permissions stop this user: the tests themselves are run")
@pytest.mark.skipif(shutil.which(WITHOUT_PRIVILEGES[0]) is None, reason="there is no setpriv")
def test_without_privileges(tmp_path: Path) -> None:
    """Check that each of these tests passes, none skipped, for a root that permissions stop."""
    pytest_call = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/t", *TESTS]
    result = subprocess.run([*WITHOUT_PRIVILEGES, *pytest_call], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (result.returncode, f"{len(TESTS)} passed in" in result.stdout) == (0, True), result.stdout + result.stderr
