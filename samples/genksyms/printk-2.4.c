// SPDX-License-Identifier: GPL-2.0-or-later
/* The declaration of the 2.4 kernels for i386, whose module objects say printk_R1b7d4074. */
#define asmlinkage __attribute__((regparm(0)))

asmlinkage int printk(const char * fmt, ...)
	__attribute__ ((format (printf, 1, 2)));

EXPORT_SYMBOL(printk);
