# SPDX-License-Identifier: GPL-2.0-or-later
"""Made-up headers trees and modules, and kbuild-py run on them as a user would.

The tree's Makefile is no kbuild, but knows the targets of one and says what it was given.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# "says": what kbuild would see; NAME.o, NAME.i: files appear, so that something is built.
KERNEL_MAKEFILE = """\
says = $(info $@ M=$(M) KBUILD_EXTRA_SYMBOLS=$(KBUILD_EXTRA_SYMBOLS) INSTALL_MOD_PATH=$(INSTALL_MOD_PATH) CC=$(CC))
.PHONY: modules modules_install clean fails environment
modules modules_install clean:
	$(says)
	@touch $(M)/$@.done
define file
	$(says)
	@touch $(M)/$@
endef
%.o: ; $(file)
%.i: ; $(file)
%.symtypes: ; $(file)
fails:
	@exit 3
environment:
	$(info MODPOST=$(value MODPOST))
	$(info genksyms=$(value genksyms))
	$(info cmd_and_fixdep=$(value cmd_and_fixdep))
	$(info O=$(O) MO=$(MO) CURDIR=$(CURDIR))
	@:
"""


def headers_tree(
    directory: Path,
    release: str = "6.1.0-1-test",
    configuration: str = "CONFIG_MODVERSIONS=y\nCONFIG_X86=y\n",
    makefile: str = KERNEL_MAKEFILE,
    symvers: str | None = "0x12345678\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n",
) -> Path:
    """A directory that looks like a headers package."""
    files = {
        "Makefile": makefile,
        "include/config/auto.conf": configuration,
        "include/generated/utsrelease.h": f'#define UTS_RELEASE "{release}"\n',
        "scripts/Makefile.build": "",
        "Module.symvers": symvers,
    }
    for name, text in files.items():
        if text is not None:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
    return directory


def module_directory(directory: Path) -> Path:
    """A directory with a module to build."""
    directory.mkdir(parents=True)
    (directory / "Kbuild").write_text("obj-m := ring.o\n")
    (directory / "ring.c").write_text("int ring;\n")
    return directory


def environment(directory: Path, **variables: str) -> dict[str, str]:
    """The environment of a user who has the programs on PATH; ``directory`` is where they are put."""
    programs = directory / "programs"
    programs.mkdir(exist_ok=True)
    entry_points = {
        "kbuild-py": "modpost_py.kbuild.cli",
        "modpost-py": "modpost_py.cli",
        "genksyms-py": "genksyms_py.cli",
    }
    for name, module in entry_points.items():
        program = programs / name
        program.write_text(f"#!{sys.executable}\nimport sys\nfrom {module} import main\nsys.exit(main())\n")
        program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "K", "MODV"))}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "PYTHONPATH": str(REPOSITORY), "LC_ALL": "C", **variables}


def run(
    directory: Path, *words: str, programs: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a directory; ``programs`` is where :func:`environment` may put them (beside it)."""
    return subprocess.run(
        words, cwd=directory, env=environment(programs or directory.parent, **(variables or {})),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def build(module: Path, headers: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``kbuild-py make --headers HEADERS WORD...`` in the module's directory; make says no directories."""
    command = ("kbuild-py", "make", "--headers", str(headers), "--no-print-directory", *words)
    return run(module, *command, variables=variables)


def files(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time of change and contents."""
    return {
        str(path.relative_to(directory)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
