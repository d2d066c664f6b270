/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _LINUX_LED_H
#define _LINUX_LED_H

#include <linux/device.h>

struct led {
	const char *name;
	struct device *device;
	void (*set)(struct led *led, unsigned int brightness);
	struct led *next;
};

int led_register(struct led *led);
void led_unregister(struct led *led);
int led_set_all(unsigned int brightness);

#endif
