# SPDX-License-Identifier: GPL-2.0-or-later
"""A root directory with kmod's modprobe in it: made-up ``/proc``, ``/sys`` and ``modprobe.d``, real databases.

kmod knows no option for most of what it reads, so it runs under chroot; where that is not allowed, in a user name
space.  Ours runs in this process with ``--system-root``, and the paths that it prints are cut to what they would be
inside.  Modules are empty files: modprobe only looks whether they exist.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from modpost_py.kmod.modprobe_cli import main as modprobe
from tests.conformance.debian import NotAvailable

# The address of kmod's context in a message; messages for its developers, which two -v bring forth
_NOT_COMPARED = re.compile(r"ctx=0x[0-9a-f]+ |^modprobe: (?:INFO|DEBUG): .*\n", re.MULTILINE)


class Call(NamedTuple):
    """One command line; ``{root}`` in it stands for the root directory, which is ``""`` for kmod."""

    words: tuple[str, ...]
    options: str | None = None  # MODPROBE_OPTIONS

    def __str__(self) -> str:
        before = "" if self.options is None else f"MODPROBE_OPTIONS={shlex.quote(self.options)} "
        return before + shlex.join(["modprobe", *self.words])


class Outcome(NamedTuple):
    """What a run printed, and its exit status."""

    output: str
    messages: str
    status: int


class Root:
    """A directory to be the root of kmod; raises NotAvailable where there is no kmod 30 or no way to chroot."""

    def __init__(self, path: Path) -> None:
        self.path = path
        program = shutil.which("modprobe", path="/sbin:/usr/sbin:/bin:/usr/bin")
        if program is None:
            raise NotAvailable("this machine has no modprobe")
        version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.splitlines()[:1]
        if version != ["kmod version 30"]:
            raise NotAvailable(f"kmod 30 is compared with, this machine has {version}")
        for directory in ("bin", "etc", "proc", "sys/module", "lib/modules", "calls"):
            (path / directory).mkdir(parents=True, exist_ok=True)
        for original, name in ((program, "modprobe"), ("/bin/sh", "sh")):
            self._install(Path(original).resolve(), name)
        self.write("proc/cmdline", "\n")
        self._prefix = self._way_in()

    def _install(self, program: Path, name: str) -> None:
        """Copy a program and the libraries that it needs."""
        shutil.copy(program, self.path / "bin" / name)
        libraries = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
        for library in re.findall(r"/\S+", libraries):
            target = self.path / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)

    def _way_in(self) -> list[str]:
        for prefix in (["chroot"], ["unshare", "-r", "chroot"]):
            command = [*prefix, str(self.path), "/bin/modprobe", "--version"]
            try:
                if subprocess.run(command, capture_output=True).returncode == 0:
                    return prefix
            except OSError:
                continue
        raise NotAvailable("chroot is not allowed here, nor in a user name space")

    def write(self, path: str, text: str) -> None:
        """Write a file below the root, with its directories."""
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode("utf-8", "surrogateescape"))

    def remove(self, *paths: str) -> None:
        """Remove files and directories below the root."""
        for path in paths:
            target = self.path / path
            shutil.rmtree(target, ignore_errors=True)
            target.unlink(missing_ok=True)

    def add_modules(self, modules: Path, release: str) -> Path:
        """Make databases of a modules directory by kmod's depmod; in the root the modules are empty files."""
        target = self.path / "lib/modules" / release
        target.mkdir(parents=True)
        for entry in modules.iterdir():
            if entry.name in ("kernel", "modules.order", "modules.builtin", "modules.builtin.modinfo"):
                (target / entry.name).symlink_to(entry)
        subprocess.run(["/sbin/depmod", "-b", str(self.path), release], check=True, capture_output=True)
        (target / "kernel").unlink()
        for line in (target / "modules.dep").read_text().splitlines():
            path = target / line.partition(":")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return target

    # ---- running

    def kmod_outcomes(self, calls: Sequence[Call]) -> list[Outcome]:
        """What kmod's modprobe says to each call; one shell runs them all."""
        script = []
        for number, call in enumerate(calls):
            words = shlex.join(word.replace("{root}", "") for word in call.words)
            before = "" if call.options is None else f"MODPROBE_OPTIONS={shlex.quote(call.options)} "
            script.append(f"{before}modprobe {words} >{number}.out 2>{number}.err; echo $?\n")
        (self.path / "calls/script").write_bytes("".join(script).encode("utf-8", "surrogateescape"))
        statuses = subprocess.run(
            [*self._prefix, str(self.path), "/bin/sh", "-c", "PATH=/bin; export PATH; cd /calls && . ./script"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        ).stdout.split()  # fmt: skip
        outcomes = []
        for number, status in enumerate(statuses):
            texts = [self._taken(f"calls/{number}.{kind}") for kind in ("out", "err")]
            outcomes.append(Outcome(texts[0], _NOT_COMPARED.sub("", texts[1]), int(status)))
        return outcomes

    def _taken(self, path: str) -> str:
        text = (self.path / path).read_bytes().decode("utf-8", "surrogateescape")
        (self.path / path).unlink()
        return text

    def our_words(self, call: Call) -> list[str]:
        """The arguments with which ours does the same."""
        root = str(self.path)
        return [f"--system-root={root}", "-d", root, *(word.replace("{root}", root) for word in call.words)]

    def our_outcome(self, call: Call) -> Outcome:
        """What ours says to a call, in this process."""
        written: dict[int, list[str]] = {1: [], 2: []}
        environment = {} if call.options is None else {"MODPROBE_OPTIONS": call.options}
        with mock.patch.dict(os.environ, environment), mock.patch.object(sys, "argv", ["modprobe"]):
            status = modprobe(self.our_words(call), write=lambda where, text: written[where].append(text))
        return self.as_inside("".join(written[1]), "".join(written[2]), status)

    def our_process_outcome(self, call: Call) -> Outcome:
        """What ours says to a call as a program of its own."""
        program = (
            "import sys; sys.argv[0] = 'modprobe'; from modpost_py.kmod.modprobe_cli import main; sys.exit(main())"
        )
        command = [sys.executable, "-c", program, *self.our_words(call)]
        environment: Mapping[str, str] = {**os.environ, "MODPROBE_OPTIONS": call.options or ""}
        result = subprocess.run(command, capture_output=True, env=environment)
        texts = [text.decode("utf-8", "surrogateescape") for text in (result.stdout, result.stderr)]
        return self.as_inside(texts[0], texts[1], result.returncode)

    def as_inside(self, output: str, messages: str, status: int) -> Outcome:
        """An outcome with paths as they are inside of the root."""
        return Outcome(output.replace(str(self.path), ""), messages.replace(str(self.path), ""), status)


def differences(calls: Iterable[Call], kmod: Sequence[Outcome], ours: Sequence[Outcome]) -> list[str]:
    """A text for each call whose outcomes differ: the call, and the lines that differ."""
    return [
        f"{call}\n" + "\n".join(difflib.unified_diff(_lines(theirs), _lines(our), "kmod", "ours", n=1, lineterm=""))
        for call, theirs, our in zip(calls, kmod, ours, strict=True)
        if theirs != our
    ]


def _lines(outcome: Outcome) -> list[str]:
    texts = (outcome.output, outcome.messages, str(outcome.status))
    return [
        f"{name} {line!r}"
        for name, text in zip(("1:", "2:", "status"), texts, strict=True)
        for line in text.split("\n")
    ]
