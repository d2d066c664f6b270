/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _LINUX_PRINTK_H
#define _LINUX_PRINTK_H

int printk(const char *format, ...) __attribute__((__format__(printf, 1, 2)));

#endif
