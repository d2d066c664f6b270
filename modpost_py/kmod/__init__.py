# SPDX-License-Identifier: GPL-2.0-or-later
"""What surrounds a built module: its metadata, the databases of ``/lib/modules``, and whether a kernel would load it.

===============  ==================================================================================
``modinfo-py``   what a module says of itself
``depmod-py``    the databases of a modules directory
``modprobe-py``  which modules a name or alias means, in which order they load
``modcheck-py``  whether a kernel would load a module, and every reason why not
``symvers-py``   a Module.symvers made anew from a kernel image and its modules
===============  ==================================================================================

Paths and texts are ``str`` decoded as UTF-8 with ``surrogateescape``, as Python does with file names.
"""
