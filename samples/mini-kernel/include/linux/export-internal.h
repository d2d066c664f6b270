/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of the module loader, used only in files that modpost writes.
 *
 * gpl is "" or "_gpl": symbols for GPL modules stand in tables of their own.  The assembler
 * name lets a table name a symbol that is not declared in this file.
 */
#ifndef _LINUX_EXPORT_INTERNAL_H
#define _LINUX_EXPORT_INTERNAL_H

#include <linux/compiler.h>

struct kernel_symbol {
	const void *address;
	const char *name;
	const char *name_space;
};

/* Its own alignment, not a larger one that the compiler prefers: a table has no gaps. */
#define __KSYMTAB(symbol, gpl, ns)                                      \
	extern const char __exported_##symbol[] __asm__(#symbol);       \
	static const struct kernel_symbol __ksymtab_##symbol __used     \
	__aligned(__alignof__(struct kernel_symbol))                    \
	__section("__ksymtab" gpl) = { __exported_##symbol, #symbol, ns }

#define KSYMTAB_FUNC(symbol, gpl, ns) __KSYMTAB(symbol, gpl, ns)
#define KSYMTAB_DATA(symbol, gpl, ns) __KSYMTAB(symbol, gpl, ns)

#define SYMBOL_CRC(symbol, crc, gpl)                                    \
	static const unsigned int __crc_##symbol __used                 \
	__section("__kcrctab" gpl) = crc

#endif
