# SPDX-License-Identifier: GPL-2.0-or-later
"""A root file system for a kernel under test, in memory: busybox, a program that loads modules, a script, files.

The kernel unpacks an initramfs from a cpio archive in the "newc" form.  Each member is

    "070701"  inode  mode  links... 13 fields of 8 hexadecimal digits (the order is in _FIELDS)
    name, NUL, padding to 4 bytes
    contents, padding to 4 bytes

and the archive ends with an empty member named TRAILER!!! (Documentation/driver-api/early-userspace/buffer-format.rst).
"""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from tests.conformance.debian import Archive, NotAvailable, cache_directory, make_directory_once

# The release whose busybox is taken; a static program runs on every kernel.
_SUITE = "bookworm"

#: By Debian's name of the architecture: compilers for the machine that boots, the first that is installed is taken.
_COMPILERS = {
    "amd64": ("x86_64-linux-gnu-gcc", "x86_64-linux-gnu-gcc-12"),
    "arm64": ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-gcc-12"),
}

_FIELDS = (
    "inode", "mode", "uid", "gid", "links", "mtime", "size",
    "device_major", "device_minor", "rdev_major", "rdev_minor", "name_size", "check",
)  # fmt: skip
_MAGIC = b"070701"
_CONSOLE = (5, 1)

#: The console's lines between which the script's output lies.
BEGIN_MARK = "=== the script begins ==="
END_MARK = "=== the script has ended ==="

_INIT = f"""\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
echo '{BEGIN_MARK}'
sh /script 2>&1
echo '{END_MARK}'
poweroff -f
"""


def cpio_archive(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """A newc archive of ``path -> (mode with file type, contents)``; directories above each path are added.

    Paths are relative to the root, without a leading slash.
    """
    members: dict[str, tuple[int, bytes]] = {}
    for path, member in files.items():
        for parent in reversed(PurePosixPath(path).parents[:-1]):
            members.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
        members[path] = member
    parts = [_member(number, path, mode, data) for number, (path, (mode, data)) in enumerate(members.items(), 1)]
    return b"".join((*parts, _member(0, "TRAILER!!!", 0, b"")))


def _member(inode: int, path: str, mode: int, data: bytes) -> bytes:
    name = path.encode() + b"\0"
    major, minor = _CONSOLE if stat.S_ISCHR(mode) else (0, 0)
    values = {
        "inode": inode, "mode": mode, "links": 1, "size": len(data), "name_size": len(name),
        "rdev_major": major, "rdev_minor": minor,
    }  # fmt: skip
    header = _MAGIC + b"".join(b"%08X" % values.get(field, 0) for field in _FIELDS)
    return _padded(header + name) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def initramfs(files: Mapping[str, bytes | Path], script: str, architecture: str) -> bytes:
    """An archive whose /init runs ``script`` with busybox's sh and switches the machine off.

    ``files`` are laid at their paths, with the permissions of those that are given as Path.
    ``/bin/load-module FILE [PARAMETERS]`` loads a module and prints 0 or the kernel's error number.
    Raises NotAvailable without a busybox or a compiler for the architecture.
    """
    members = {
        "bin/busybox": (stat.S_IFREG | 0o755, busybox(architecture).read_bytes()),
        "bin/load-module": (stat.S_IFREG | 0o755, module_loader(architecture).read_bytes()),
        "dev/console": (stat.S_IFCHR | 0o600, b""),
        "proc": (stat.S_IFDIR | 0o755, b""),
        "sys": (stat.S_IFDIR | 0o755, b""),
        "init": (stat.S_IFREG | 0o755, _INIT.encode()),
        "script": (stat.S_IFREG | 0o644, script.encode()),
    }
    members.update(_given(files))
    return cpio_archive(members)


def _given(files: Mapping[str, bytes | Path]) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for path, content in files.items():
        if isinstance(content, Path):
            yield path.lstrip("/"), (stat.S_IFREG | stat.S_IMODE(content.stat().st_mode), content.read_bytes())
        else:
            yield path.lstrip("/"), (stat.S_IFREG | 0o644, content)


def busybox(architecture: str) -> Path:
    """Debian's statically linked busybox for an architecture; raises NotAvailable."""
    unpacked = Archive(_SUITE, architecture).unpack("busybox-static")
    for path in ("bin/busybox", "usr/bin/busybox"):
        if (unpacked / path).is_file():
            return unpacked / path
    raise NotAvailable(f"{unpacked.name} holds no busybox")


def compiler_for(architecture: str) -> str:
    """The name of an installed gcc that compiles for an architecture; raises NotAvailable."""
    names = _COMPILERS[architecture]
    for name in names:
        if shutil.which(name):
            return name
    raise NotAvailable(f"{names[0]} is not installed")


def module_loader(architecture: str) -> Path:
    """``load-module`` compiled for an architecture; raises NotAvailable.

    Busybox's insmod asks the kernel twice for a module that was refused, which would say all messages twice.
    """
    compiler = compiler_for(architecture)
    source = Path(__file__).with_name("load_module.c")

    def compile_loader(directory: Path) -> None:
        command = [compiler, "-Os", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-o"]
        result = subprocess.run(
            [*command, str(directory / "load-module"), str(source)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        if result.returncode != 0:
            raise NotAvailable(f"{compiler} cannot make load-module: {result.stderr.strip()[-300:]}")

    # The text's time stands in the name, so that a changed one is compiled anew.
    name = f"load-module-{architecture}-{source.stat().st_mtime_ns}"
    return make_directory_once(cache_directory("boot") / name, compile_loader) / "load-module"
