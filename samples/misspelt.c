// SPDX-License-Identifier: GPL-2.0-or-later
/* A module for the miniature kernel that asks for a symbol that nobody exports. */
#include <linux/module.h>

int led_set_al(unsigned int brightness);

static int misspelt_init(void)
{
	return led_set_al(255);
}
module_init(misspelt_init);

MODULE_LICENSE("GPL");
