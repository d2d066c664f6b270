# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m modpost_py``."""

import sys

from modpost_py.cli import main

sys.exit(main())
