// SPDX-License-Identifier: GPL-2.0-or-later
/* Exports a function to a name space. */
#include "vault.h"

int vault_combination(void)
{
	return 4711;
}
EXPORT_TO_VAULT(vault_combination);

MODULE_DESCRIPTION("Sample: a module that exports to a name space");
MODULE_LICENSE("GPL");
