# SPDX-License-Identifier: GPL-2.0-or-later
"""What modprobe does to a kernel: which calls in which order, and what it makes of their failures."""

from __future__ import annotations

import errno
import lzma
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modpost_py.kmod import loading
from modpost_py.kmod.modprobe_cli import main
from tests.kmod.fake_root import make_root

_COMMON = Path(__file__).with_name("modprobe_cases") / "common"


class Recorder:
    """A kernel that keeps a record; ``refusals`` are the errors for calls, used up in their order."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refusals: dict[str, list[int]] = {}

    def load(self, path: str, parameters: str, flags: int) -> None:
        self._call(f"load {path.rpartition('/')[2]} [{parameters}]" + f" {flags}" * bool(flags))

    def unload(self, name: str, force: bool) -> None:
        self._call(f"unload {name}" + " force" * force)

    def run(self, command: str, module: str) -> int:
        self.calls.append(f"run {module}: {command}")
        return int(command.rpartition("exit ")[2]) if "exit" in command else 0

    def _call(self, text: str) -> None:
        self.calls.append(text)
        refusals = self.refusals.get(text.split()[1].partition(".")[0], [])
        if refusals:
            code = refusals.pop(0)
            if code:
                raise OSError(code, os.strerror(code))


class Machine:
    """A root file system with a kernel; ``modprobe`` returns the exit status and what was printed."""

    def __init__(self, root: Path) -> None:
        self.root = make_root(root, _COMMON)
        self.kernel = Recorder()

    def configure(self, text: str) -> None:
        (self.root / "etc/modprobe.d").mkdir(parents=True, exist_ok=True)
        (self.root / "etc/modprobe.d/a.conf").write_text(text)

    def loaded(self, **counts: int) -> None:
        for name, count in counts.items():
            (self.root / "sys/module" / name).mkdir(parents=True)
            (self.root / "sys/module" / name / "initstate").write_text("live\n")
            (self.root / "sys/module" / name / "refcnt").write_text(f"{count}\n")

    def modprobe(self, *words: str) -> tuple[int, str]:
        texts: list[str] = []
        arguments = [f"--system-root={self.root}", "-d", str(self.root), "-S", "1.0", *words]
        status = main(
            arguments, self.kernel, lambda descriptor, text: texts.append(f"! {text}" * (descriptor == 2) or text)
        )
        return status, "".join(texts).replace(str(self.root), "")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with the modules of the case ``common``."""
    monkeypatch.setattr(sys, "argv", ["modprobe"])
    return Machine(tmp_path / "root")


def test_order_and_parameters(machine: Machine) -> None:
    """Check that what is needed is loaded first, with its own options, and parameters go to the module alone."""
    machine.configure("options core c=1\noptions disk d=2\n")
    assert machine.modprobe("disk", "e=3 4") == (0, "")
    assert machine.kernel.calls == ["load core.ko [c=1 ]", "load bus-base.ko []", 'load disk.ko [d=2 e="3 4"]']


@pytest.mark.parametrize(
    ("option", "flags"), [("-f", 3), ("--force-vermagic", 2), ("--force-modversion", 1), ("--force-v", 2)]
)
def test_force(machine: Machine, option: str, flags: int) -> None:
    """Check that force becomes the flags of finit_module(2), for what is needed too."""
    assert machine.modprobe(option, "led-usb") == (0, "")
    assert machine.kernel.calls == [f"load core.ko [] {flags}", f"load led-usb.ko [] {flags}"]


@pytest.mark.parametrize("words", [("-n",), ("-D",), ("-R",), ("-c",), ("-n", "-r"), ("-r", "-D"), ("-V",), ("-h",)])
def test_nothing_is_done(machine: Machine, words: tuple[str, ...]) -> None:
    """Check that dry runs and questions do nothing to the kernel and run no command."""
    machine.configure("install core echo core\nremove core echo core\n")
    machine.loaded(disk=0)
    assert machine.modprobe(*words, "core")[0] == 0
    assert machine.kernel.calls == []


def test_verbose(machine: Machine) -> None:
    """Check that -v prints each step before it is done."""
    machine.kernel.refusals["bus-base"] = [errno.ENOEXEC]
    assert machine.modprobe("-v", "disk") == (
        1,
        "insmod /lib/modules/1.0/kernel/lib/core.ko \ninsmod /lib/modules/1.0/kernel/drivers/bus-base.ko \n"
        "! modprobe: ERROR: could not insert 'disk': Exec format error\n",
    )
    assert machine.kernel.calls == ["load core.ko []", "load bus-base.ko []"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOENT, "Unknown symbol in module, or unknown parameter (see dmesg)"),
        (errno.ENOEXEC, "Exec format error"),
        (errno.EPERM, "Operation not permitted"),
        (errno.EKEYREJECTED, "Key was rejected by service"),
    ],
)
def test_refusals(machine: Machine, number: int, reason: str) -> None:
    """Check kmod's words for what the kernel says."""
    machine.kernel.refusals["core"] = [number]
    assert machine.modprobe("core") == (1, f"! modprobe: ERROR: could not insert 'core': {reason}\n")


def test_loaded_meanwhile(machine: Machine) -> None:
    """Check that a module that somebody else loads at the same time is loaded, unless --first-time asks for more."""
    machine.kernel.refusals = {"core": [errno.EEXIST], "disk": [errno.EEXIST]}
    assert machine.modprobe("disk") == (0, "")
    machine.kernel.refusals = {"core": [errno.EEXIST], "disk": [errno.EEXIST]}
    message = "! modprobe: ERROR: could not insert 'disk': Module already in kernel\n"
    assert machine.modprobe("--first-time", "disk") == (1, message)


def test_soft_dependencies_may_fail(machine: Machine) -> None:
    """Check that what a soft dependency loads may fail, what is needed may not."""
    machine.configure("softdep disk pre: helper post: extra\n")
    machine.kernel.refusals = {"helper": [errno.EPERM], "extra": [errno.EPERM]}
    assert machine.modprobe("disk") == (0, "")
    assert [call.split()[1] for call in machine.kernel.calls] == [
        "core.ko", "bus-base.ko", "helper.ko", "disk.ko", "helper.ko", "extra.ko.xz",
    ]  # fmt: skip


def test_install_commands(machine: Machine) -> None:
    """Check that an install command runs with the options in place of $CMDLINE_OPTS, and stops all if it fails."""
    machine.configure("install core echo $CMDLINE_OPTS.$CMDLINE_OPTS\noptions core c=1\n")
    assert machine.modprobe("led-usb") == (0, "")
    assert machine.kernel.calls == ["run core: echo c=1 .c=1 ", "load led-usb.ko []"]
    machine.configure("install core exit 3\n")
    machine.kernel.calls.clear()
    assert machine.modprobe("led-usb") == (
        1,
        "! modprobe: ERROR: ../libkmod/libkmod-module.c:1047 command_do() Error running install command 'exit 3' for "
        "module core: retcode 3\n! modprobe: ERROR: could not insert 'led_usb': Invalid argument\n",
    )
    assert machine.kernel.calls == ["run core: exit 3"]


def test_nothing_to_load(machine: Machine) -> None:
    """Check that built-in, loaded and blacklisted modules succeed without a call, and an alias for nothing does not."""
    machine.configure("blacklist core\nalias nothing no-such\n")
    machine.loaded(helper=0)
    for words in (("ext4",), ("helper",), ("-b", "core"), ("led-class",)):
        assert machine.modprobe(*words) == (0, "")
    assert machine.modprobe("nothing") == (
        1,
        "! modprobe: ERROR: ../libkmod/libkmod-module.c:895 kmod_module_insert_module() could not find module by "
        "name='no_such'\n! modprobe: ERROR: could not insert 'no_such': Unknown symbol in module, or unknown parameter "
        "(see dmesg)\n",
    )
    assert machine.kernel.calls == []


def test_all(machine: Machine) -> None:
    """Check that -a goes on behind a module that is not found or is refused, and fails in the end."""
    machine.kernel.refusals["core"] = [errno.EPERM]
    assert machine.modprobe("-a", "nosuch", "core", "helper") == (
        1,
        "! modprobe: WARNING: Module nosuch not found in directory /lib/modules/1.0\n"
        "! modprobe: ERROR: could not insert 'core': Operation not permitted\n",
    )
    assert machine.kernel.calls == ["load core.ko []", "load helper.ko []"]


def test_removal(machine: Machine) -> None:
    """Check that a module and what only it needed are removed, with force if asked for."""
    machine.loaded(disk=0, bus_base=0, core=2)
    assert machine.modprobe("-r", "-f", "disk") == (0, "")
    assert machine.kernel.calls == ["unload disk force", "unload bus_base force"]


def test_refused_removal(machine: Machine) -> None:
    """Check that the kernel's refusal is told, and the next module is removed all the same."""
    machine.loaded(core=0, helper=0)
    machine.kernel.refusals["core"] = [errno.EPERM]
    assert machine.modprobe("-r", "core", "helper") == (
        1,
        "! modprobe: ERROR: ../libkmod/libkmod-module.c:856 kmod_module_remove_module() could not remove 'core': "
        "Operation not permitted\n",
    )
    assert machine.kernel.calls == ["unload core", "unload helper"]


def test_waiting_for_removal(machine: Machine) -> None:
    """Check that -w tries again until the module is free, or until the time is over."""
    machine.loaded(core=1)
    machine.kernel.refusals["core"] = [errno.EAGAIN, errno.EAGAIN, 0]
    assert machine.modprobe("-r", "-w", "2000", "core") == (0, "")
    assert machine.kernel.calls == ["unload core"] * 3
    machine.kernel.refusals["core"] = [errno.EAGAIN] * 1000
    before = time.monotonic()
    assert machine.modprobe("-r", "-w", "50", "core") == (
        1, "! modprobe: ERROR: could not remove 'core': Resource temporarily unavailable\n",
    )  # fmt: skip
    assert time.monotonic() - before > 0.05


def test_damaged_module(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that a damaged compressed module is one line of what is wrong with it, and kmod's verdict."""
    (machine.root / "lib/modules/1.0/kernel/lib/extra.ko.xz").write_bytes(lzma.compress(b"x" * 1000)[:40])
    monkeypatch.setattr(loading, "_call", lambda *arguments: None)
    monkeypatch.setattr(machine, "kernel", None)
    status, text = machine.modprobe("extra")
    first, second = text.splitlines()
    assert (status, second) == (1, "! modprobe: ERROR: could not insert 'extra': Invalid argument")
    assert first.startswith("! modprobe: ERROR: /lib/modules/1.0/kernel/lib/extra.ko.xz: ")


# ---- the system calls

Call = tuple[object, ...]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """The calls that would have been made: (which, arguments); a descriptor is replaced by what can be read from it."""
    made: list[Call] = []

    def record(which: int, *arguments: object) -> None:
        values = [getattr(argument, "value", argument) for argument in arguments]
        if which == 2:
            values[0] = os.pread(int(str(values[0])), 100, 0)
        made.append((("init_module", "delete_module", "finit_module")[which], *values))

    monkeypatch.setattr(loading, "_call", record)
    return made


def test_system_calls(calls: list[Call], tmp_path: Path) -> None:
    """Check which system call each kind of file takes, and with which arguments."""
    plain, compressed = tmp_path / "a.ko", tmp_path / "b.ko.xz"
    plain.write_bytes(b"plain module")
    compressed.write_bytes(lzma.compress(b"module"))
    loader = loading.KernelLoader()
    loader.load(str(plain), "x=é", 0)
    loader.load(str(plain), "", 3)
    loader.load(str(compressed), "y", 0)
    loader.load(str(compressed), "z", 2)
    loader.unload("a", force=False)
    loader.unload("a", force=True)
    assert calls == [
        ("finit_module", b"plain module", "x=é".encode(), 0),
        ("finit_module", b"plain module", b"", 3),
        ("init_module", b"module", 6, b"y"),
        ("finit_module", b"module", b"z", 2),
        ("delete_module", b"a", os.O_NONBLOCK),
        ("delete_module", b"a", os.O_NONBLOCK | os.O_TRUNC),
    ]


def test_old_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Check that a kernel without finit_module(2) gets the bytes, but not where flags would be lost."""
    made: list[int] = []

    def refuse(which: int, *arguments: object) -> None:
        made.append(which)
        if which == 2:
            raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(loading, "_call", refuse)
    module = tmp_path / "a.ko"
    module.write_bytes(b"plain module")
    loading.KernelLoader().load(str(module), "", 0)
    assert made == [2, 0]
    with pytest.raises(OSError, match="not implemented"):
        loading.KernelLoader().load(str(module), "", 1)


def test_refused_system_call() -> None:
    """Check that the kernel's own refusal arrives: there is no module of that name, or no right to ask."""
    with pytest.raises(OSError) as caught:
        loading.KernelLoader().unload("no_such_module_as_this", force=False)
    assert caught.value.errno in (errno.ENOENT, errno.EPERM, errno.ENOSYS)


def test_commands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that commands run by sh, see the module's name and the options passed on, and a signal counts as 0."""
    loader = loading.KernelLoader("-q -C x")
    assert loader.run('echo "$MODPROBE_MODULE $MODPROBE_OPTIONS"; exit 3', "foo") == 3
    assert loader.run("kill -9 $$", "foo") == 0
    assert loader.run("a\0b", "foo") == 127
    assert capfd.readouterr().out == "foo -q -C x\n"


# ---- the program


def _run(words: list[str], **streams: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "modpost_py.kmod.modprobe_cli", *words]
    return subprocess.run(command, capture_output=not streams, **streams)  # type: ignore[call-overload,no-any-return]


def test_program(tmp_path: Path) -> None:
    """Check the program as a process: bytes of paths and configurations come back, stderr and the status are right."""
    root = make_root(tmp_path / os.fsdecode(b"r\xff"), _COMMON)
    (root / "etc/modprobe.d").mkdir(parents=True)
    (root / "etc/modprobe.d/a.conf").write_bytes(b"options core x=\xfe\nbad\n")
    place = os.fsencode(root)
    result = _run([f"--system-root={root}", "-d", str(root), "-S", "1.0", "-a", "-D", "core", "nosuch"])
    assert result.stdout == b"insmod %s/lib/modules/1.0/kernel/lib/core.ko x=\xfe \n" % place
    assert result.stderr == (
        b"libkmod: ERROR ../libkmod/libkmod-config.c:712 kmod_config_parse: %s/etc/modprobe.d/a.conf line 2: ignoring "
        b"bad line starting with 'bad'\nmodprobe_cli.py: WARNING: Module nosuch not found in directory "
        b"%s/lib/modules/1.0\n" % (place, place)
    )
    assert result.returncode == 1


def test_help_and_version() -> None:
    """Check that help names each option, and the version is kmod's and ours."""
    text = _run(["--help"]).stdout.decode()
    for name in ("--show-depends", "--remove-holders", "--dump-modversions", "--system-root", "Exit status"):
        assert name in text
    assert _run(["-V"]).stdout.startswith(b"kmod version 30 (modprobe-py ")


def test_full_and_closed_outputs() -> None:
    """Check that a full disk is one line and a closed pipe silence."""
    with open("/dev/full", "wb") as full:
        result = _run(["--help"], stdout=full, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (1, b"modprobe_cli.py: ERROR: stdout: No space left on device\n")
    reading, writing = os.pipe()
    os.close(reading)
    result = _run(["--help"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (result.returncode, result.stderr) == (141, b"")


def test_interrupt(machine: Machine) -> None:
    """Check that ^C ends it with 130 and without a word."""

    def interrupted(path: str, parameters: str, flags: int) -> None:
        signal.raise_signal(signal.SIGINT)

    handler: Callable[[int, object], None] = signal.default_int_handler  # type: ignore[assignment]
    previous = signal.signal(signal.SIGINT, handler)
    try:
        machine.kernel.load = interrupted  # type: ignore[method-assign]
        assert machine.modprobe("core") == (130, "")
    finally:
        signal.signal(signal.SIGINT, previous)
