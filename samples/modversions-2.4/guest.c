// SPDX-License-Identifier: GPL-2.0-or-later
/* A module that uses bar: nothing in its source speaks of versions. */
#include <linux/module.h>
#include <linux/bar.h>

static struct glass glass = { .size = 3 };

int init_module(void)
{
	return bar(&glass, "water") != glass.size;
}

void cleanup_module(void)
{
	bar_close();
}
