// SPDX-License-Identifier: GPL-2.0-or-later
/* Built in: what the module loader itself exports. */
#include <linux/module.h>

void module_layout(struct module *module, struct modversion_info *version)
{
}
EXPORT_SYMBOL(module_layout);

int printk(const char *format, ...)
{
	return format != NULL;
}
EXPORT_SYMBOL(printk);
