// SPDX-License-Identifier: GPL-2.0-or-later
/* Imports a name space; without the import, modpost and the kernel refuse the module. */
#include <linux/printk.h>

#include "vault.h"

static int __init vault_user_init(void)
{
	pr_info("vault_user: the combination is %d\n", vault_combination());
	return 0;
}

static void __exit vault_user_exit(void)
{
}

module_init(vault_user_init);
module_exit(vault_user_exit);
IMPORT_VAULT();
MODULE_DESCRIPTION("Sample: a module that imports a name space");
MODULE_LICENSE("GPL");
