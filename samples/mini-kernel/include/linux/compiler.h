/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What modpost's .mod.c files expect from the compiler. */
#ifndef _LINUX_COMPILER_H
#define _LINUX_COMPILER_H

#define __used       __attribute__((__used__))
#define __visible    __attribute__((__externally_visible__))
#define __section(s) __attribute__((__section__(s)))
#define __aligned(n) __attribute__((__aligned__(n)))

#define __PASTE_(a, b) a##b
#define __PASTE(a, b)  __PASTE_(a, b)

#define NULL ((void *)0)

#endif
