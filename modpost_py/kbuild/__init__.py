# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules outside the kernel tree: kbuild's small programs, headers packages, and modules built for another kernel.

=======================  ================================================================================
``kbuild-py make``       build external modules with our programs in place of the C ones
``kbuild-py shim``       put launchers of our programs into a headers tree whose own do not run here
``kbuild-py restamp``    give a built module the symbol versions of another kernel
``fixdep-py``            kbuild's fixdep: a compiler's dependencies -> ``.cmd`` files
=======================  ================================================================================
"""
