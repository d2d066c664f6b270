// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fails to build: a module under another licence must not use what the kernel
 * exports to GPL modules only (EXPORT_SYMBOL_GPL), here debugfs_create_dir().
 */
#include <linux/debugfs.h>
#include <linux/module.h>

static struct dentry *directory;

static int __init greedy_init(void)
{
	directory = debugfs_create_dir("greedy", NULL);
	return 0;
}

static void __exit greedy_exit(void)
{
}

module_init(greedy_init);
module_exit(greedy_exit);
MODULE_DESCRIPTION("Sample: a module that uses more than its licence allows");
MODULE_LICENSE("Proprietary");
