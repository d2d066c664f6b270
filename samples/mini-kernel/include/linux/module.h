/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a loadable module is, as far as symbol versions need it. */
#ifndef _LINUX_MODULE_H
#define _LINUX_MODULE_H

#include <linux/compiler.h>
#include <linux/export.h>
#include <linux/mod_devicetable.h>
#include <linux/printk.h>

#define MODULE_NAME_LEN (64 - sizeof(unsigned long))

/* One line of a module's section __versions: "I was built against this CRC of that symbol". */
struct modversion_info {
	unsigned long crc;
	char name[MODULE_NAME_LEN];
};

struct mod_arch_specific {
	int unused;
};
#define MODULE_ARCH_INIT { 0 }

struct module {
	char name[MODULE_NAME_LEN];
	int (*init)(void);
	void (*exit)(void);
	struct mod_arch_specific arch;
};

/* Its CRC covers the types of the module loader; every module carries it. */
void module_layout(struct module *module, struct modversion_info *version);

extern struct module __this_module;
#define THIS_MODULE (&__this_module)

int init_module(void);
void cleanup_module(void);
#define module_init(function) int init_module(void) __attribute__((__alias__(#function)))
#define module_exit(function) void cleanup_module(void) __attribute__((__alias__(#function)))

/* "tag=info" in the section .modinfo, where modinfo(8) and the loader find it. */
#define MODULE_INFO(tag, info)                                          \
	static const char __PASTE(__modinfo_##tag, __COUNTER__)[]       \
	__used __section(".modinfo") = #tag "=" info

#define MODULE_LICENSE(text)     MODULE_INFO(license, text)
#define MODULE_DESCRIPTION(text) MODULE_INFO(description, text)
#define MODULE_ALIAS(text)       MODULE_INFO(alias, text)

/* A second name for the table, by which modpost finds it and knows its kind. */
#define MODULE_DEVICE_TABLE(type, name)                                 \
	extern __typeof__(name) __mod_##type##__##name##_device_table   \
	__attribute__((__unused__, __alias__(#name)))

#define CONFIG_MODULE_UNLOAD 1

#endif
