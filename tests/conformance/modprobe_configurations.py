# SPDX-License-Identifier: GPL-2.0-or-later
"""Random configurations, kernels and command lines for modprobe, made of names that a modules directory knows."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.conformance.modprobe_root import Call, Root

_DIRECTORIES = ("etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "lib/modprobe.d")
_FILE_NAMES = ("a.conf", "b.conf", "Z.conf", "local.alias", ".hidden.conf", "notes.txt", "10-x.conf", "é.conf")
_BLANKS = (" ", " ", " ", "  ", "\t", " \t", " \\\n ", "\\\n ")
_JUNK = (
    "alias", "alias x", "blacklist", "options", "options x", "options x ", "install x", "softdep x", "remove", "foo",
    "include /etc/x", "config a", "# comment", "#\\\ncontinued", " # no comment", "  ", "\t", "ALIAS a b", "x\0y",
    "alias a[ b", "alias a] b", "blacklist [a-b", "softdep a] pre: b", "alias é-ü x", "alias \udcff-x y", "\\#x", "\\",
    "options x\\ y z", "alias a b\\c", "blacklist \\\nx", "\r", "alias x y\r", "softdep pre: a b", "alias \"a b\" c",
)  # fmt: skip
_COMMANDS = ("true", "echo $CMDLINE_OPTS", "/sbin/modprobe -i x  --y", "ls | wc -l; false", "a\\\\b \\\n c")
_PARAMETERS = ("a=1", "b=2  c=3", 'q="x y"', "debug", " x=y ", "t='u v'", "e=", "é=ü", "a=1 a=2")
_COMMAND_LINE_WORDS = (
    "root=/dev/sda1", "quiet", "{name}.a=1", '{name}.b="x y"', '"{name}.c=x y"', "modprobe.blacklist={name},{other}",
    "modprobe.blacklist=", "modprobe.x=1", "{name}.", ".x=1", "{name}.a.b=1", "{name}={other}.x", 'x"y.z=1',
    "{name}.flag",
    "--", '"{name}.q"', '""', "b[.x=1", "b].x=1", '{name}.v=a"b c"d', "modprobe.blacklist={name}", '{name}."p"=1',
)  # fmt: skip
_WORDS = ("a=1", "b=x y", 'c="x y"', "d='x y'", "e", "", "f=", "g=a=b c", "h= ", "--", "é=ö ö", "i=\t")
_FLAGS = (
    ("-D",), ("-D",), ("-n", "-v"), ("-nv",), ("-R",), ("-c",), ("-n",), ("-rnv",), ("-rn",), ("-rD",), ("-Db",),
    ("-nvb",), ("-Di",), ("-nvi",), ("-aD",), ("-anv",), ("-aR",), ("-q", "-R"), ("-qD",), ("-nq",), ("-nqv",),
    ("-nv", "--first-time"), ("-rnv", "--first-time"), ("-rnv", "--remove-holders"), ("-rnva",), ("-rnvi",),
    ("-rnv", "-w", "5"), ("--show-depends",), ("--resolve-alias",), ("-rnv", "--remove-dep"), ("-nvq",), ("-qnvvvvv",),
    ("-rR",), ("-nvf",), ("--dry-run", "--verbose"), ("-Rb",), ("-rnv", "--wait", "x"), ("-rnv", "-w", " 0x10"),
    ("-Rq",),
    ("--re", "-n"), ("-n", "--f"), ("--remove-", "-n"), ("-n", "-Z"), ("-S",), ("--sh",), ("--all=1",), ("-nv", "--zz"),
    ("--force-", "-n"), ("-D", "--force-mod"),
)  # fmt: skip


class Names:
    """What a modules directory knows: modules (some of them built in), modaliases, and names that are none."""

    def __init__(self, random_source: random.Random, modules: Sequence[str], aliases: Sequence[str]) -> None:
        self._random = random_source
        self._modules = modules
        self._aliases = aliases

    def module(self) -> str:
        """A module's name, or at times one that is none, with dashes or underscores."""
        chance = self._random.random()
        if chance < 0.1:
            return self._random.choice(("nosuch", "my-alias", "x", "a_b", "other-alias"))
        name = self._random.choice(self._modules)
        return name.replace("_", "-") if chance < 0.3 else name

    def pattern(self) -> str:
        """A module's name, an alias, or a pattern that some names match."""
        chance = self._random.random()
        name = self.module()
        if chance < 0.6 or len(name) < 3:
            return name
        if chance < 0.7:
            return self._random.choice(self._aliases)
        cut = self._random.randrange(1, len(name))
        return self._random.choice(
            (
                f"{name[:cut]}*",
                f"*{name[cut:]}",
                f"{name[:cut]}?{name[cut + 1 :]}",
                f"[a-{name[0]}]{name[1:]}",
                "my-al*",
            )
        )

    def looked_up(self) -> str:
        """What may stand on a command line."""
        chance = self._random.random()
        if chance < 0.15:
            return self._random.choice(self._aliases)
        if chance < 0.2:
            return self._random.choice(
                ("", "a]", "[x", "a[-]b", "symbol:printk", "symbol:fat_scan", "x.ko", "/x", "my-al*")
            )
        return self.module()


def write_configuration(root: Root, random_source: random.Random, names: Names) -> None:
    """Put random files into the directories of modprobe.d, and a random kernel command line into /proc."""
    for directory in _DIRECTORIES:
        root.remove(directory)
        if random_source.random() < 0.5:
            continue
        for name in random_source.sample(_FILE_NAMES, random_source.randrange(1, 4)):
            lines = [_line(random_source, names) for _ in range(random_source.randrange(12))]
            root.write(f"{directory}/{name}", "\n".join(lines) + random_source.choice(("\n", "\n", "", "\\")))
    if random_source.random() < 0.1:
        root.write(f"{_DIRECTORIES[0]}/nested.conf/x.conf", "alias never read\n")
    words = [
        random_source.choice(_COMMAND_LINE_WORDS).replace("{name}", names.module()).replace("{other}", names.module())
        for _ in range(random_source.randrange(7))
    ]
    root.write("proc/cmdline", random_source.choice((" ", " ", "  ", "\t")).join(words) + "\n")


def _line(random_source: random.Random, names: Names) -> str:
    def blank() -> str:
        return random_source.choice(_BLANKS)

    kind = random_source.choice(("alias", "alias", "blacklist", "options", "install", "remove", "softdep", ""))
    if not kind:
        return random_source.choice(_JUNK)
    indent = random_source.choice(("", "", "", " ", "\t"))
    words = [indent + kind, names.pattern()]
    if kind == "alias":
        words.append(names.module())
    elif kind == "options":
        words.append(random_source.choice(_PARAMETERS))
    elif kind in ("install", "remove"):
        words.append(random_source.choice(_COMMANDS))
    elif kind == "softdep":
        for _ in range(random_source.randrange(1, 5)):
            words.append(random_source.choice(("pre:", "post:", names.module(), names.module())))
    text = "".join(word + blank() for word in words)
    return text if random_source.random() < 0.2 else text.removesuffix(" ")


def write_kernel(root: Root, random_source: random.Random, names: Names) -> None:
    """Put some modules into a made-up /sys/module: states, users and holders, not always sensible ones."""
    root.remove("sys/module")
    root.write("sys/module/.keep", "")
    for _ in range(random_source.randrange(8)):
        name = names.module().replace("-", "_")
        if random_source.random() < 0.9:
            state = random_source.choice(("live\n",) * 6 + ("coming\n", "going\n", "live", "odd\n"))
            root.write(f"sys/module/{name}/initstate", state)
        count = random_source.choice(
            ("0\n",) * 5 + ("1\n", "2\n", "-1\n", "x\n", " 1", "1 \n", "99999999999999999999\n", "")
        )
        root.write(f"sys/module/{name}/refcnt", count)
        if random_source.random() < 0.3:
            root.write(f"sys/module/{name}/holders/{names.module().replace('-', '_')}", "")


def random_call(random_source: random.Random, names: Names, release: str) -> Call:
    """A random command line."""
    flags = random_source.choice(_FLAGS)
    words = [names.looked_up()]
    if any("a" in flag and not flag.startswith("--") for flag in flags) or "-r" in flags[0]:
        words += [names.looked_up() for _ in range(random_source.randrange(3))]
    else:
        words += random_source.sample(_WORDS, random_source.randrange(3))
    if random_source.random() < 0.1:
        place = random_source.choice(("etc/modprobe.d", "lib/modprobe.d/a.conf", "nosuch", "lib/modprobe.d"))
        flags = ("-C", f"{{root}}/{place}", *flags)
    options = None
    if random_source.random() < 0.1:
        options = random_source.choice(
            ("-v", "-q", "-n  -v", "'-b' ", "-a 'x y'", "x'y", " ", "", "'-v'-n x", '-"-dry-run"')
        )
    return Call(("-S", release, "-n", *flags, *words), options)
