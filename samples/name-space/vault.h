/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The name space VAULT: only modules that import it may use its symbols. */
#ifndef VAULT_H
#define VAULT_H

#include <linux/module.h>
#include <linux/version.h>

/* Names of name spaces are strings since 6.13. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define EXPORT_TO_VAULT(symbol)	EXPORT_SYMBOL_NS_GPL(symbol, "VAULT")
#define IMPORT_VAULT()		MODULE_IMPORT_NS("VAULT")
#else
#define EXPORT_TO_VAULT(symbol)	EXPORT_SYMBOL_NS_GPL(symbol, VAULT)
#define IMPORT_VAULT()		MODULE_IMPORT_NS(VAULT)
#endif

int vault_combination(void);

#endif
