// SPDX-License-Identifier: GPL-2.0-or-later
/* Uses tally.ko with a wrong version of tally_count(): the kernel must not load it. */
#include <linux/errno.h>
#include <linux/module.h>

#include "tally.h"

static int __init stale_init(void)
{
	struct tally *tally = tally_open("stale");

	if (!tally)
		return -ENOMEM;
	tally_count(tally, 1);
	tally_close(tally);
	return 0;
}

static void __exit stale_exit(void)
{
}

module_init(stale_init);
module_exit(stale_exit);
MODULE_DESCRIPTION("Sample: a module with a symbol version that does not fit");
MODULE_LICENSE("GPL");
