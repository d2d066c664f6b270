# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command that README.md and docs/ show is run, and prints what they say.

A block that begins with ```` ```console ```` is a transcript: ``$ `` opens a command (``> `` continues
it), the lines below it are what it prints, both streams together.  A line of three dots stands for
any number of lines.  The blocks of one document share a directory, a copy of the repository's files.
A block that begins with ```` ```python ```` is a program without output; its assertions have to hold.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# modpost's documents are tested with modpost.
DOCUMENTS = [path for path in DOCUMENTS if path.exists() and not path.name.startswith("modpost-")]

#: The installed programs and their entry points.
PROGRAMS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "=== end of a command ==="

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "gcc", "ld", "make"))), reason="the documents' commands need bash, gcc and make"
)


@dataclass
class Step:
    """One command of a transcript and what it prints."""

    command: str
    expected: list[str] = field(default_factory=list)


def steps_of(block: str) -> list[Step]:
    """The commands of a transcript."""
    steps: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:]))
        elif line.startswith("> ") and not steps[-1].expected:
            steps[-1].command += "\n" + line[2:]
        else:
            steps[-1].expected.append(line.rstrip())
    return steps


def outputs_of(steps: list[Step], directory: Path) -> list[list[str]]:
    """What the commands print, run one after the other in one shell."""
    script = "".join(f"{step.command}\nstatus=$?; echo; echo '{_MARK}'; (exit $status)\n" for step in steps)
    programs = directory / ".programs"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "KERNEL"))},
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C",
    }
    result = subprocess.run(
        ["bash", "-c", script], cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, check=False, timeout=300,
    )  # fmt: skip
    pieces = result.stdout.decode("latin-1").split(f"\n{_MARK}\n")
    return [[line.rstrip() for line in piece.removesuffix("\n").splitlines()] for piece in pieces[:-1]]


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether the lines are those of the document, where ``...`` stands for any number of lines."""
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in expected)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def copy_of_repository(directory: Path) -> None:
    """The files that commands use, and the programs of this environment under their installed names."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, directory)
    shutil.copytree(ROOT / "samples", directory / "samples", ignore=shutil.ignore_patterns("build", "__pycache__"))
    programs = directory / ".programs"
    programs.mkdir()
    python = shlex.quote(sys.executable)
    # make is told that the environment of the tests is the one to use, and that it is complete.
    prefix = shlex.quote(str(Path(sys.executable).parents[1]))
    commands = {
        "python": python,
        "python3": python,
        "make": f"{shutil.which('make')} --no-print-directory VENV={prefix} -o {prefix}/.installed",
    }
    for name, command in commands.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)
    for name, entry in PROGRAMS.items():
        module, _, function = entry.partition(":")
        program = programs / name
        # As an installed one: sys.argv[0] is the program.
        program.write_text(
            f"#!{sys.executable}\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
        )
        program.chmod(0o755)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_print_what_the_document_says(document: Path, tmp_path: Path) -> None:
    """Check that each transcript of a document is what its commands print, and that its programs run."""
    copy_of_repository(tmp_path)
    for language, block in _BLOCK.findall(document.read_text(encoding="utf-8")):
        if language == "python":
            subprocess.run([sys.executable, "-c", block], cwd=ROOT, check=True)
            continue
        steps = steps_of(block)
        outputs = outputs_of(steps, tmp_path)
        assert len(outputs) == len(steps), outputs
        for step, printed in zip(steps, outputs, strict=True):
            if not matches(step.expected, printed):
                assert printed == step.expected, step.command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Check that each relative link of a document names a file of the repository."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []
