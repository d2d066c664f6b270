# SPDX-License-Identifier: GPL-2.0-or-later
"""modpost in Python: the kernel's module post-processing, byte-identical, for any target on any host."""
