# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``modprobe-py``: kmod's modprobe; without ``-n`` and the query options it acts on the running kernel.

Exit status: 0, or 1 where a module is not found, is refused, or the command line is wrong; 130 after ^C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from genksyms_py.gnu_getopt import OptionError
from modpost_py.errors import FileError
from modpost_py.kmod.configuration import Configuration
from modpost_py.kmod.configuration_files import DIRECTORIES
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.lookup import INDEXES, EscapingPathError, ModulesDirectory
from modpost_py.kmod.modprobe_messages import CONFIGURATION, VERDICT, Complaint, message_line
from modpost_py.kmod.modprobe_options import (
    CRITICAL,
    ERROR,
    HELP,
    WARNING,
    Choice,
    WaitError,
    environment_arguments,
    parsed,
    wait_milliseconds,
)
from modpost_py.kmod.standard_streams import end_of_pipe, write_all

if TYPE_CHECKING:
    from modpost_py.kmod.loading import Loader
    from modpost_py.kmod.modprobe import Step, Wishes
    from modpost_py.kmod.modprobe_modules import Modules


def main(
    arguments: Sequence[str] | None = None,
    loader: Loader | None = None,
    write: Callable[[int, str], None] | None = None,
) -> int:
    """Run the command; returns its exit status.

    ``loader`` acts on the kernel in place of the system calls; ``write`` takes texts for the descriptors 1 and 2.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = _Output(write or _write)
    try:
        try:
            choice = parsed(environment_arguments(os.environ) + words)
        except OptionError as error:
            output.error(f"{sys.argv[0]}: {error}\n")
            return 1
        try:
            status = _Command(choice, output, loader).run()
        except _FatalError:
            status = 1
        output.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return end_of_pipe()
    except OSError as error:  # stdout takes nothing: a full disk
        output.error(f"{_program()}: ERROR: stdout: {error.strerror}\n")
        return 1


class _Command:
    """One run."""

    def __init__(self, choice: Choice, output: _Output, loader: Loader | None) -> None:
        self._choice = choice
        self._output = output
        self._loader = loader

    def run(self) -> int:
        choice = self._choice
        if choice.shown:
            self._output.add(_shown(choice.shown))
            return 0
        try:
            self._wait = wait_milliseconds(choice.wait)
        except WaitError:
            return self._fail_early(Complaint("wait", text=choice.wait))
        if not choice.arguments and not choice.show_config:
            return self._fail_early(Complaint("usage"))
        try:
            return self._run()
        except (EscapingPathError, FileError) as error:
            return self._fail(Complaint("damage", text=str(error)))

    def _run(self) -> int:
        choice = self._choice
        configuration = self._read_configuration()
        damage = _IndexDamage(self._report)
        directory = ModulesDirectory(_directory_path(choice), damage)
        damage.open_all(directory)
        if choice.show_config:
            return self._show_configuration(configuration, directory)
        if choice.show_modversions:
            return self._show_symbols("versions")
        if choice.show_exports:
            return self._show_symbols("exports")
        return self._act(configuration, directory)

    def _read_configuration(self) -> Configuration:
        choice = self._choice
        root = choice.system_root.rstrip("/")
        places = choice.places or [f"{root}{place}" for place in DIRECTORIES]
        try:
            with open(f"{root}/proc/cmdline", "rb") as stream:
                command_line = stream.read(1 << 16)
        except OSError:
            command_line = b""
        configuration = Configuration.read(places, command_line, _directory_path(choice))
        for problem in configuration.problems:
            self._report(Complaint(problem.kind, path=problem.path, line=problem.line, text=problem.text))
        return configuration

    def _show_configuration(self, configuration: Configuration, directory: ModulesDirectory) -> int:
        from modpost_py.kmod.modprobe_showconfig import configuration_lines, index_lines

        self._output.add("".join(configuration_lines(configuration)))
        self._output.add("\n# End of configuration files. Dumping indexes now:\n\n")
        self._output.add("".join(index_lines(directory)))
        return 0

    def _show_symbols(self, kind: str) -> int:
        from modpost_py.kmod.modprobe_symbols import SymbolsError, symbol_lines

        path = self._choice.arguments[0]
        if not os.path.exists(path):
            return self._fail(Complaint("not found", name=path))
        try:
            self._output.add(symbol_lines(path, kind))
        except SymbolsError as error:
            return self._fail(Complaint(kind, path=path, reason=str(error)))
        return 0

    # ---- inserting and removing

    def _act(self, configuration: Configuration, directory: ModulesDirectory) -> int:
        from modpost_py.kmod.loaded_modules import LoadedModules
        from modpost_py.kmod.modprobe_modules import Modules

        choice = self._choice
        loaded = LoadedModules(choice.system_root, self._report)
        modules = Modules(directory, configuration, loaded, self._report)
        if choice.remove:
            return self._remove(modules)
        if choice.resolve_alias:
            return self._resolve(modules)
        return self._insert(modules)

    def _resolve(self, modules: Modules) -> int:
        choice = self._choice
        status = 0
        for text in choice.arguments if choice.all else choice.arguments[:1]:
            found = modules.lookup(text)
            self._output.add("".join(f"{module.name}\n" for module in found))
            if not found:
                status = self._fail(Complaint("not found in", name=text, directory=modules.directory.path))
        return status

    def _insert(self, modules: Modules) -> int:
        from modpost_py.kmod.modprobe import Insertion, parameters_text

        choice = self._choice
        announce = self._announce if choice.says_steps else None
        insertion = Insertion(modules, self._chosen_loader(), self._wishes(), announce)
        if not choice.all:
            name, *parameters = choice.arguments
            return 0 if insertion.insert(name, parameters_text(parameters)) else 1
        succeeded = [insertion.insert(name) for name in choice.arguments]
        return 0 if all(succeeded) else 1

    def _remove(self, modules: Modules) -> int:
        from modpost_py.kmod.modprobe_removal import Removal

        removal = Removal(modules, self._chosen_loader(), self._wishes(), self._announce)
        status = 0
        for name in self._choice.arguments:
            if not removal.remove(name):
                status = 1
        return status

    def _chosen_loader(self) -> Loader | None:
        choice = self._choice
        if choice.dry_run or choice.show_depends:
            return None
        if self._loader is None:
            from modpost_py.kmod.loading import KernelLoader

            options = [os.environ[name] for name in ("MODPROBE_OPTIONS",) if os.environ.get(name)]
            self._loader = KernelLoader(" ".join(options + choice.passed_on))
        return self._loader

    def _wishes(self) -> Wishes:
        from modpost_py.kmod.loading import IGNORE_MODVERSIONS, IGNORE_VERMAGIC
        from modpost_py.kmod.modprobe import Wishes

        choice = self._choice
        flags = IGNORE_MODVERSIONS * choice.force_modversion + IGNORE_VERMAGIC * choice.force_vermagic
        return Wishes(
            use_blacklist=choice.use_blacklist,
            ignore_commands=choice.ignore_commands,
            ignore_loaded=choice.show_depends,
            first_time=choice.first_time,
            flags=flags,
            force=choice.force,
            remove_holders=choice.remove_holders,
            wait=self._wait,
        )

    # ---- telling

    def _announce(self, step: Step) -> None:
        if not self._choice.says_steps:
            return
        options = f" {step.options}" if step.kind in ("insmod", "install") else ""
        self._output.add(f"{step.kind} {step.text}{options}\n")
        if not (self._choice.dry_run or self._choice.show_depends):
            self._output.flush()  # before a command's own output, and before the kernel may hang

    def _fail_early(self, complaint: Complaint) -> int:
        """Fail before -q and -s count."""
        self._output.error(message_line(complaint, _program()))
        return 1

    def _fail(self, complaint: Complaint) -> int:
        self._report(complaint)
        return 1

    def _report(self, complaint: Complaint) -> None:
        """Print a message unless -q forbids it; the library's voice comes before any option is read."""
        choice = self._choice
        voice = complaint.message.voice
        line = message_line(complaint, _program(), goes_on=choice.all)
        if voice == CONFIGURATION:
            self._output.error(line)
            return
        level = ERROR if voice != VERDICT else WARNING if choice.all else CRITICAL
        if level > choice.verbosity:
            return
        if choice.syslog:
            import syslog

            syslog.openlog(_program(), syslog.LOG_CONS, syslog.LOG_DAEMON)
            syslog.syslog(level, line.rstrip("\n").partition(": ")[2])
        else:
            self._output.error(line)
        if level == CRITICAL:
            raise _FatalError


class _FatalError(Exception):
    """kmod exits where it has printed a fatal message; with -q it goes on."""


class _IndexDamage:
    """Reports damage of an index, once; one that cannot be opened is one that does not exist.

    kmod opens all of them first, in a certain order, and only tells what is wrong with the first bytes of the first.
    """

    def __init__(self, report: Callable[[Complaint], None]) -> None:
        self._report = report
        self._told: set[str] = set()

    def open_all(self, directory: ModulesDirectory) -> None:
        """Open the indexes in kmod's order."""
        for name in INDEXES:
            complaint = _header_complaint(f"{directory.path}/{name}")
            if complaint is not None:
                self._report(complaint)
                break
        for name in INDEXES:
            directory.index(name)

    def __call__(self, error: KmodError | FileError) -> None:
        text = str(error)
        if isinstance(error, FileError) or text in self._told or _header_complaint(text.partition(": ")[0]):
            return
        self._told.add(text)
        self._report(Complaint("damage", text=text))


def _header_complaint(path: str) -> Complaint | None:
    """kmod's words for what is wrong with the first bytes of an index: the magic number, or the version."""
    try:
        with open(path, "rb") as stream:
            start = stream.read(12)
    except OSError:
        return None
    if len(start) < 12:
        return None
    if start[:4] != b"\xb0\x07\xf4\x57":
        return Complaint("magic", found=int.from_bytes(start[:4], "big"))
    if start[4:6] != b"\0\2":
        return Complaint("major version", found=int.from_bytes(start[4:6], "big"))
    return None


class _Output:
    """stdout, all at once at the end or before something happens; and stderr, at once."""

    def __init__(self, write: Callable[[int, str], None]) -> None:
        self._write = write
        self._parts: list[str] = []

    def add(self, text: str) -> None:
        self._parts.append(text)

    def flush(self) -> None:
        text = "".join(self._parts)
        self._parts.clear()
        if text:
            self._write(1, text)

    def error(self, text: str) -> None:
        """A stderr that takes nothing is no reason to stop."""
        try:
            self._write(2, text)
        except OSError:
            return


def _write(descriptor: int, text: str) -> None:
    write_all(descriptor, text.encode("utf-8", "surrogateescape"))


def _directory_path(choice: Choice) -> str:
    """The modules directory: ``DIRNAME/lib/modules/RELEASE``, absolute."""
    path = f"{choice.dirname or ''}/lib/modules/{choice.release or os.uname().release}"
    return path if path.startswith("/") else f"{os.getcwd()}/{path}"


def _program() -> str:
    return os.path.basename(sys.argv[0]) or "modprobe-py"


def _shown(letter: str) -> str:
    if letter == "h":
        return HELP.format(program=_program())
    from modpost_py import __version__

    return f"kmod version 30 (modprobe-py {__version__})\n+ZSTD +XZ +ZLIB +LIBCRYPTO -EXPERIMENTAL\n"


if __name__ == "__main__":
    sys.exit(main())
