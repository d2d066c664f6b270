// SPDX-License-Identifier: GPL-2.0-or-later
/* Uses the functions of tally.ko, from the same directory. */
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/printk.h>

#include "tally.h"

static int __init tally_demo_init(void)
{
	struct tally *tally = tally_open("demo");
	unsigned int number;

	if (!tally)
		return -ENOMEM;
	for (number = 1; number <= 10; number++)
		tally_count(tally, number);
	pr_info("tally_demo: 1 + 2 + ... + 10 = %lu\n", tally_sum(tally));
	tally_close(tally);
	return 0;
}

static void __exit tally_demo_exit(void)
{
	pr_info("tally_demo: unloaded\n");
}

module_init(tally_demo_init);
module_exit(tally_demo_exit);
MODULE_DESCRIPTION("Sample: a module that uses another one's exports");
MODULE_LICENSE("GPL");
