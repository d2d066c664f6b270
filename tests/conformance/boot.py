# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel started in an emulator, with a script in its first process; the result is what the console said.

    python -m tests.conformance.boot KERNEL ARCHITECTURE [--append WORDS] [FILE...] < SCRIPT

The emulator computes everything itself (``-accel tcg``), so that this works on any machine and inside
virtual ones: about 5 s for amd64, 3 s for arm64.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.debian import NotAvailable
from tests.conformance.initramfs import BEGIN_MARK, END_MARK, initramfs
from tests.conformance.kernels import KERNELS, KernelPackages

#: Forty times what a boot takes on a quiet machine.
BOOT_SECONDS = 200

# Kernel messages reach the console only in an emergency: the script reads them with dmesg, and lines stay whole.
# At a panic the machine restarts at once, which -no-reboot turns into the emulator's end.
_COMMAND_LINE = "loglevel=1 panic=-1 random.trust_cpu=on"


class BootFailure(Exception):  # noqa: N818 (an outcome that a comparison reports, as NotAvailable is)
    """The kernel did not come to the end of the script; the text ends with the console's last lines."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The emulator for an architecture and its serial console's name."""

    emulator: str
    arguments: tuple[str, ...]
    console: str


#: By Debian's name of the architecture.
MACHINES: dict[str, Machine] = {
    "amd64": Machine("qemu-system-x86_64", ("-accel", "tcg", "-m", "512"), "ttyS0"),
    "arm64": Machine(
        "qemu-system-aarch64", ("-M", "virt", "-cpu", "cortex-a57", "-accel", "tcg", "-m", "512"), "ttyAMA0"
    ),
}


def kernel_and_architecture(text: str) -> str:
    """A ``KERNEL:ARCHITECTURE`` of a command line as it is; raises ArgumentTypeError for any other text."""
    label, _, architecture = text.partition(":")
    if label not in KERNELS or architecture not in MACHINES:
        kernels, architectures = "|".join(KERNELS), "|".join(MACHINES)
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form ({kernels}):({architectures})")
    return text


def emulator_for(architecture: str) -> str:
    """The path of the emulator for an architecture; raises NotAvailable, so that nothing is built in vain."""
    name = MACHINES[architecture].emulator
    path = shutil.which(name)
    if path is None:
        raise NotAvailable(f"{name} is not installed")
    return path


def boot(
    kernel_image: Path,
    files: Mapping[str, bytes | Path],
    script: str,
    architecture: str = "amd64",
    command_line: str = "",
    seconds: float = BOOT_SECONDS,
) -> str:
    """Boot a kernel, run ``script`` (busybox's sh) as root with ``files`` in place; returns what the script printed.

    ``command_line`` is added to the kernel's.  Raises NotAvailable without the emulator, BootFailure if the
    kernel panics, hangs or ends early.
    """
    machine = MACHINES[architecture]
    emulator = emulator_for(architecture)
    with tempfile.TemporaryDirectory(prefix="boot-") as directory:
        archive = Path(directory) / "initramfs"
        archive.write_bytes(initramfs(files, script, architecture))
        command = [
            emulator, *machine.arguments, "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
            "-kernel", str(kernel_image), "-initrd", str(archive),
            "-append", f"console={machine.console} {_COMMAND_LINE} {command_line}".rstrip(),
        ]  # fmt: skip
        return _printed(_console(command, seconds))


def _console(command: Sequence[str], seconds: float) -> str:
    try:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise BootFailure(f"no end after {seconds:.0f} s:\n{_tail(_text(error.stdout or b''))}") from None
    console = _text(result.stdout)
    if result.returncode != 0:
        raise BootFailure(f"{Path(command[0]).name}: {result.stderr.decode(errors='replace').strip()}")
    return console


def _text(console: bytes) -> str:
    return console.decode(errors="replace").replace("\r", "")


def _printed(console: str) -> str:
    """What lies between the marks; the console's driver may have put control characters before the first."""
    _, begun, rest = console.partition(f"{BEGIN_MARK}\n")
    printed, ended, _ = rest.partition(f"{END_MARK}\n")
    if not begun or not ended:
        raise BootFailure(f"the kernel stopped early:\n{_tail(console)}")
    return printed


def _tail(text: str, lines: int = 25) -> str:
    return "\n".join(text.splitlines()[-lines:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Boot one of Debian's kernels with files in / and print what the script on standard input says."""
    parser = argparse.ArgumentParser(prog="tests.conformance.boot", description=__doc__.splitlines()[0])
    parser.add_argument("kernel", choices=KERNELS)
    parser.add_argument("architecture", choices=MACHINES)
    parser.add_argument("--append", default="", help="words for the kernel's command line")
    parser.add_argument("files", nargs="*", type=Path)
    parsed = parser.parse_args(arguments)
    try:
        image = KernelPackages(KERNELS[parsed.kernel], parsed.architecture).kernel_image
        files = {path.name: path for path in parsed.files}
        sys.stdout.write(boot(image, files, sys.stdin.read(), parsed.architecture, parsed.append))
    except (NotAvailable, BootFailure) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
