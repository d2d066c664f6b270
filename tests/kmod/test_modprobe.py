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
from tests.kmod.depmod_trees import write_tree
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


_MODULES = """\
module lib/modules/1.2.3/kernel/led.ko.xz
  version printk 0x12345678
  version module_layout 0x9
  export led_on 0xabc
  export led_off 0xdef
module lib/modules/1.2.3/kernel/plain.ko
  export plain_on
module lib/modules/1.2.3/kernel/nothing.ko
  license=GPL
text lib/modules/1.2.3/kernel/text.ko
  no module
"""


@pytest.mark.parametrize(
    ("option", "name", "printed"),
    [
        ("--show-modversions", "led.ko.xz", "0x12345678\tprintk\n0x00000009\tmodule_layout\n"),
        ("--dump-modversions", "led.ko.xz", "0x12345678\tprintk\n0x00000009\tmodule_layout\n"),
        ("--show-exports", "led.ko.xz", "0x00000abc\tled_on\n0x00000def\tled_off\n"),
        ("--show-exports", "plain.ko", "0x00000000\tplain_on\n"),
        ("--show-exports", "nothing.ko", "! could not get symbols of nothing.ko: No such file or directory\n? 1\n"),
        ("--show-modversions", "plain.ko", "! could not get modversions of plain.ko: No such file or directory\n? 1\n"),
        ("--show-exports", "text.ko", "! could not get symbols of text.ko: Exec format error\n? 1\n"),
        ("--show-modversions", ".", "! could not get modversions of .: Is a directory\n? 1\n"),
        ("--show-exports", "absent.ko", "! Module absent.ko not found.\n? 1\n"),
    ],
)
def test_symbol_versions(option: str, name: str, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the symbol versions in a module's file: those that it expects, and those that it offers."""
    monkeypatch.chdir(write_tree(_MODULES, tmp_path) / "kernel")
    got = transcript(tmp_path / "nowhere", ["modprobe", option, name], monkeypatch)
    assert got.replace("! modprobe: FATAL: ", "! ") == printed
