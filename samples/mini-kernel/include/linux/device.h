/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _LINUX_DEVICE_H
#define _LINUX_DEVICE_H

struct device {
	const char *name;
	int id;
	struct device *parent;
};

const char *device_name(const struct device *device);

#endif
