// SPDX-License-Identifier: GPL-2.0-or-later
/* Uses the functions of tally.ko, which is built in a directory of its own. */
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/printk.h>

#include "tally.h"

static struct tally *loads;

static int __init tally_report_init(void)
{
	loads = tally_open("report");
	if (!loads)
		return -ENOMEM;
	tally_count(loads, 42);
	pr_info("tally_report: the sum is %lu\n", tally_sum(loads));
	return 0;
}

static void __exit tally_report_exit(void)
{
	tally_close(loads);
}

module_init(tally_report_init);
module_exit(tally_report_exit);
MODULE_DESCRIPTION("Sample: a module that uses exports of another directory's module");
MODULE_LICENSE("GPL");
