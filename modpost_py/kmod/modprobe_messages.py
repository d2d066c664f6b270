# SPDX-License-Identifier: GPL-2.0-or-later
"""What modprobe says when something is wrong: kmod 30's messages, by what they are about.

kmod has two voices.  The program says whether it failed (``FATAL``; ``WARNING`` where ``-a`` goes on), or why
(``ERROR``).  The library says why, with the place in its source, which is part of the text here since scripts compare
it.  While the configuration is read the library has a voice of its own::

    modprobe: FATAL: Module foo not found.
    modprobe: ERROR: ../libkmod/libkmod-index.c:790 index_mm_open() magic check fail: ...
    libkmod: ERROR ../libkmod/libkmod-config.c:712 kmod_config_parse: ...
"""

from __future__ import annotations

from typing import NamedTuple

# Whether the command fails by it, or something of it; a message of the library; one of reading the configuration.
VERDICT, ERROR, LIBRARY, CONFIGURATION = "verdict", "error", "library", "configuration"


class Message(NamedTuple):
    """The form of a message; ``place`` is the file, line and function in kmod's library."""

    voice: str
    text: str
    place: tuple[str, str] = ("", "")


class Complaint:
    """One occurrence of a message of :data:`MESSAGES`; ``values`` fill its form."""

    __slots__ = ("kind", "values")

    def __init__(self, kind: str, /, **values: object) -> None:
        self.kind = kind
        self.values = values

    @property
    def message(self) -> Message:
        """The form of this message."""
        return MESSAGES[self.kind]

    def __str__(self) -> str:
        """The text without who says it."""
        return self.message.text.format_map(self.values)


_INDEX = "libkmod-index.c"
_MODULE = "libkmod-module.c"
_CONFIG = "libkmod-config.c"

MESSAGES: dict[str, Message] = {
    # ---- the command
    "usage": Message(ERROR, "missing parameters. See -h."),
    "wait": Message(ERROR, "unexpected wait value '{text}'."),
    "not found in": Message(VERDICT, "Module {name} not found in directory {directory}"),
    "not found": Message(VERDICT, "Module {name} not found."),
    "built in": Message(VERDICT, "Module {name} is builtin."),
    "not in kernel": Message(VERDICT, "Module {name} is not in kernel."),
    "in use": Message(VERDICT, "Module {name} is in use."),
    "command failed": Message(VERDICT, "Error running {kind} command for {name}"),
    "versions": Message(VERDICT, "could not get modversions of {path}: {reason}"),
    "exports": Message(VERDICT, "could not get symbols of {path}: {reason}"),
    "not inserted": Message(ERROR, "could not insert '{name}': {reason}"),
    "not removed": Message(ERROR, "could not remove '{name}': {reason}"),
    # ---- the library
    "magic": Message(LIBRARY, "magic check fail: {found:x} instead of b007f457", (f"{_INDEX}:790", "index_mm_open")),
    "major version": Message(
        LIBRARY, "major version check fail: {found} instead of 2", (f"{_INDEX}:797", "index_mm_open")
    ),
    "dependency": Message(
        LIBRARY, "path={path} error={reason}", (f"{_MODULE}:191", "kmod_module_parse_depline")
    ),  # kmod has "ctx=ADDRESS " before it
    "no path": Message(
        LIBRARY, "could not find module by name='{name}'", (f"{_MODULE}:895", "kmod_module_insert_module")
    ),
    "removal": Message(LIBRARY, "could not remove '{name}': {reason}", (f"{_MODULE}:856", "kmod_module_remove_module")),
    "install command": Message(
        LIBRARY,
        "Error running {kind} command '{command}' for module {name}: retcode {status}",
        (f"{_MODULE}:1047", "command_do"),
    ),
    "unknown state": Message(LIBRARY, "unknown {path}: '{text}'", (f"{_MODULE}:1847", "kmod_module_get_initstate")),
    "no number": Message(
        LIBRARY, "could not read integer from '{path}': '{text}'", (f"{_MODULE}:1967", "kmod_module_get_refcnt")
    ),
    "no holders": Message(LIBRARY, "could not open '{path}': {reason}", (f"{_MODULE}:1998", "kmod_module_get_holders")),
    "soft dependency": Message(
        LIBRARY,
        "failed to lookup soft dependency '{name}', continuing anyway.",
        (f"{_MODULE}:1567", "lookup_softdep"),
    ),
    # ---- reading the configuration
    "line": Message(
        CONFIGURATION,
        "{path} line {line}: ignoring bad line starting with '{text}'",
        (f"{_CONFIG}:712", "kmod_config_parse"),
    ),
    "deprecated": Message(
        CONFIGURATION,
        "{path}: command {text} is deprecated and not parsed anymore",
        (f"{_CONFIG}:708", "kmod_config_parse"),
    ),
    "nested": Message(
        CONFIGURATION,
        "Directories inside directories are not supported: {path}",
        (f"{_CONFIG}:772", "conf_files_filter_out"),
    ),
    "directory": Message(CONFIGURATION, "opendir({path}): {text}", (f"{_CONFIG}:868", "conf_files_list")),
    "command line": Message(
        CONFIGURATION,
        "Ignoring bad option on kernel command line while parsing module name: '{text}'",
        (f"{_CONFIG}:489", "kcmdline_parse_result"),
    ),
    # ---- what kmod has no words for
    "damage": Message(ERROR, "{text}"),
    "softdep loop": Message(ERROR, "soft dependencies of '{name}' lead back to it; they are not followed again"),
}


def message_line(complaint: Complaint, program: str, goes_on: bool = False) -> str:
    """The line for a complaint, with its newline; ``goes_on`` is whether a verdict only concerns one of several."""
    message = complaint.message
    file, function = message.place
    if message.voice == CONFIGURATION:
        return f"libkmod: ERROR ../libkmod/{file} {function}: {complaint}\n"
    if message.voice == LIBRARY:
        return f"{program}: ERROR: ../libkmod/{file} {function}() {complaint}\n"
    level = "ERROR" if message.voice == ERROR else "WARNING" if goes_on else "FATAL"
    return f"{program}: {level}: {complaint}\n"
