// SPDX-License-Identifier: GPL-2.0-or-later
/* The exporting module. */
#include <linux/module.h>
#include <linux/bar.h>

int bar(struct glass *glass, const char *drink)
{
	glass->level = drink ? glass->size : 0;
	return glass->level;
}
EXPORT_SYMBOL(bar);

void bar_close(void)
{
}
EXPORT_SYMBOL(bar_close);

int init_module(void)
{
	return 0;
}

void cleanup_module(void)
{
}
