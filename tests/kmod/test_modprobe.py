# SPDX-License-Identifier: GPL-2.0-or-later
"""modprobe on fake root file systems: one directory of modprobe_cases a case.

A case is a root file system (on top of that of ``common``) and a file ``session``, in which ``$`` begins a command,
``!`` a line on stderr, ``?`` the exit status if it is not 0; all else is stdout.  But for the case ``damage`` the
answers are those of kmod 30.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from modpost_py.kmod.modprobe_cli import main
from tests.kmod.fake_root import make_root

_CASES = Path(__file__).with_name("modprobe_cases")
_NAMES = sorted(path.parent.name for path in _CASES.glob("*/session"))


def transcript(root: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command prints, in the form of a session."""
    written: dict[int, list[str]] = {1: [], 2: []}
    while words and re.match(r"[A-Z_]+=", words[0]):
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    monkeypatch.setattr(sys, "argv", ["modprobe"])
    arguments = [f"--system-root={root}", "-d", str(root), "-S", "1.0"]
    arguments += [word.replace("ROOT", str(root)) for word in words[1:]]
    status = main(arguments, write=lambda descriptor, text: written[descriptor].append(text))
    monkeypatch.delenv("MODPROBE_OPTIONS", raising=False)
    lines = "".join(written[1]).splitlines() + [f"! {line}" for line in "".join(written[2]).splitlines()]
    lines += [f"? {status}"] if status else []
    return "".join(f"{line}\n" for line in lines).replace(str(root), "")


@pytest.mark.parametrize("name", _NAMES)
def test_session(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that each command of a session prints what the session has, and nothing else."""
    monkeypatch.delenv("MODPROBE_OPTIONS", raising=False)
    root = make_root(tmp_path / "root", _CASES / "common", _CASES / name)
    session = os.fsdecode((_CASES / name / "session").read_bytes())
    commands = re.findall(r"^\$ (.*)\n", session, re.MULTILINE)
    assert commands
    got = "".join(f"$ {command}\n{transcript(root, shlex.split(command), monkeypatch)}" for command in commands)
    assert got == session
