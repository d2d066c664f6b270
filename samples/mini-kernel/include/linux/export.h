/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EXPORT_SYMBOL, in its two lives.
 *
 * When the file is preprocessed for genksyms (-D__GENKSYMS__), an export is only a mark that
 * says "print the CRC of this symbol here".  When it is compiled, an export leaves a note in
 * the section .export_symbol: licence, name space, address.  modpost reads the notes and
 * writes the tables that the module loader uses (KSYMTAB_FUNC and SYMBOL_CRC, see
 * export-internal.h); the notes themselves are not needed any more after that.
 */
#ifndef _LINUX_EXPORT_H
#define _LINUX_EXPORT_H

#include <linux/compiler.h>

#ifdef __GENKSYMS__

#define __EXPORT_SYMBOL(symbol, license) __GENKSYMS_EXPORT_SYMBOL(symbol)

#else

#define __EXPORT_SYMBOL(symbol, license)                          \
	static const struct {                                     \
		char licence[sizeof(license)];                    \
		char name_space[1];                               \
		const void *address;                              \
	} __export_symbol_##symbol __used                         \
	  __section(".export_symbol") = { license, "", (const void *)&symbol }

#endif

#define EXPORT_SYMBOL(symbol)     __EXPORT_SYMBOL(symbol, "")
#define EXPORT_SYMBOL_GPL(symbol) __EXPORT_SYMBOL(symbol, "GPL")

#endif
