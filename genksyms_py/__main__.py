# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m genksyms_py``: the command from a bare checkout."""

from genksyms_py.cli import main

main()
