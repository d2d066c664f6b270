# SPDX-License-Identifier: GPL-2.0-or-later
"""What the comparison accepts is laid out the same by the compiler: random structs, changed at random.

A *world* is the part of a kernel that one function reaches.  Many pairs of worlds, one changed a little, make two
C files.  genksyms makes symtypes of both; where the comparison accepts a pair, what gcc makes of both must be the same:
each member of each struct, filled with ones in a constant of its own, byte for byte, and the sizes and signs of
parameters and of what pointers point to.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from genksyms_py import Versioner, dialect_of
from modpost_py.kbuild.layout_comparison import LayoutVerdict, compare_layouts
from modpost_py.kbuild.layout_symtypes import SymtypesSet
from modpost_py.object_file import ObjectFile

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

#: Spellings of the same type, in rows.
INTEGERS = (
    ("int", "signed int", "signed", "i32"),
    ("unsigned int", "unsigned", "u32"),
    ("long", "long int", "signed long"),
    ("unsigned long", "long unsigned int", "word"),
    ("char",),
    ("signed char",),
    ("unsigned char", "u8"),
    ("short", "short int"),
    ("unsigned short", "unsigned short int"),
    ("long long", "long long int"),
    ("_Bool",),
)
TYPEDEFS = """\
typedef int i32;
typedef unsigned int u32;
typedef unsigned long word;
typedef unsigned char u8;
"""


@dataclass(frozen=True)
class Field:
    """A member: its type is ``spelling``, made a pointer or an array, or a bit-field of it."""

    name: str
    spelling: str
    stars: int = 0
    bound: int = 0
    width: int = 0
    qualifier: str = ""

    def declaration(self) -> str:
        suffix = f"[{self.bound}]" if self.bound else f" : {self.width}" if self.width else ""
        return f"{self.qualifier}{self.spelling} {'*' * self.stars}{self.name}{suffix};"


@dataclass(frozen=True)
class World:
    """One function and what it reaches: ``fields`` of its struct, of one that is in it, of one behind a pointer."""

    number: int
    fields: tuple[Field, ...]
    inner: tuple[Field, ...]
    behind: tuple[Field, ...]
    constants: tuple[tuple[str, int], ...]
    parameters: tuple[str, ...]
    keyword: str = "struct"
    is_opaque: bool = False

    def source(self, for_genksyms: bool) -> str:
        n = self.number
        constants = ", ".join(f"{name}_{n} = {value}" for name, value in self.constants)
        hidden = for_genksyms and self.is_opaque
        behind = "" if hidden else f"struct behind_{n} {{ {_declarations(self.behind)} }};\n"
        mark = f"__GENKSYMS_EXPORT_SYMBOL(f_{n});\n" if for_genksyms else ""
        return (
            f"enum e_{n} {{ {constants} }};\n{behind}"
            f"struct inner_{n} {{ {_declarations(self.inner)} }};\n"
            f"{self.keyword} outer_{n} {{ {_declarations(self.fields)} struct inner_{n} in_{n}; "
            f"struct behind_{n} *to_{n}; enum e_{n} kind_{n}; struct outer_{n} *next_{n}; }};\n"
            f"int f_{n}(struct outer_{n} *{''.join(', ' + parameter for parameter in self.parameters)});\n{mark}"
        ).replace("struct outer_", f"{self.keyword} outer_")

    def probes(self) -> str:
        n = self.number
        lines = []
        for tag, fields in ((f"struct inner_{n}", self.inner), (f"struct behind_{n}", self.behind)):
            lines += _field_probes(tag, fields)
        lines += _field_probes(f"{self.keyword} outer_{n}", self.fields)
        for member, value in (("in", None), ("to", "(void *)-1"), ("kind", "-1"), ("next", "(void *)-1")):
            initial = f"{{ .{self.inner[0].name} = {_ones(self.inner[0])} }}" if value is None else value
            lines.append(
                f"const {self.keyword} outer_{n} probe_outer_{n}_{member} = {{ .{member}_{n} = {initial} }};\n"
            )
        for index, parameter in enumerate(self.parameters):
            lines.append(
                f"const long long probe_parameter_{n}_{index}[2] = {{ ({parameter})-1, sizeof({parameter}) }};\n"
            )
        return "".join(lines)


def _declarations(fields: Sequence[Field]) -> str:
    return " ".join(field.declaration() for field in fields)


def _field_probes(tag: str, fields: Sequence[Field]) -> list[str]:
    lines = []
    for index, field in enumerate(fields):
        name = f"probe_{tag.split()[1]}_{index}"
        lines.append(f"const {tag} {name} = {{ .{field.name} = {_ones(field)} }};\n")
        lines.append(f"const {tag} probe_{tag.split()[1]}_named_{field.name} = {{ .{field.name} = {_ones(field)} }};\n")
        if field.stars:
            target = f"typeof({field.spelling} {'*' * (field.stars - 1)})"
            lines.append(f"const long long {name}_target[2] = {{ sizeof({target}), (long long)({target})-1 < 0 }};\n")
    return lines


def _ones(field: Field) -> str:
    if field.stars:
        return "{ (void *)-1 }" if field.bound else "(void *)-1"
    return f"{{ [0 ... {field.bound - 1}] = -1 }}" if field.bound else "-1"


# --- random worlds and changes ------------------------------------------------------------------


def random_field(random: Random, name: str) -> Field:
    spelling = random.choice(random.choice(INTEGERS))
    form = random.randrange(5)
    if form == 0:
        return Field(name, spelling, stars=random.choice((1, 1, 2)))
    if form == 1:
        return Field(name, spelling, bound=random.choice((1, 3, 8)))
    if form == 2 and spelling != "_Bool":
        return Field(name, spelling, width=random.randrange(1, 8))
    return Field(name, spelling)


def random_world(random: Random, number: int) -> World:
    def fields() -> tuple[Field, ...]:
        return tuple(random_field(random, f"m{index}") for index in range(random.randrange(1, 5)))

    constants = tuple((f"C{index}", index * random.choice((1, 1, 90))) for index in range(random.randrange(1, 4)))
    parameters = tuple(random.choice(random.choice(INTEGERS)) for _ in range(random.randrange(3)))
    keyword = random.choice(("struct", "struct", "union"))
    return World(number, fields(), fields(), fields(), constants, parameters, keyword)


Change = Callable[[Random, list[Field]], None]


def rename(random: Random, fields: list[Field]) -> None:
    index = random.randrange(len(fields))
    fields[index] = replace(fields[index], name=random.choice(("new", "m1", "m2")))


def exchange_names(random: Random, fields: list[Field]) -> None:
    first, second = random.randrange(len(fields)), random.randrange(len(fields))
    names = fields[first].name, fields[second].name
    fields[first] = replace(fields[first], name=names[1])
    fields[second] = replace(fields[second], name=names[0])


def move(random: Random, fields: list[Field]) -> None:
    random.shuffle(fields)


def add(random: Random, fields: list[Field]) -> None:
    fields.insert(random.randrange(len(fields) + 1), random_field(random, "added"))


def remove(random: Random, fields: list[Field]) -> None:
    if len(fields) > 1:
        del fields[random.randrange(len(fields))]


def respell(random: Random, fields: list[Field]) -> None:
    for index, field in enumerate(fields):
        row = next(row for row in INTEGERS if field.spelling in row)
        fields[index] = replace(field, spelling=random.choice(row))


def retype(random: Random, fields: list[Field]) -> None:
    index = random.randrange(len(fields))
    fields[index] = random_field(random, fields[index].name)


def qualify(random: Random, fields: list[Field]) -> None:
    index = random.randrange(len(fields))
    fields[index] = replace(fields[index], qualifier=random.choice(("const ", "volatile ")))


def widen(random: Random, fields: list[Field]) -> None:
    for index, field in enumerate(fields):
        if field.width or field.bound:
            fields[index] = replace(
                field, width=field.width and 1 + field.width % 7, bound=field.bound and field.bound + 1
            )
            return


FIELD_CHANGES: tuple[Change, ...] = (
    rename, rename, exchange_names, move, add, remove, respell, respell, respell, retype, qualify, qualify, widen,
)  # fmt: skip


def changed(random: Random, world: World) -> World:
    """The world with one thing changed."""
    what = random.randrange(8)
    if what == 0:
        return replace(world, is_opaque=not world.is_opaque)
    if what == 1:
        added = f"C{len(world.constants)}", world.constants[-1][1] + random.choice((-1, 1, 90))
        return replace(world, constants=(*world.constants, added))
    if what == 2 and world.parameters:
        return replace(world, parameters=tuple(random.choice(random.choice(INTEGERS)) for _ in world.parameters))
    part = random.choice(("fields", "inner", "behind"))
    fields = list(getattr(world, part))
    random.choice(FIELD_CHANGES)(random, fields)
    return replace(world, **{part: tuple(fields)})


def is_valid(world: World) -> bool:
    """Whether no two members of a struct have one name."""
    return all(
        len({field.name for field in fields}) == len(fields) for fields in (world.fields, world.inner, world.behind)
    )


# --- the two sides ------------------------------------------------------------------------------


def symtypes(worlds: Sequence[World]) -> SymtypesSet:
    source = TYPEDEFS + "".join(world.source(for_genksyms=True) for world in worlds)
    # A struct is recorded if it stands in a header
    text = f'# 1 "unit.c"\n# 1 "all.h" 1\n{source}# 2 "unit.c" 2\n'
    versioner = Versioner(dialect_of("7.2"), wants_symtypes=True)
    return SymtypesSet.of_text(versioner.unit_versions(text.encode()).symtypes_text())


def probes(worlds: Sequence[World], path: Path) -> dict[str, bytes]:
    """The bytes of all probes as gcc lays them out."""
    source = TYPEDEFS + "".join(world.source(for_genksyms=False) + world.probes() for world in worlds)
    path.write_text(source)
    subprocess.run(["gcc", "-w", "-fpermissive", "-O0", "-c", "-o", path.with_suffix(".o"), path], check=True)
    object_file = ObjectFile.read(path.with_suffix(".o"))
    symbols = object_file.symbols
    return {
        symbols.name(index): bytes(symbols.data(index, symbols.size[index]))
        for index in range(symbols.count)
        if symbols.name(index).startswith("probe_")
    }


def verdicts(old: Sequence[World], new: Sequence[World]) -> list[LayoutVerdict]:
    old_set, new_set = symtypes(old), symtypes(new)
    return [compare_layouts(old_set, new_set, f"f_{world.number}") for world in old]


def check(seeds: Sequence[int], directory: Path) -> tuple[int, int]:
    """Compare one pair of worlds for each seed; returns how many were accepted with a difference, and refused."""
    old, new = [], []
    for number, seed in enumerate(seeds):
        random = Random(seed)
        world = random_world(random, number)
        other = changed(random, world)
        if random.random() < 0.3:
            other = changed(random, other)
        if is_valid(other):
            old.append(world)
            new.append(other)
    found = verdicts(old, new)
    accepted = [index for index, verdict in enumerate(found) if verdict.same]
    old, new = [old[index] for index in accepted], [new[index] for index in accepted]
    old_probes, new_probes = probes(old, directory / "old.c"), probes(new, directory / "new.c")
    for first, second in zip(old, new, strict=True):
        # Behind an announcement nothing is to be seen
        hidden = "behind" if first.is_opaque or second.is_opaque else ""
        parts = {name: name.split("_") for name in old_probes | new_probes}
        mine = [name for name, (_, tag, number, *_) in parts.items() if number == str(first.number) and tag != hidden]
        # A member that is in both has to be at one place; renamed ones are compared by their number
        mine = [name for name in mine if "_named_" not in name or (name in old_probes and name in new_probes)]
        different = [name for name in mine if old_probes.get(name) != new_probes.get(name)]
        assert not different, "\n".join([*different, first.source(True), second.source(True)])
    return sum(bool(verdict.same and verdict.reasons) for verdict in found), len(found) - len(accepted)


# A failure shows the pair that it is about, so that there is nothing to shrink
@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(0, 2**40), min_size=60, max_size=60))
def test_accepted_means_same_layout(tmp_path: Path, seeds: list[int]) -> None:
    """Check that gcc lays out alike what the comparison accepts, whatever was changed."""
    check(seeds, tmp_path)


def test_accepts_and_refuses(tmp_path: Path) -> None:
    """Check that of random changes many are accepted and many refused: the property above is no empty one."""
    accepted, refused = check(range(200), tmp_path)
    assert accepted > 40
    assert refused > 40
