# SPDX-License-Identifier: GPL-2.0-or-later
"""The Makefile's set-up: what it says when something is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the Makefile without the variables of a make or pip around it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PIP_"))}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT, env={**kept, "LC_ALL": "C", **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def python_script(path: Path, text: str) -> str:
    """A stand-in for Python: a shell script, in which $real is the real one."""
    path.write_text(f"#!/bin/sh\nreal='{sys.executable}'\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_help_explains_every_target() -> None:
    """Check that make without a target prints one line for each target that is meant to be called."""
    targets = re.search(r"^\.PHONY: (help .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    result = make()
    listed = [line.split()[1] for line in result.stdout.splitlines() if re.match(r"  make \S+ {2,}\S", line)]
    assert (result.returncode, sorted(listed)) == (0, sorted(targets[1].split()))


def test_no_python(tmp_path: Path) -> None:
    """Check the message where PYTHON names nothing."""
    result = make("demo", f"VENV={tmp_path / 'venv'}", "PYTHON=python3.99")
    assert result.returncode == 2
    assert result.stderr.splitlines()[0] == (
        "make: there is no python3.99 here; install Python 3.11 or newer, or name it: make PYTHON=python3.12"
    )


def test_python_too_old(tmp_path: Path) -> None:
    """Check the message for a Python older than 3.11."""
    old = python_script(tmp_path / "python", 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')
    result = make("test", f"VENV={tmp_path / 'venv'}", f"PYTHON={old}")
    assert result.returncode == 2
    assert result.stderr.splitlines()[0] == (
        "make: Python 3.9.2 is too old: Python 3.11 or newer is needed;"
        " if there is one, name it: make PYTHON=python3.12"
    )


def test_python_without_venv(tmp_path: Path) -> None:
    """Check the message for a Python without ensurepip, as Debian's is without python3-venv."""
    bare = python_script(tmp_path / "python", 'case "$*" in *ensurepip*) exit 1;; esac; exec "$real" "$@"')
    result = make("test", f"VENV={tmp_path / 'venv'}", f"PYTHON={bare}")
    assert result.returncode == 2
    assert result.stderr.splitlines()[0] == (
        f"make: {bare} cannot make virtual environments: its modules venv and ensurepip are missing"
        " (Debian, Ubuntu: apt install python3-venv)"
    )


def test_package_index_does_not_answer(tmp_path: Path) -> None:
    """Check that pip's own error is followed by what it means, and that the next make tries again."""
    venv = tmp_path / "venv"
    result = make(
        "test", f"VENV={venv}", f"PYTHON={sys.executable}",
        PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_NO_CACHE_DIR="1",
    )  # fmt: skip
    assert result.returncode == 2
    assert "make: installing failed; if the lines above speak of connections" in result.stderr
    assert "Connection refused" in result.stderr
    assert not (venv / ".installed").exists()
