# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules by which the kernel judges a module, in its order (``load_module`` in ``kernel/module/main.c``).

A rule looks at one case and tells what it finds: reasons to refuse, remarks, taints, facts that are unknown.  The
kernel stops at the first reason; here the later rules are asked as well, as far as the file can be read, so that
all reasons are known at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from modpost_py.kmod.load_rules_command_line import value_of
from modpost_py.kmod.load_rules_elf import elf_rule, writable_code_rule
from modpost_py.kmod.load_rules_findings import Findings, LoadCase, Reason, Remark, Taint, Unknown
from modpost_py.kmod.load_rules_signature import signature_rule
from modpost_py.kmod.load_rules_symbols import (
    duplicates_rule,
    export_versions_rule,
    forced,
    layout_rule,
    symbols_rule,
)
from modpost_py.modinfo import GPL_COMPATIBLE_LICENSES

# Caught claiming a licence that they do not have: the kernel counts them as proprietary by name
_OFFENDERS = ("driverloader", "lve")
_RETPOLINE_OPTIONS = ("RETPOLINE", "MITIGATION_RETPOLINE")


class Stage(NamedTuple):
    """One step of loading; where ``ends`` is set a refusal leaves nothing for later steps to look at.

    ``logs_all``: the kernel goes on after a reason and fails with the error of the last one.
    """

    rule: Callable[[LoadCase], Findings]
    ends: bool = False
    logs_all: bool = False


def blacklist_rule(case: LoadCase) -> Findings:
    """``module_blacklist=`` on the kernel's command line: exact names between commas."""
    listed = value_of(case.circumstances.command_line, "module_blacklist")
    if listed and case.name in listed.split(","):
        line = f"Module {case.name} is blacklisted"
        text = f"the kernel's command line blacklists it (module_blacklist={listed})"
        yield Reason("blacklisted", "EPERM", text, log_line=line, advice="take it off module_blacklist= and boot again")


def vermagic_rule(case: LoadCase) -> Findings:
    """The version magic, without its first word (the release) where the module has CRCs."""
    if case.module is None:
        return
    magic, wanted = case.module.value("vermagic"), case.kernel.vermagic
    if magic is None:
        yield from forced(case, "bad vermagic", "it has no version magic")
        return
    if wanted is None:
        yield Unknown("vermagic", f"the kernel's version magic; the module has '{magic}'")
        return
    skips_release = case.section_bytes("__versions") is not None and bool(case.kernel.checks_versions)
    differences = vermagic_differences(magic, wanted, skips_release)
    if differences:
        line = f"{case.name}: version magic '{magic}' should be '{wanted}'"
        text = f"its version magic differs: {'; '.join(differences)}"
        yield Reason("vermagic", "ENOEXEC", text, log_line=line, advice="build it with the headers of this kernel")
    elif magic.partition(" ")[0] != wanted.partition(" ")[0]:
        built, runs = magic.partition(" ")[0], wanted.partition(" ")[0]
        yield Remark("release", f"it was built for {built}, not {runs}; its symbol versions decide, not the release")


def vermagic_differences(magic: str, wanted: str, skips_release: bool) -> list[str]:
    """How two version magics differ, word by word; empty where the kernel takes them for equal."""
    release, blank, rest = magic.partition(" ")
    kernel_release, kernel_blank, kernel_rest = wanted.partition(" ")
    found = []
    if not skips_release and release != kernel_release:
        found.append(f"it is for the release {release}, the kernel is {kernel_release}")
    if blank + rest == kernel_blank + kernel_rest:
        return found
    words, kernel_words = rest.split(), kernel_rest.split()
    lacks = [word for word in kernel_words if word not in words]
    extra = [word for word in words if word not in kernel_words]
    found += [f"it lacks '{word}'" for word in lacks] + [f"it has '{word}', the kernel has not" for word in extra]
    if not lacks and not extra:
        found.append("order or blanks of its words")
    return found


def livepatch_rule(case: LoadCase) -> Findings:
    """A livepatch needs a kernel with CONFIG_LIVEPATCH."""
    if case.module is None or case.module.value("livepatch") is None:
        return
    setting = case.kernel.config("LIVEPATCH")
    if setting == "n":
        # The kernel's line about it has no newline, so that it shows up with the next one only, if at all
        text = "it is a livepatch, and the kernel has no CONFIG_LIVEPATCH"
        yield Reason("livepatch", "ENOEXEC", text, advice="only kernels with CONFIG_LIVEPATCH=y take it")
    elif setting is None:
        yield Unknown("livepatch", "whether the kernel takes livepatches (CONFIG_LIVEPATCH)")


def already_loaded_rule(case: LoadCase) -> Findings:
    """Names are unique."""
    if case.name in case.loaded:
        text = f"a module named {case.name} is loaded already"
        yield Reason("already-loaded", "EEXIST", text, advice=f"remove that one first: rmmod {case.name}")


def taints_rule(case: LoadCase) -> Findings:
    """What modinfo says of where the module comes from and of its licence."""
    if case.module is None:
        return
    name, value = case.name, case.module.value
    if value("intree") is None:
        yield Taint("O", "out of tree", f"{name}: loading out-of-tree module taints kernel.")
    if any(case.kernel.config(option) == "y" for option in _RETPOLINE_OPTIONS) and value("retpoline") is None:
        line = f"{name}: loading module not compiled with retpoline compiler."
        text = "it was not compiled with retpolines; on processors that need them the kernel warns"
        yield Remark("retpoline", text, "", line)
    if value("staging") is not None:
        line = f"{name}: module is from the staging directory, the quality is unknown, you have been warned."
        yield Taint("C", "staging", line)
    if value("livepatch") is not None:
        yield Taint("K", "livepatch", f"{name}: tainting kernel with TAINT_LIVEPATCH")
    license = value("license") or "unspecified"
    if license not in GPL_COMPATIBLE_LICENSES or name in _OFFENDERS:
        line = f"{name}: module license '{license}' taints kernel."
        yield Taint("P", f"proprietary: its licence is '{license}'", line)
    if value("test") is not None and case.dialect.has_test_taint:
        yield Taint("N", "test", f"{name}: loading test module taints kernel.")


#: In the kernel's order.
STAGES = (
    Stage(signature_rule),
    Stage(elf_rule, ends=True),
    Stage(blacklist_rule),
    Stage(layout_rule),
    Stage(vermagic_rule),
    Stage(livepatch_rule),
    Stage(writable_code_rule),
    Stage(already_loaded_rule),
    Stage(taints_rule),
    Stage(export_versions_rule),
    Stage(symbols_rule, logs_all=True),
    Stage(duplicates_rule),
)
