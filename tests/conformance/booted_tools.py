# SPDX-License-Identifier: GPL-2.0-or-later
"""modprobe-py and depmod-py in booted kernels, beside Debian's kmod: the same commands, the same modules loaded.

    python -m tests.conformance.booted_tools [-v] [KERNEL:ARCHITECTURE...]

The root file system has a modules directory whose databases depmod-py made, a Python of Debian's with our packages,
and Debian's modprobe.  Each command is run with both modprobes from the same state; what they print, their exit
status, what the kernel logs and which modules are loaded afterwards must be equal.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.conformance import module_alterations as alter
from tests.conformance.boot import boot, emulator_for
from tests.conformance.booted_kernels import boot_each
from tests.conformance.debian import Archive, NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.module_builds import ModuleKit, run_command
from tests.conformance.verdict_cases import SOURCES

_DEFAULT = ("6.1:amd64", "6.1:arm64")
_SUITE = "bookworm"
# Every command of ours starts Python in an emulator: 30 s together on a quiet machine.
_BOOT_SECONDS = 280
_PACKAGES = (
    "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
    "libc6", "libexpat1", "zlib1g", "libffi8", "liblzma5", "libzstd1", "libssl3", "kmod",
)  # fmt: skip
# Parts of these packages that are as large as useless here.
_LEFT_OUT = re.compile(r"/(gconv|lib2to3|test|ensurepip|idlelib|pydoc_data|doc|man|locale|audit|engines-3)(/|$)")
_OUR_PACKAGES = ("modpost_py", "genksyms_py", "lark")

#: Modules of the distribution that are in the modules directory too; the first needs others of them.
_SHIPPED = ("libcrc32c", "crc32c_generic", "crc-itu-t", "crc7")

_CONFIGURATION = """\
options verdict_good since=500
alias meter verdict_user
blacklist verdict_proprietary
softdep verdict_gpl pre: crc7
install nothing /bin/echo nothing is loaded
"""

# As the installed command; without the search for installed packages, which takes its time in an emulator.
_OUR_MODPROBE = b"""\
import sys
sys.path.append("/opt/python")
from modpost_py.kmod.modprobe_cli import main
sys.exit(main())
"""

#: ``modprobe`` stands for the program under test; what one command loads a later one removes.
COMMANDS: tuple[str, ...] = (
    "modprobe verdict_good",
    "modprobe --first-time verdict_good; cat /sys/module/verdict_good/parameters/since",
    "modprobe -r verdict_good",
    "modprobe --first-time -r verdict_good",
    "modprobe verdict-good since=250; rmmod verdict_good",
    "modprobe -v meter",
    "modprobe -r verdict_exporter",
    "modprobe -v -r verdict_user",
    "modprobe -a crc-itu-t libcrc32c",
    "modprobe -r crc-itu-t libcrc32c",
    "modprobe verdict_gpl; rmmod verdict_gpl crc7",
    "modprobe -b verdict_proprietary",
    "modprobe nothing",
    "modprobe absent",
    "modprobe verdict_stale",
    "modprobe verdict_vermagic",
    "modprobe -f verdict_vermagic; rmmod verdict_good",
)

# Numbers that modules compute (a time among them) and marks on the kernel, which it gets once, are not compared.
_SCRIPT = """\
export LC_ALL=C
modprobe() {{ $program "$@"; }}
try() {{
	echo "command $program: $1"
	eval "$1"
	echo "status $?"
	dmesg -c | grep verdict | grep -v taint | sed -e 's/^\\[[^]]*\\] /log /' -e 's/: [0-9][0-9]*$/: NUMBER/'
	sed 's/^\\([^ ]*\\) [^ ]* \\([^ ]*\\) \\([^ ]*\\).*/loaded \\1 \\2 \\3/' /proc/modules
}}
for program in /kmod/modprobe "/usr/bin/python3.11 -IS /opt/modprobe"; do
	dmesg -c > /dev/null
{commands}
done
"""


def root_files(packages: KernelPackages, modules: Mapping[str, bytes], directory: Path) -> dict[str, bytes | Path]:
    """The files of the root file system: path -> contents; raises NotAvailable, BuildFailure."""
    files: dict[str, bytes | Path] = {"etc/modprobe.d/test.conf": _CONFIGURATION.encode()}
    for package in _PACKAGES:
        files.update(_package_files(Archive(_SUITE, packages.architecture).unpack(package)))
    files["opt/modprobe"] = _OUR_MODPROBE
    files["kmod/modprobe"] = files["bin/kmod"]
    for package in _OUR_PACKAGES:
        files.update(_python_package(package))
    root = directory / "root"
    release = packages.release
    place = root / "lib/modules" / release
    _fill_modules_directory(place, packages, modules)
    run_command(["depmod-py", "-b", str(root), release])
    files.update({str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()})
    return files


def _package_files(unpacked: Path) -> Iterator[tuple[str, Path]]:
    for path in unpacked.rglob("*"):
        name = str(path.relative_to(unpacked))
        if _LEFT_OUT.search(name) or name.startswith(("usr/share", "etc")):
            continue
        if path.is_symlink():
            # An absolute target is one inside the package.
            path = (unpacked / os.readlink(path).lstrip("/")) if os.readlink(path).startswith("/") else path
        if path.is_file():
            yield name, path


def _python_package(package: str) -> Iterator[tuple[str, Path]]:
    specification = importlib.util.find_spec(package)
    if specification is None or specification.origin is None:
        raise NotAvailable(f"the Python package {package} is not installed")
    directory = Path(specification.origin).parent
    for path in directory.rglob("*"):
        if path.is_file() and path.suffix in (".py", ".lark", ".json"):
            yield f"opt/python/{package}/{path.relative_to(directory)}", path


def _fill_modules_directory(place: Path, packages: KernelPackages, modules: Mapping[str, bytes]) -> None:
    extra = place / "extra"
    extra.mkdir(parents=True)
    for name, data in modules.items():
        (extra / name).write_bytes(data)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        (place / name).write_bytes((packages.modules / name).read_bytes())
    for name in _SHIPPED:
        for path in packages.modules.rglob(f"{name}.ko*"):
            target = place / path.relative_to(packages.modules)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())


def modules(kit: ModuleKit, directory: Path) -> dict[str, bytes]:
    """Build the modules of the verdicts, some altered under names of their own; raises BuildFailure."""
    with kit.our_programs():
        kit.build_sources(directory, SOURCES, ("KBUILD_MODPOST_WARN=1",))
    built = {path.name: path.read_bytes() for path in directory.glob("*.ko")}
    good = built["verdict_good.ko"]
    vermagic = alter.modinfo_value(good, "vermagic")
    other = alter.replace_modinfo(good, f"vermagic={vermagic}", f"vermagic={vermagic.replace(' SMP', '')}")
    return {**built, "verdict_stale.ko": alter.alter_crc(good, "jiffies_to_msecs"), "verdict_vermagic.ko": other}


def _transcripts(console: str) -> dict[str, list[str]]:
    """Per program, what its commands printed and left."""
    found: dict[str, list[str]] = {}
    for text in re.split(r"^command ", console, flags=re.MULTILINE)[1:]:
        program, _, rest = text.partition(": ")
        found.setdefault(program, []).append(
            rest.replace("modprobe-py", "modprobe").replace("modprobe_cli", "modprobe")
        )
    return found


def run(name: str, directory: Path, verbose: bool) -> int:
    """Build, boot and compare on ``KERNEL:ARCHITECTURE``; returns the number of commands that differ.

    Raises NotAvailable, BuildFailure, BootFailure.
    """
    label, _, architecture = name.partition(":")
    emulator_for(architecture)
    packages = KernelPackages(KERNELS[label], architecture)
    kit = ModuleKit(packages, directory / "tree")
    files = root_files(packages, modules(kit, directory / "modules"), directory)
    commands = "".join(f"\ttry '{command}'\n" for command in COMMANDS)
    script = _SCRIPT.format(commands=commands)
    console = boot(packages.kernel_image, files, script, architecture, seconds=_BOOT_SECONDS)
    theirs, ours = _transcripts(console).values()
    wrong = abs(len(theirs) - len(COMMANDS)) + abs(len(ours) - len(COMMANDS))
    for expected, was in zip(theirs, ours, strict=False):
        if expected != was:
            wrong += 1
            print(f"{name}: kmod:\n{expected}ours:\n{was}")
        elif verbose:
            print(expected, end="")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Boot the kernels; exit status 1 for any difference."""
    return boot_each("booted_tools", __doc__, run, _DEFAULT, (len(COMMANDS), "commands of modprobe"), arguments)


if __name__ == "__main__":
    sys.exit(main())
