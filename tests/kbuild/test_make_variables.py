# SPDX-License-Identifier: GPL-2.0-or-later
"""The make variables: each dialect's texts, expanded by make where kbuild would, a make below another."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.make_variables import (
    dialect_of,
    dialect_of_makefiles,
    one_liner,
    program_variables,
    symtypes_variables,
)

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")

PROGRAMS = {"genksyms": "'/our programs/genksyms'", "modpost": "/ours/modpost", "fixdep": "'/our programs/fixdep'"}

# The places in kbuild where the variables are expanded; what would be a shell command is shown.
MAKEFILE = """\
top: ; @$(MAKE) --no-print-directory -f Makefile inner
CPP = cpp
c_flags = -Iinclude
a_flags = -D__ASSEMBLY__
cmd = set -e; $(cmd_$(1))
depfile = .$@.d
dot-target = .$@
make-cmd = cc -c $@
cmd_cc = cc -c $@
input-symdump = Module.symvers /none/Module.symvers
-include config
show = $(info $(1) $(strip $(2)))
inner: ring.o ring.i
ring.i:
	$(call show,symtypes,$(cmd_cpp_i_c))
	@:
ring.o: ring.c
	$(call show,variable,$(call genksyms,$(KBUILD_SYMTYPES),$(@:.o=.symtypes)))
	$(call show,pipe,$(call cmd_gensymtypes_c,$(KBUILD_SYMTYPES),$(@:.o=.symtypes)))
	$(call show,modpost,$(MODPOST))
	$(call show,fixdep,$(call cmd_and_fixdep,cc))
	@:
"""


def expanded(directory: Path, release: str, *words: str, config: str = "") -> dict[str, str]:
    """What make makes of the variables of a release, by the name in the Makefile."""
    (directory / "Makefile").write_text(MAKEFILE)
    (directory / "config").write_text(config)
    (directory / "ring.c").touch()
    (directory / "Module.symvers").touch()
    dialect = dialect_of(release)
    variables = program_variables(dialect, PROGRAMS) | symtypes_variables(dialect, PROGRAMS["genksyms"])
    assignments = [f"{name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        ["make", "-s", *assignments, *words], cwd=directory, capture_output=True, text=True, timeout=60, check=True
    )
    return dict(line.partition(" ")[::2] for line in done.stdout.splitlines() if line.partition(" ")[2])


def test_5_10(tmp_path: Path) -> None:
    """Check 5.10: the pipeline of genksyms, modpost with all its options."""
    config = "CONFIG_MODVERSIONS=y\nKBUILD_EXTMOD=/m\nCONFIG_MODULE_REL_CRCS=y\n"
    shown = expanded(tmp_path, "5.10.0-46-amd64", config=config)
    assert shown == {
        "pipe": "cpp -D__GENKSYMS__ -Iinclude ring.c | '/our programs/genksyms' -R -r /dev/null",
        "modpost": "/ours/modpost -m -E -o ring.o -e -i Module.symvers",
        "fixdep": "set -e; cc -c ring.o; '/our programs/fixdep' .ring.o.d ring.o 'cc -c ring.o' > .ring.o.cmd; "
        "rm -f .ring.o.d",
    }


def test_5_10_options(tmp_path: Path) -> None:
    """Check that options of the configuration and of make reach the programs of 5.10."""
    (tmp_path / "ring.symref").touch()
    shown = expanded(
        tmp_path, "5.10", "KBUILD_SYMTYPES=1", "KBUILD_PRESERVE=1", "KBUILD_MODPOST_WARN=1", "KBUILD_NSDEPS=1",
        "MODULES_NSDEPS=/m/deps", "-i",
        config="CONFIG_MODULE_SRCVERSION_ALL=y\nCONFIG_SECTION_MISMATCH_WARN_ONLY=y\n",
    )  # fmt: skip
    assert shown["pipe"].endswith("| '/our programs/genksyms' -T ring.symtypes -p -r ring.symref")
    assert shown["modpost"] == "/ours/modpost -a -w -o ring.o -i Module.symvers -d /m/deps -N -n"


@pytest.mark.parametrize("release", ["6.1.0-56-amd64", "6.12.118+deb13-amd64"])
def test_6_1(tmp_path: Path, release: str) -> None:
    """Check 6.1 and 6.12: genksyms with its arguments, modpost alone."""
    assert expanded(tmp_path, release) == {
        "variable": "'/our programs/genksyms' -r /dev/null",
        "modpost": "/ours/modpost",
        "fixdep": "set -e; cc -c ring.o; '/our programs/fixdep' .ring.o.d ring.o 'cc -c ring.o' > .ring.o.cmd; "
        "rm -f .ring.o.d",
    }
    (tmp_path / "ring.symref").touch()
    shown = expanded(tmp_path, release, "KBUILD_SYMTYPES=1", "KBUILD_PRESERVE=1")
    assert shown["variable"] == "'/our programs/genksyms' -T ring.symtypes -p -r ring.symref"


def test_7(tmp_path: Path) -> None:
    """Check 7.x: no -r without a symref, and symtypes by way of the preprocessed file."""
    shown = expanded(tmp_path, "7.2.13+deb14-amd64")
    assert shown["variable"] == "'/our programs/genksyms'"
    assert shown["symtypes"] == (
        "cpp -D__GENKSYMS__ -Iinclude | '/our programs/genksyms' -T ring.symtypes > /dev/null"
    )
    (tmp_path / "ring.symref").touch()
    shown = expanded(tmp_path, "7.2", "KBUILD_SYMTYPES=1", "KBUILD_PRESERVE=1")
    assert shown["variable"] == "'/our programs/genksyms' -T ring.symtypes -p -r ring.symref"


def test_assembler_exports_of_5_10(tmp_path: Path) -> None:
    """Check that the pipeline for assembler survives make and the shell: exports become a C source."""
    text = program_variables(dialect_of("5.10"), {"genksyms": "cat;:"})["cmd_gensymtypes_S"]
    makefile = "top: ; @$(MAKE) --no-print-directory -f Makefile inner\ninner: entry.S ; @$(cmd_gensymtypes_S)\n"
    (tmp_path / "Makefile").write_text(makefile)
    (tmp_path / "entry.S").write_text(
        " ___EXPORT_SYMBOL memcpy, x\n call ___EXPORT_SYMBOLS y\n ___EXPORT_SYMBOL  a_1 ,b\n"
    )
    # Without a compiler: what it would be given is what is checked.
    pipeline = text.replace("-D__GENKSYMS__", "-")
    printed = subprocess.run(
        ["make", "-s", f"cmd_gensymtypes_S={pipeline}", "CPP=cat", "a_flags=", "c_flags=; : "],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert printed == (
        "#include <linux/kernel.h>\n#include <asm/asm-prototypes.h>\nEXPORT_SYMBOL(memcpy);\nEXPORT_SYMBOL(a_1);\n"
    )


# What stands in the Makefiles of each range, cut down to what tells them apart.
BUILD = {
    "5.10": "cmd_gensymtypes_c = \\\n    $(CPP) $< | \\\n    scripts/genksyms/genksyms $(if $(1), -T $(2)) \\\n -r x\n"
    "$(obj)/%.symtypes : $(src)/%.c FORCE\n",
    "6.1": "genksyms = scripts/genksyms/genksyms\t\\\n\t$(if $(1), -T $(2))\t\\\n\t-r x\n"
    "$(obj)/%.symtypes : $(obj)/%.c FORCE\n",
    "7.2": "genksyms = $(objtree)/scripts/genksyms/genksyms\t\\\n\t$(if $(KBUILD_SYMTYPES), -T $(@:.o=.symtypes))\n",
}
MODPOST = {
    "5.10": "MODPOST = scripts/mod/modpost\t\\\n\t$(if $(CONFIG_MODVERSIONS),-m)\t\\\n\t-o $@\n",
    "6.1": "modpost-args = -o $@\n\nMODPOST = scripts/mod/modpost\n",
    "7.2": "MODPOST = $(objtree)/scripts/mod/modpost\n",
}


@pytest.mark.parametrize("form", BUILD)
@pytest.mark.parametrize("release", ["5.10", "5.14.0-503.el9", "6.1", "6.12", "7.2"])
def test_makefiles_have_the_last_word(form: str, release: str) -> None:
    """Check that a kernel with the Makefiles of another is treated by these; without any, by its release."""
    found = dialect_of_makefiles(release, BUILD[form], MODPOST[form])
    like = dialect_of(form)
    assert (found.genksyms, found.symtypes) == (like.genksyms, like.symtypes)
    assert (found.modpost, found.modpost_is_a_file) == (like.modpost, like.modpost_is_a_file)
    assert found.has_module_output == dialect_of(release).has_module_output
    assert dialect_of_makefiles(release, "", "") == dialect_of(release)


def test_kept_programs() -> None:
    """Check that a program that is not named gets no variable."""
    dialect = dialect_of("6.1")
    assert list(program_variables(dialect, {"fixdep": "f"})) == ["cmd_and_fixdep"]
    assert list(program_variables(dialect, {"modpost": "m", "genksyms": "g"})) == ["genksyms", "MODPOST"]


def test_one_liners() -> None:
    """Check the lines that users type, whole for 6.1 and in what differs for the others."""
    assert one_liner(dialect_of("6.1")) == (
        "make -C /lib/modules/$(uname -r)/build M=$PWD \\\n"
        "    genksyms='genksyms-py $(if $(1),-T $(2)) $(if $(KBUILD_PRESERVE),-p)"
        " -r $(or $(wildcard $(2:.symtypes=.symref)),/dev/null)' \\\n"
        '    MODPOST="$(command -v modpost-py)" \\\n'
        "    cmd_and_fixdep='$(cmd); fixdep-py $(depfile) $@ '\\''$(make-cmd)'\\'' > $(dot-target).cmd;"
        " rm -f $(depfile)'"
    )
    assert one_liner(dialect_of("6.1")) == one_liner(dialect_of("6.12"))
    assert one_liner(dialect_of("7.2"), "/usr/src/my headers").startswith("make -C '/usr/src/my headers' M=$PWD \\\n")
    assert "MODPOST='modpost-py $(if" in one_liner(dialect_of("5.10"))


@pytest.mark.parametrize(
    ("release", "message"),
    [
        ("4.19.0", "kernel 4.19.0 is older than 5.4, the oldest whose Makefiles are known here"),
        ("new", "not a kernel version: 'new' (expected e.g. 6.1, 7.x or 6.12.107+deb13-arm64)"),
    ],
)
def test_no_dialect(release: str, message: str) -> None:
    """Check the messages for a kernel too old and for what is no release."""
    with pytest.raises(KbuildError) as caught:
        dialect_of(release)
    assert str(caught.value) == message
