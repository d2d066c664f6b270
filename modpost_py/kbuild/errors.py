# SPDX-License-Identifier: GPL-2.0-or-later
"""The error of the kbuild programs."""

from __future__ import annotations

from modpost_py.errors import ModpostError


class KbuildError(ModpostError):
    """Something that keeps a build, a shim or a restamp from being done; the text says what, and what to do.

    ``exit_status`` is 2, as make's own.
    """

    exit_status = 2
