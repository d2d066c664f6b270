# SPDX-License-Identifier: GPL-2.0-or-later
"""The facts that a modules directory (``/lib/modules/RELEASE``) tells.

Its in-tree modules were built with their kernel, so each of them shows the kernel's version magic, machine and
size of ``struct module``.  ``build``, where it leads to the kernel's headers, tells the rest.
"""

from __future__ import annotations

import os
import re

from modpost_py.errors import ModpostError
from modpost_py.kmod.kernel_facts import KernelFacts, Machine, merged
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.symvers_from_image_modules import modules_below

THIS_MODULE = ".gnu.linkonce.this_module"
# Databases that depmod and kbuild leave there
_MARKS = ("modules.dep", "modules.order", "modules.builtin", "modules.dep.bin", "kernel")
_RELEASE = re.compile(r"\d+\.\d+[\w.+~-]*")
# So many modules, spread over the directory, show who signs
_SAMPLE = 8


def is_modules_directory(path: str) -> bool:
    """Whether depmod or kbuild left its marks in a directory."""
    return any(os.path.exists(os.path.join(path, mark)) for mark in _MARKS)


def facts_of_modules_directory(path: str) -> KernelFacts:
    """The facts of a modules directory but for what the modules export, which takes time to find."""
    paths = modules_below(path)
    name = os.path.basename(os.path.abspath(path))
    facts = KernelFacts(
        paths=(path,),
        release=name if _RELEASE.fullmatch(name) else None,
        directory=path,
        modules=paths,
    )
    _add_sample(facts, list(paths.values()))
    return merged([facts, *_headers_of(path)])


def _headers_of(path: str) -> list[KernelFacts]:
    from modpost_py.kmod.kernel_facts_places import facts_of_headers

    build = os.path.join(path, "build")
    try:
        return [facts_of_headers(build)] if os.path.isdir(build) else []
    except ModpostError:
        return []  # headers of which half was removed: then the modules have to tell


def _add_sample(facts: KernelFacts, paths: list[str]) -> None:
    """Add what some in-tree modules show; they all agree, or it remains unknown."""
    seen: list[tuple[str | None, Machine, int | None]] = []
    signers: set[str] = set()
    for path in paths[:: max(1, len(paths) // _SAMPLE)]:
        try:
            with ModuleFile.opened(path) as module:
                if module.value("intree") is None:
                    continue
                header = module.section_header(THIS_MODULE)
                machine = Machine(module.machine, module.bits, module.byteorder)
                seen.append((module.value("vermagic"), machine, header[5] if header else None))
                signers.add(signer_of(module))
        except ModpostError:
            continue
    if seen and len(set(seen)) == 1:
        facts.vermagic, facts.machine, facts.module_struct_size = seen[0]
        facts.signers = frozenset(signers - {""})
        if facts.release is None and facts.vermagic:
            facts.release = facts.vermagic.split(" ", 1)[0]


def signer_of(module: ModuleFile) -> str:
    """A name for the key that a module is signed with: signer and key id; empty where it is not signed."""
    signature = module.signature()
    return f"{signature.signer} {signature.key_id.hex()}" if signature is not None else ""

