# SPDX-License-Identifier: GPL-2.0-or-later
"""Would a kernel load a module?  Every reason why not, in the kernel's order, and what loading it entails.

>>> kernel = KernelFacts.read(["/lib/modules/6.1.0-37-amd64"])            # doctest: +SKIP
>>> verdict = judge("foo.ko", kernel)                                      # doctest: +SKIP
>>> verdict.loads, verdict.errno, [reason.text for reason in verdict.reasons]  # doctest: +SKIP
(False, 'EINVAL', ['led_register has the CRC 0x1f3f5d0e in the kernel, the module was built for 0x60b2b1c7'])
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from modpost_py.errors import ModpostError
from modpost_py.kmod.compression import LONGEST_MAGIC, read_module
from modpost_py.kmod.errors import ModuleFileError
from modpost_py.kmod.kernel_facts import KernelFacts, Offer
from modpost_py.kmod.load_rules import STAGES
from modpost_py.kmod.load_rules_findings import (
    TAINT_ORDER,
    Circumstances,
    LoadCase,
    Need,
    Provided,
    Reason,
    Remark,
    Taint,
    Unknown,
)
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.symvers_from_image_modules import own_exports
from modpost_py.modinfo import GPL_COMPATIBLE_LICENSES

__all__ = ["Circumstances", "Judge", "Reason", "Remark", "Verdict", "judge", "judge_together"]

#: Loaded by modprobe, without anything on the kernel's command line.
USUAL = Circumstances()


@dataclass
class Verdict:
    """What a kernel makes of one module.

    ``path`` is the file, ``name`` what the kernel calls the module, ``kernel`` what the kernel is called.
    ``reasons`` are in the kernel's order, which stops at the first stage that has one; ``errno`` is the name
    of the error that loading fails with.  ``taints`` are letters as in ``/sys/module/NAME/taint``, as far as
    the rules came; ``needs`` the modules to load before, in order; ``used`` the exports that it uses, as far
    as they are found; ``unknown`` what nothing told and would have decided.
    """

    path: str
    name: str
    kernel: str
    reasons: list[Reason] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    taint_details: list[Taint] = field(default_factory=list)
    unknowns: list[Unknown] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    used: list[Offer] = field(default_factory=list)
    errno: str | None = None

    @property
    def loads(self) -> bool:
        """Whether the kernel would load it, as far as is known."""
        return not self.reasons

    @property
    def taints(self) -> str:
        """The letters of the taints, in the kernel's order."""
        letters = {taint.letter for taint in self.taint_details}
        return "".join(letter for letter in TAINT_ORDER if letter in letters)

    @property
    def unknown(self) -> list[str]:
        """The texts of what is unknown."""
        return [unknown.text for unknown in self.unknowns]


def judge(
    module: ModuleFile | str,
    kernel: KernelFacts,
    circumstances: Circumstances = USUAL,
    loaded: Sequence[ModuleFile | str] = (),
) -> Verdict:
    """The verdict of ``kernel`` on one module, given as a file's path or as read; ``loaded`` are there before.

    Raises :class:`FileError` and :class:`ModuleFileError` where a file cannot be read or uncompressed; what is wrong
    with an uncompressed module are reasons.
    """
    judge = Judge(kernel, circumstances)
    for other in loaded:
        judge.add_loaded(other)
    return judge.verdict(module)


def judge_together(modules: Sequence[ModuleFile | str], judge: Judge) -> list[Verdict | ModpostError]:
    """The verdicts on modules that may need each other, in the order given; an error for one that cannot be read.

    Under ``as_insmod`` they are loaded in the order given; otherwise in any order in which they load.  Those
    that load count as loaded for the others, and afterwards ``judge`` has them as loaded.
    """
    verdicts: dict[int, Verdict | ModpostError] = {}
    pending = list(range(len(modules)))
    while pending:
        left = []
        for number in pending:
            verdict = verdicts[number] = _verdict_or_error(modules[number], judge)
            if isinstance(verdict, ModpostError):
                continue
            if verdict.loads:
                # A file whose own word on its byte order is wrong loads, but exports nothing that can be read
                with contextlib.suppress(ModuleFileError):
                    judge.add_loaded(modules[number])
            elif not judge.circumstances.as_insmod and _lacks_symbols(verdict):
                left.append(number)
        if len(left) == len(pending):
            break
        pending = left
    return [verdicts[number] for number in range(len(modules))]


def _verdict_or_error(module: ModuleFile | str, judge: Judge) -> Verdict | ModpostError:
    try:
        return judge.verdict(module)
    except ModpostError as error:
        return error


def _lacks_symbols(verdict: Verdict) -> bool:
    """Whether another module might help: nothing but symbols is missing."""
    return all(reason.kind in ("missing-symbol", "dependency") for reason in verdict.reasons)


class Judge:
    """One kernel under given circumstances, for many modules; in-tree modules are judged once."""

    def __init__(self, kernel: KernelFacts, circumstances: Circumstances = USUAL) -> None:
        self.kernel = kernel
        self.circumstances = circumstances
        self._loaded: set[str] = set()
        self._provided: dict[str, Provided] = {}
        self._in_tree: dict[str, Verdict | None] = {}

    def add_loaded(self, module: ModuleFile | str) -> None:
        """Count a module as loaded: its exports are there.  Raises as :func:`judge`."""
        module = ModuleFile.read(module) if isinstance(module, str) else module
        name = module.value("name") or module.path.rsplit("/", 1)[-1].split(".", 1)[0].replace("-", "_")
        is_proprietary = module.value("license") not in GPL_COMPATIBLE_LICENSES
        self._loaded.add(name)
        try:
            exports = own_exports(module, name)
        except ModuleFileError:
            return  # tables that cannot be read export nothing
        for offer in exports:
            self._provided.setdefault(offer.symbol, Provided(offer, is_proprietary))

    def verdict(self, module: ModuleFile | str) -> Verdict:
        """The verdict on one module; raises as :func:`judge`."""
        path, data = (module, _contents(module)) if isinstance(module, str) else (module.path, module.data)
        case = LoadCase(
            path, data, self.kernel, self.circumstances, frozenset(self._loaded), self._provided
        )
        verdict = Verdict(path, case.name, self.kernel.name)
        providers: dict[str, str] = {}
        for stage in STAGES:
            before = len(verdict.reasons)
            _take(stage.rule(case), verdict, case, providers)
            fresh = verdict.reasons[before:]
            if fresh and verdict.errno is None:
                verdict.errno = fresh[-1 if stage.logs_all else 0].errno
            if fresh and stage.ends:
                break
        verdict.used = case.used
        verdict.remarks += self._absent_dependencies(case)
        self._add_dependencies(verdict, providers)
        return verdict

    def _absent_dependencies(self, case: LoadCase) -> Iterator[Remark]:
        """What modinfo's ``depends`` names and the modules directory lacks; what decides is whose symbols it uses."""
        if self.kernel.modules is None or case.module is None:
            return
        for name in filter(None, (case.module.value("depends") or "").replace("-", "_").split(",")):
            if name not in self.kernel.module_paths and name not in self._loaded:
                yield Remark("depends", f"it says that it depends on {name}, which is not in the modules directory")

    def _add_dependencies(self, verdict: Verdict, providers: dict[str, str]) -> None:
        """The in-tree modules that have to be loaded first, and whether they can be."""
        for name, symbol in providers.items():
            if name == verdict.name:
                continue
            if name in self._loaded:
                _append_new(verdict.needs, [name])
                continue
            provider = self._in_tree_verdict(name)
            if provider is None:
                if self.kernel.modules is not None:
                    verdict.reasons.append(_absent(name, symbol))
                    verdict.errno = verdict.errno or "ENOENT"
                _append_new(verdict.needs, [name])
                continue
            _append_new(verdict.needs, [*provider.needs, name])
            if not provider.loads:
                verdict.reasons.append(_refused(name, symbol, provider))
                verdict.errno = verdict.errno or provider.errno

    def _in_tree_verdict(self, name: str) -> Verdict | None:
        if name not in self._in_tree:
            self._in_tree[name] = None  # modules that need each other end here
            path = self.kernel.module_paths.get(name)
            if path is not None:
                try:
                    self._in_tree[name] = self.verdict(path)
                except ModpostError as error:
                    broken = Verdict(path, name, self.kernel.name)
                    broken.reasons.append(Reason("damaged", "ENOEXEC", str(error)))
                    broken.errno = "ENOEXEC"
                    self._in_tree[name] = broken
        return self._in_tree[name]


def _contents(path: str) -> bytes:
    """The bytes of a module, uncompressed; also of what is too short to be one, which the kernel gets to see."""
    try:
        return bytes(read_module(path))
    except ModuleFileError:
        with open(path, "rb") as stream:
            data = stream.read(LONGEST_MAGIC)
        if len(data) < LONGEST_MAGIC:
            return data
        raise


def _take(
    findings: Iterable[Reason | Remark | Taint | Unknown | Need],
    verdict: Verdict,
    case: LoadCase,
    providers: dict[str, str],
) -> None:
    for finding in findings:
        if isinstance(finding, Reason):
            verdict.reasons.append(finding)
        elif isinstance(finding, Remark):
            verdict.remarks.append(finding)
        elif isinstance(finding, Unknown):
            verdict.unknowns.append(finding)
        elif isinstance(finding, Taint):
            case.taints.add(finding.letter)
            verdict.taint_details.append(finding)
        else:
            providers.setdefault(finding.module, finding.symbol)


def _append_new(names: list[str], more: Iterable[str]) -> None:
    names += [name for name in more if name not in names]


def _absent(name: str, symbol: str) -> Reason:
    text = f"it needs {symbol} of the module {name}, which is not in the modules directory"
    return Reason("dependency", "ENOENT", text, symbol, name, advice=f"install {name} of this kernel")


def _refused(name: str, symbol: str, provider: Verdict) -> Reason:
    first = provider.reasons[0]
    text = f"it needs {symbol} of the module {name}, which the kernel would refuse: {first.text}"
    return Reason("dependency", provider.errno or "", text, symbol, name, first.log_line, first.advice)
