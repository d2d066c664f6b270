/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a module of 2.4 needs for exports; the rest of that header has no part in versions. */
#ifndef _LINUX_MODULE_H
#define _LINUX_MODULE_H

/*
 * For genksyms EXPORT_SYMBOL(bar) itself is the mark, so it must stay as it is.
 *
 * For the compiler it makes a line of the table of exports: the address, and the name under
 * which others find it.  By then bar may be a macro; the name is what it stands for.
 */
#ifndef __GENKSYMS__

struct module_symbol {
	unsigned long value;
	const char *name;
};

#define __MODULE_STRING_(text) #text
#define __MODULE_STRING(text)  __MODULE_STRING_(text)

#define EXPORT_SYMBOL(symbol) __EXPORT_SYMBOL(symbol, __MODULE_STRING(symbol))
#define __EXPORT_SYMBOL(symbol, string)                                     \
	static const char __kstrtab_##symbol[]                              \
	__attribute__((__used__, section(".kstrtab"))) = string;            \
	static const struct module_symbol __ksymtab_##symbol                \
	__attribute__((__used__, section("__ksymtab"))) = {                 \
		(unsigned long)&symbol, __kstrtab_##symbol                  \
	}

#endif

int init_module(void);
void cleanup_module(void);

#endif
