# SPDX-License-Identifier: GPL-2.0-or-later
"""The variables on make's command line that put our programs in the place of kbuild's own, by kernel release.

Kbuild has no switch for this, but a variable that is given on make's command line wins over
the same variable in any Makefile.  Which variables hold the programs' calls differs by release;
the texts below are those of ``scripts/Makefile.build``, ``Makefile.modpost`` and ``Kbuild.include``
with ``{genksyms}``, ``{modpost}`` and ``{fixdep}`` for the programs.  They were compared with the
Makefiles of Debian's 5.10, 6.1, 6.12, 7.2 and 7.3; when between these a form changed is recollection,
and distributions take newer forms into older kernels: so a tree's own Makefiles have the last word.

Rules that the texts obey:

* ``genksyms``, ``cmd_gensymtypes_*`` and ``cmd_and_fixdep`` end up in shell commands: a program may
  be any words of the shell.
* ``MODPOST`` is, since 6.1, also a prerequisite in a rule: one existing file, without spaces.
* ``$(1)``, ``$@`` and the like are make's, expanded where kbuild expands the variable.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from genksyms_py.kernel_release import KernelRelease, dialect_for
from modpost_py.kbuild.errors import KbuildError

PROGRAMS = ("genksyms", "modpost", "fixdep")

# ----- fixdep: after each compiler call, .x.o.d -> .x.o.cmd.  The same text since 3.x.

_FIXDEP = {"cmd_and_fixdep": "$(cmd); {fixdep} $(depfile) $@ '$(make-cmd)' > $(dot-target).cmd; rm -f $(depfile)"}

# ----- genksyms, until 5.18: its path stands inside the two pipelines that call it.

_GENKSYMS_5_10 = (
    "{genksyms} $(if $(1),-T $(2)) $(patsubst y,-R,$(CONFIG_MODULE_REL_CRCS)) $(if $(KBUILD_PRESERVE),-p)"
    " -r $(firstword $(wildcard $(2:.symtypes=.symref) /dev/null))"
)
_ASSEMBLER_EXPORTS_5_10 = (
    "{ echo '#include <linux/kernel.h>'; echo '#include <asm/asm-prototypes.h>';"
    " $(CPP) $(a_flags) $< | grep '\\<___EXPORT_SYMBOL\\>' |"
    " sed 's/.*___EXPORT_SYMBOL[[:space:]]*\\([a-zA-Z0-9_]*\\)[[:space:]]*,.*/EXPORT_SYMBOL(\\1);/'; }"
)
_PIPELINES_5_10 = {
    "cmd_gensymtypes_c": f"$(CPP) -D__GENKSYMS__ $(c_flags) $< | {_GENKSYMS_5_10}",
    "cmd_gensymtypes_S": f"{_ASSEMBLER_EXPORTS_5_10} | $(CPP) -D__GENKSYMS__ $(c_flags) -xc - | {_GENKSYMS_5_10}",
}

# ----- genksyms, since 5.19: a variable with the program and its arguments.

_GENKSYMS_6_1 = {
    "genksyms": "{genksyms} $(if $(1),-T $(2)) $(if $(KBUILD_PRESERVE),-p)"
    " -r $(or $(wildcard $(2:.symtypes=.symref)),/dev/null)"
}
_GENKSYMS_7 = {
    "genksyms": "{genksyms} $(if $(KBUILD_SYMTYPES),-T $(@:.o=.symtypes)) $(if $(KBUILD_PRESERVE),-p)"
    " $(addprefix -r ,$(wildcard $(@:.o=.symref)))"
}

# ----- modpost, until 6.0: a variable with the program and all its options.

_MODPOST_5_10 = {
    "MODPOST": "{modpost} $(if $(CONFIG_MODVERSIONS),-m) $(if $(CONFIG_MODULE_SRCVERSION_ALL),-a)"
    " $(if $(CONFIG_SECTION_MISMATCH_WARN_ONLY),,-E) $(if $(KBUILD_MODPOST_WARN),-w) -o $@"
    " $(if $(KBUILD_EXTMOD),-e) $(addprefix -i ,$(wildcard $(input-symdump)))"
    " $(if $(KBUILD_NSDEPS),-d $(MODULES_NSDEPS))"
    " $(if $(CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS)$(KBUILD_NSDEPS),-N)"
    " $(if $(findstring i,$(firstword -$(MAKEFLAGS))),-n)"
}

# ----- modpost, since 6.1: a variable with the program alone.

_MODPOST_6_1 = {"MODPOST": "{modpost}"}

# ----- make x.symtypes, which 6.14 gave up: make x.i with a command of our own.

_SYMTYPES_7 = {
    "quiet_cmd_cpp_i_c": "SYM $(quiet_modtag) $(@:.i=.symtypes)",
    "cmd_cpp_i_c": "$(CPP) -D__GENKSYMS__ $(c_flags) $< | {genksyms} -T $(@:.i=.symtypes) > /dev/null",
}


class KbuildDialect(NamedTuple):
    """How the kbuild of one range of releases calls the three programs.

    ``symtypes`` holds, where kbuild has no target ``x.symtypes``, the variables with which ``x.i`` makes it.
    """

    since: KernelRelease
    genksyms: Mapping[str, str]
    modpost: Mapping[str, str]
    fixdep: Mapping[str, str]
    modpost_is_a_file: bool
    has_module_output: bool  # MO=, a directory of its own for what is built
    symtypes: Mapping[str, str] = {}


_R = KernelRelease
#: Oldest first.
DIALECTS = (
    #                      genksyms         modpost        fixdep   a file  MO=    symtypes
    KbuildDialect(_R(5, 4), _PIPELINES_5_10, _MODPOST_5_10, _FIXDEP, False, False),
    KbuildDialect(_R(5, 19), _GENKSYMS_6_1, _MODPOST_5_10, _FIXDEP, False, False),
    KbuildDialect(_R(6, 1), _GENKSYMS_6_1, _MODPOST_6_1, _FIXDEP, True, False),
    KbuildDialect(_R(6, 13), _GENKSYMS_6_1, _MODPOST_6_1, _FIXDEP, True, True),
    KbuildDialect(_R(6, 14), _GENKSYMS_7, _MODPOST_6_1, _FIXDEP, True, True, _SYMTYPES_7),
)


def dialect_of(release: str) -> KbuildDialect:
    """The dialect of a kernel release (``6.1``, ``5.10.0-46-amd64``); raises KbuildError for none or too old a one."""
    try:
        return dialect_for(release, DIALECTS, "5.4, the oldest whose Makefiles are known here")
    except ValueError as error:
        raise KbuildError(str(error)) from None


#: How a form is known in a tree's Makefiles: what stands there -> the variables of that form; the first that fits.
_FORMS_OF_GENKSYMS = (
    (re.compile(r"^genksyms\s*=(?:.*\\\n)*.*\$\(if \$\(KBUILD_SYMTYPES\)", re.MULTILINE), _GENKSYMS_7),
    (re.compile(r"^genksyms\s*=(?:.*\\\n)*.*\$\(if \$\(1\)", re.MULTILINE), _GENKSYMS_6_1),
    (re.compile(r"^\s*scripts/genksyms/genksyms \$\(if \$\(1\)", re.MULTILINE), _PIPELINES_5_10),
)
_FORMS_OF_MODPOST = (
    (re.compile(r"^MODPOST\s*=\s*\S+/modpost\s*$", re.MULTILINE), _MODPOST_6_1),
    (re.compile(r"^MODPOST\s*=\s*\S+/modpost\s*\\$", re.MULTILINE), _MODPOST_5_10),
)
_SYMTYPES_TARGET = re.compile(r"^\$\(obj\)/%\.symtypes\s*:", re.MULTILINE)
_Form = Mapping[str, str]


def dialect_of_makefiles(release: str, makefile_build: str, makefile_modpost: str) -> KbuildDialect:
    """The dialect of a release, but with the forms that a tree's own Makefiles have.

    The texts are those of ``scripts/Makefile.build`` and ``scripts/Makefile.modpost``.  What is not recognised
    in them is taken from the release.  Raises KbuildError as :func:`dialect_of`.
    """
    dialect = dialect_of(release)
    genksyms = _recognised(makefile_build, _FORMS_OF_GENKSYMS)
    modpost = _recognised(makefile_modpost, _FORMS_OF_MODPOST)
    if genksyms is not None:
        symtypes = {} if _SYMTYPES_TARGET.search(makefile_build) else _SYMTYPES_7
        dialect = dialect._replace(genksyms=genksyms, symtypes=symtypes)
    if modpost is not None:
        dialect = dialect._replace(modpost=modpost, modpost_is_a_file=modpost is _MODPOST_6_1)
    return dialect


def _recognised(text: str, forms: Sequence[tuple[re.Pattern[str], _Form]]) -> _Form | None:
    return next((form for mark, form in forms if mark.search(text)), None)


def program_variables(dialect: KbuildDialect, programs: Mapping[str, str]) -> dict[str, str]:
    """Variable -> value for make's command line, so that ``programs`` (name -> words of the shell) are called.

    A program that is not named stays the kernel's own.  The value is make syntax, not yet quoted for a shell.
    """
    variables: dict[str, str] = {}
    for name, texts in zip(PROGRAMS, (dialect.genksyms, dialect.modpost, dialect.fixdep), strict=True):
        if name in programs:
            variables |= _filled(texts, name, programs[name])
    return variables


def symtypes_variables(dialect: KbuildDialect, genksyms: str) -> dict[str, str]:
    """As :func:`program_variables`, for making ``x.symtypes`` through ``x.i``; empty where kbuild has that target."""
    return _filled(dialect.symtypes, "genksyms", genksyms)


def _filled(texts: Mapping[str, str], name: str, program: str) -> dict[str, str]:
    return {variable: text.replace(f"{{{name}}}", program) for variable, text in texts.items()}


def one_liner(dialect: KbuildDialect, headers: str | None = None) -> str:
    """The command that a user types to build with our installed programs, for one kernel.

    Without ``headers``, those of the running kernel.  The programs are found through PATH; where make
    needs a file, the shell looks it up.
    """
    variables = program_variables(dialect, {name: f"{name}-py" for name in PROGRAMS})
    words = [_assignment(name, value, dialect) for name, value in variables.items()]
    directory = "/lib/modules/$(uname -r)/build" if headers is None else quoted(headers)
    return " \\\n    ".join([f"make -C {directory} M=$PWD", *words])


def _assignment(name: str, value: str, dialect: KbuildDialect) -> str:
    if name == "MODPOST" and dialect.modpost_is_a_file:
        return f'MODPOST="$(command -v {value})"'
    return f"{name}={quoted(value)}"


def quoted(text: str) -> str:
    """A word for the shell, as a person would quote it (``'it'\\''s'``)."""
    return shlex.quote(text).replace("'\"'\"'", "'\\''")
