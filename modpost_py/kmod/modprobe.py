# SPDX-License-Identifier: GPL-2.0-or-later
"""Loading modules with what they need: what ``modprobe NAME`` does, step by step, or only says.

>>> directory = ModulesDirectory("/lib/modules/6.1.0")                                   # doctest: +SKIP
>>> modules = Modules(directory, Configuration.read(), LoadedModules(), print)           # doctest: +SKIP
>>> insertion = Insertion(modules, None, Wishes(ignore_loaded=True), print)              # doctest: +SKIP
>>> insertion.insert("vfat")                                                             # doctest: +SKIP
Step(kind='insmod', text='/lib/modules/6.1.0/kernel/fs/fat/fat.ko', options='')
Step(kind='insmod', text='/lib/modules/6.1.0/kernel/fs/fat/vfat.ko', options='')
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from modpost_py.errors import FileError
from modpost_py.kmod.errors import ModuleFileError
from modpost_py.kmod.loading import Loader
from modpost_py.kmod.modprobe_messages import Complaint
from modpost_py.kmod.modprobe_modules import Module, Modules


class Wishes(NamedTuple):
    """What the user wants of an insertion or a removal; the fields are modprobe's options.

    ``flags`` are those of finit_module(2), ``wait`` milliseconds, ``ignore_loaded`` comes with ``--show-depends``.
    """

    use_blacklist: bool = False
    ignore_commands: bool = False
    ignore_loaded: bool = False
    first_time: bool = False
    flags: int = 0
    force: bool = False
    remove_holders: bool = False
    wait: int = 0


class Step(NamedTuple):
    """What is about to be done.

    =============  ==================================  =========
    ``kind``       ``text``                            others
    =============  ==================================  =========
    ``insmod``     the path of the module              options
    ``builtin``    the name of a built-in module
    ``install``    the command of the configuration    options
    ``rmmod``      the name of the module
    ``remove``     the command of the configuration
    =============  ==================================  =========
    """

    kind: str
    text: str
    options: str = ""


class StepError(Exception):
    """A step that failed; ``errno`` is what kmod has for it.  It never leaves the functions of this package."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.errno = number


# What the command says for an errno of loading; others say what they say everywhere.
_REASONS = {
    errno.EEXIST: "Module already in kernel",
    errno.ENOENT: "Unknown symbol in module, or unknown parameter (see dmesg)",
}


class Insertion:
    """Inserts modules; ``loader`` is None where nothing is to be done, ``announce`` where steps are not told."""

    def __init__(
        self, modules: Modules, loader: Loader | None, wishes: Wishes, announce: Callable[[Step], None] | None
    ) -> None:
        self._modules = modules
        self._loader = loader
        self._wishes = wishes
        self._announce = announce

    def insert(self, text: str, parameters: str = "") -> bool:
        """Insert the modules that ``text`` means, with parameters for them; whether the last of them succeeded.

        Failures are reported, as is a text that means nothing.
        """
        found = self._modules.lookup(text)
        if not found:
            self._modules.report(Complaint("not found in", name=text, directory=self._modules.directory.path))
            return False
        succeeded = True
        for module in found:
            try:
                self._probe(module, parameters)
                succeeded = True
            except StepError as failure:
                reason = _REASONS.get(failure.errno) or os.strerror(failure.errno)
                self._modules.report(Complaint("not inserted", name=module.name, reason=reason))
                succeeded = False
        return succeeded

    def _probe(self, module: Module, parameters: str) -> None:
        wishes = self._wishes
        if not wishes.ignore_loaded and module.in_kernel:
            if wishes.first_time:
                raise StepError(errno.EEXIST)
            return
        configuration = self._modules.configuration
        if (wishes.use_blacklist or module.alias is not None) and module.name in configuration.blacklist:
            return
        for step in self._modules.loading_order(module, plain=wishes.ignore_commands):
            try:
                self._insert_one(step, parameters if step is module else "")
            except StepError as failure:
                if failure.errno == errno.EEXIST and step is module and wishes.first_time:
                    raise
                if failure.errno != errno.EEXIST and step.required:
                    raise

    def _insert_one(self, module: Module, parameters: str) -> None:
        if not self._wishes.ignore_loaded and module.in_kernel:
            raise StepError(errno.EEXIST)
        configuration = self._modules.configuration
        configured = configuration.options_for(module.name, module.alias)
        options = f"{configured} {parameters}" if configured else parameters
        command = None if module.plain else module.command("install")
        if command is not None:
            if self._announce is not None:
                self._announce(Step("install", command, options))
            self._run(command, options, module)
        else:
            self._tell(module, options)
            self._load(module, options)

    def _tell(self, module: Module, options: str) -> None:
        if self._announce is None:
            return
        if module.path is not None:
            self._announce(Step("insmod", module.path, options))
        elif module.is_builtin:
            self._announce(Step("builtin", module.name))
        else:
            self._modules.loaded.state(module.name)  # kmod asks, too, and may complain of the answer

    def _run(self, command: str, options: str, module: Module) -> None:
        if self._loader is None:
            return
        whole = command.replace("$CMDLINE_OPTS", options)
        status = self._loader.run(whole, module.name)
        if status != 0:
            self._modules.report(
                Complaint("install command", kind="install", command=whole, name=module.name, status=status)
            )
            raise StepError(errno.EINVAL)

    def _load(self, module: Module, options: str) -> None:
        if self._loader is None:
            return
        if module.path is None:
            self._modules.report(Complaint("no path", name=module.name))
            raise StepError(errno.ENOENT)
        try:
            self._loader.load(module.path, options, self._wishes.flags)
        except (OSError, FileError) as error:
            raise StepError(error.errno or errno.EIO) from None
        except ModuleFileError as error:
            self._modules.report(Complaint("damage", text=str(error)))
            raise StepError(getattr(error, "errno", errno.EINVAL)) from None


def parameters_text(words: Sequence[str]) -> str:
    """Module parameters from a command line as one text: quotes around a value in which there are blanks.

    ``key=a b`` becomes ``key="a b"``; a value that begins with a quote of either kind is left alone.
    """
    text = ""
    for word in words:
        text += f" {_parameter(word)}" if text else _parameter(word)
    return text


def _parameter(word: str) -> str:
    key, equals, value = word.partition("=")
    if equals and " " in value and not value.startswith(('"', "'")):
        return f'{key}="{value}"'
    return word
