# SPDX-License-Identifier: GPL-2.0-or-later
"""Random modules directories and options for depmod, small ones in which much happens."""

from __future__ import annotations

import random

from tests.kmod.depmod_trees import RELEASE

_DIRECTORY = f"lib/modules/{RELEASE}"
_PLACES = ("kernel", "kernel/net", "kernel/net/x", "updates", "updates/dkms", "extra", "weak-updates")
_NAMES = ("a", "b-c", "b_c", "d", "e.f", "g-", "h1", "snd-hda", "long_name_of_a_module", "i", "j")
_SYMBOLS = ("open", "close", "read_all", "led_on", ".dot", "_under", "x", "printk", "module_layout", "zz")
_PATTERNS = (
    "usb:v*p*", "foo-bar", "foo_bar", "pci:v1-d[a-c]-*", "x[", "y]", "devname:net/tun", "devname:cpu", "", "q r",
    "char-major-10-200", "block-major-7-*", "char-major-1-3", "a?b", "fs-ext4",
)  # fmt: skip
_CONFIGURATIONS = (
    "search extra updates built-in", "search updates", "search built-in", "search kernel/net updates", "search",
    "search external built-in updates", "override a * extra", "override b-c 1.2 updates", "override d 9 kernel",
    "override i [0-9]+\\. kernel/net", "override j ( extra", "external * {root}/opt", "external 1 {root}/opt2",
    "exclude x", "exclude a.ko extra", "include none", "bad line", "# comment", "search \\\n extra", "override a",
)  # fmt: skip
_OPTIONS = ((), (), (), ("-w",), ("-n",), ("-v",), ("-n", "-v"), ("-e",), ("-a", "-q"), ("-P", "_"), ("-A",))


def random_tree(chance: random.Random, root: str) -> tuple[str, list[str]]:
    """The description of a tree (see ``tests/kmod/depmod_trees.py``) and the options of a call."""
    parts = []
    paths = []
    for _ in range(chance.randint(1, 12)):
        path = f"{chance.choice(_PLACES)}/{chance.choice(_NAMES)}.ko{chance.choice(('', '', '', '.xz', '.zst'))}"
        if path not in paths:
            paths.append(path)
            parts.append(_module(chance, f"{_DIRECTORY}/{path}"))
    for place in ("opt", "opt2", "opt/sub"):
        if chance.random() < 0.3:
            parts.append(_module(chance, f"{place}/{chance.choice(_NAMES)}.ko"))
    if chance.random() < 0.15:
        parts.append(f"link {_DIRECTORY}/kernel/dangling.ko nowhere\n")
    parts += _inputs(chance, paths)
    words = list(chance.choice(_OPTIONS))
    words += _kernel_symbols(chance, root, parts)
    if chance.random() < 0.6:
        lines = [chance.choice(_CONFIGURATIONS).format(root=root) for _ in range(chance.randint(0, 5))]
        parts.append("text depmod.d/some.conf\n" + "".join(f"  {line}\n" for line in "\n".join(lines).split("\n")))
        words += ["-C", f"{root}/depmod.d"]
    return "".join(parts), words


def _module(chance: random.Random, path: str) -> str:
    lines = []
    # Mostly acyclic: what a module needs comes before what it exports
    place = chance.randrange(len(_SYMBOLS))
    exports, needs = _SYMBOLS[place : place + 3], _SYMBOLS[:place]
    if chance.random() < 0.1:
        needs = _SYMBOLS
    with_crcs = chance.random() < 0.8
    for symbol in exports:
        if chance.random() < 0.4:
            lines.append(f"export {symbol} {chance.randrange(4):#x}" if with_crcs else f"export {symbol}")
    for symbol in needs:
        if chance.random() < 0.3:
            lines.append(f"{chance.choice(('need', 'need', 'weak'))} {symbol}")
        if chance.random() < 0.2:
            lines.append(f"version {symbol} {chance.randrange(4):#x}")
    lines += [f"alias={chance.choice(_PATTERNS)}" for _ in range(chance.choice((0, 0, 1, 3)))]
    lines += [f"softdep=pre: {chance.choice(_NAMES)}" for _ in range(chance.choice((0, 0, 0, 1, 2)))]
    if chance.random() < 0.3:
        lines.append("relative-crcs")
    if chance.random() < 0.06:
        # kmod does not notice where only the last bytes of what zstd compressed are missing
        lengths = (3, 20, 63, 64) if path.endswith(".zst") else (3, 20, 63, 64, 120, 200)
        lines.append(f"cut {chance.choice(lengths)}")
    return f"module {path}\n" + "".join(f"  {line}\n" for line in lines)


def _inputs(chance: random.Random, paths: list[str]) -> list[str]:
    """``modules.order`` and what there is on built-in modules, each perhaps missing or odd."""
    parts = []
    if chance.random() < 0.8:
        listed = [path.removesuffix(".xz").removesuffix(".zst") for path in paths if chance.random() < 0.7]
        listed += ["", "kernel/none.ko", paths[0] + " "]
        chance.shuffle(listed)
        parts.append(f"text {_DIRECTORY}/modules.order\n" + "".join(f"  {path}\n" for path in listed))
    if chance.random() < 0.8:
        names = chance.choices(("kernel/fs/ext4.ko", "kernel/b-c.ko.xz", "9p.ko", "", "loop", "/x.ko", "a.ko"), k=4)
        parts.append(f"text {_DIRECTORY}/modules.builtin\n" + "".join(f"  {name}\n" for name in names))
    if chance.random() < 0.8:
        tags = ("ext4.alias={}", "b-c.alias={}", "loop.license={}", "{}", "x.alias={}", ".alias={}")
        entries = [chance.choice(tags).format(chance.choice(_PATTERNS)) for _ in range(5)]
        parts.append(f"strings {_DIRECTORY}/modules.builtin.modinfo\n" + "".join(f"  {line}\n" for line in entries))
    return parts


def _kernel_symbols(chance: random.Random, root: str, parts: list[str]) -> list[str]:
    """The options for a Module.symvers or a System.map that is put into the tree."""
    kind = chance.random()
    if kind < 0.25:
        owners = ("vmlinux", "vmlinux", "drivers/other")
        lines = [f"{chance.randrange(4):#010x}\t{symbol}\t{chance.choice(owners)}\tEXPORT" for symbol in _SYMBOLS]
        parts.append("text symvers\n" + "".join(f"  {line}\n" for line in lines if chance.random() < 0.5))
        return ["-e", "-E", f"{root}/symvers"]
    if kind < 0.45:
        lines = [f"c0{number:06x} r __ksymtab_{symbol}" for number, symbol in enumerate(_SYMBOLS)]
        lines.append("odd")
        parts.append("text map\n" + "".join(f"  {line}\n" for line in lines if chance.random() < 0.5))
        return ["-e", "-F", f"{root}/map"]
    return []
