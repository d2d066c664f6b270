# SPDX-License-Identifier: GPL-2.0-or-later
"""Removing modules with what only they needed: what ``modprobe -r NAME`` does, step by step, or only says.

For one module, in this order, as kmod 30:

1. what its soft dependency has behind ``post:``, each like a module of the command line;
2. with ``--remove-holders`` the modules that use it;
3. the ``remove`` command of the configuration; or else the module itself, if nothing uses it;
4. in the latter case the modules that it depends on, as far as nothing uses them any more;
5. what its soft dependency has behind ``pre:``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence

from modpost_py.kmod.loading import Loader
from modpost_py.kmod.modprobe import Step, StepError, Wishes
from modpost_py.kmod.modprobe_messages import Complaint
from modpost_py.kmod.modprobe_modules import Module, Modules
from modpost_py.kmod.names import is_alias

# Soft dependencies may form loops, where kmod 30 goes on until its stack is full.
_DEEPEST = 300


class Removal:
    """Removes modules; ``loader`` is None where nothing is to be done but to tell each step to ``announce``."""

    def __init__(
        self, modules: Modules, loader: Loader | None, wishes: Wishes, announce: Callable[[Step], None]
    ) -> None:
        self._modules = modules
        self._loader = loader
        self._wishes = wishes
        self._announce = announce
        self._way: list[str] = []

    def remove(self, text: str) -> bool:
        """Remove the modules that ``text`` means; whether all of them are gone.  What fails is reported."""
        found = self._modules.lookup(text)
        if not is_alias(text):
            return False  # kmod has no words for it
        if not found:
            self._modules.report(Complaint("not found", name=text))
            return False
        self._way.clear()
        try:
            for module in found:
                self._remove(module, self._wishes.remove_holders)
        except StepError:
            return False
        return True

    def _remove(self, module: Module, with_holders: bool) -> None:
        wishes = self._wishes
        command = None if wishes.ignore_commands else module.command("remove")
        if command is None and not wishes.ignore_loaded and not self._is_loaded(module):
            return
        if module.name in self._way or len(self._way) > _DEEPEST:
            self._complain("softdep loop", module)
        self._way.append(module.name)
        before, after = ([], []) if wishes.ignore_commands else self._modules.soft_dependencies(module)
        self._try_to_remove(after)
        if with_holders:
            holders = [self._modules.by_name(name) for name in self._modules.loaded.holders(module.name)]
            for holder in self._removable(holders):
                self._remove(holder, with_holders=False)
        if command is not None:
            self._run(command, module)
        else:
            self._remove_with_dependencies(module)
        self._try_to_remove(before)
        self._way.pop()

    def _is_loaded(self, module: Module) -> bool:
        if module.is_builtin:
            self._complain("built in", module)
        if self._modules.loaded.state(module.name) is not None:
            return True
        if self._wishes.first_time:
            self._complain("not in kernel", module)
        return False

    def _remove_with_dependencies(self, module: Module) -> None:
        wishes, loaded = self._wishes, self._modules.loaded
        if not wishes.ignore_loaded and not wishes.wait and (loaded.reference_count(module.name) or 0) > 0:
            self._complain("in use", module)
        self._unload(module)
        for needed in module.dependencies:
            if loaded.reference_count(needed.name) == 0:
                self._unload(needed)

    def _try_to_remove(self, modules: Sequence[Module]) -> None:
        for module in self._removable(modules):
            with contextlib.suppress(StepError):
                self._remove(module, with_holders=False)

    def _removable(self, modules: Sequence[Module]) -> Iterator[Module]:
        """The modules in the order of their removal: the last first, without those that are built in."""
        return (module for module in reversed(modules) if self._wishes.ignore_loaded or not module.is_builtin)

    def _run(self, command: str, module: Module) -> None:
        whole = command.replace("$CMDLINE_OPTS", "")
        self._announce(Step("remove", whole))
        if self._loader is not None and self._loader.run(whole, module.name) != 0:
            self._modules.report(Complaint("command failed", kind="remove", name=module.name))
            raise StepError(errno.EINVAL)

    def _unload(self, module: Module) -> None:
        self._announce(Step("rmmod", module.name))
        if self._loader is None:
            return
        deadline = time.monotonic() + self._wishes.wait / 1000
        pause = 0.001
        while True:
            try:
                return self._loader.unload(module.name, self._wishes.force)
            except OSError as error:
                left = deadline - time.monotonic()
                if error.errno not in (errno.EAGAIN, errno.EBUSY) or left <= 0:
                    raise self._not_removed(module, error) from None
                time.sleep(min(pause, left))
                pause *= 2

    def _not_removed(self, module: Module, error: OSError) -> StepError:
        kind = "not removed" if self._wishes.wait else "removal"
        self._modules.report(Complaint(kind, name=module.name, reason=os.strerror(error.errno or errno.EIO)))
        return StepError(error.errno or errno.EIO)

    def _complain(self, kind: str, module: Module) -> None:
        self._modules.report(Complaint(kind, name=module.name))
        raise StepError(errno.EBUSY)
