# SPDX-License-Identifier: GPL-2.0-or-later
"""The facts that a modules directory (``/lib/modules/RELEASE``) tells.

Its in-tree modules were built with their kernel, so each of them shows the kernel's version magic, machine and
size of ``struct module``.  What lies beside them tells the rest: ``build``, where it leads to the kernel's headers,
``symvers.gz``, ``config``, ``vmlinuz``.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator

from modpost_py.errors import ModpostError
from modpost_py.kmod.kernel_facts import KernelFacts, Machine, merged
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.symvers_from_image_modules import modules_below

THIS_MODULE = ".gnu.linkonce.this_module"
# Databases that depmod and kbuild leave there; a directory where a kernel is built has some as well
_MARKS = ("modules.dep", "modules.dep.bin", "modules.builtin")
_MARKS_WITHOUT_DUMP = ("modules.order", "kernel")
_DUMPS = ("Module.symvers", "symvers", "symvers.gz", "symvers.xz", "symvers.zst")
_RELEASE = re.compile(r"\d+\.\d+[\w.+~-]*")
# So many modules, spread over the directory, show who signs
_SAMPLE = 8


def is_modules_directory(path: str) -> bool:
    """Whether depmod or kbuild left its marks in a directory."""
    marks = _MARKS if os.path.exists(os.path.join(path, "Module.symvers")) else (*_MARKS, *_MARKS_WITHOUT_DUMP)
    return any(os.path.exists(os.path.join(path, mark)) for mark in marks)


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
    return merged([facts, *_beside_modules(path, facts.release)])


def _beside_modules(path: str, release: str | None) -> Iterator[KernelFacts]:
    """What lies beside the modules: headers, and with Fedora and SUSE the dump, the configuration, the image."""
    from modpost_py.kmod.kernel_facts_places import facts_of_configuration, facts_of_dump, facts_of_headers

    readers: dict[str, Callable[[str], KernelFacts]] = {
        "build": facts_of_headers,
        **dict.fromkeys(_DUMPS, facts_of_dump),
        "config": lambda place: facts_of_configuration(place, release),
    }
    knows_all = False
    for name, read in readers.items():
        place = os.path.join(path, name)
        if not os.path.exists(place):
            continue
        try:
            facts = read(place)
        except ModpostError:
            continue  # headers of which half was removed: then the modules have to tell
        knows_all |= facts.knows_vmlinux
        yield facts
    image = os.path.join(path, "vmlinuz")
    if not knows_all and os.path.isfile(image):
        from modpost_py.kmod.kernel_facts_image import facts_of_image

        with contextlib.suppress(ModpostError):
            yield facts_of_image(image)


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

