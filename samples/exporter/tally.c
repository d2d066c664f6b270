// SPDX-License-Identifier: GPL-2.0-or-later
/* Exports four functions; each gets a version, a checksum of its declaration. */
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "tally.h"
#include "tally_inside.h"

struct tally *tally_open(const char *name)
{
	struct tally *tally = kzalloc(sizeof(*tally), GFP_KERNEL);

	if (tally)
		tally->name = name;
	return tally;
}
EXPORT_SYMBOL_GPL(tally_open);

void tally_count(struct tally *tally, unsigned int number)
{
	tally->count++;
	tally->sum += number;
}
EXPORT_SYMBOL_GPL(tally_count);

unsigned long tally_sum(const struct tally *tally)
{
	return tally->sum;
}
EXPORT_SYMBOL_GPL(tally_sum);

void tally_close(struct tally *tally)
{
	pr_info("tally: %s closed, %u numbers\n", tally->name, tally->count);
	kfree(tally);
}
EXPORT_SYMBOL_GPL(tally_close);

MODULE_DESCRIPTION("Sample: a module that exports functions");
MODULE_LICENSE("GPL");
