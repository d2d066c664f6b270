/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef _LINUX_USB_H
#define _LINUX_USB_H

#include <linux/device.h>
#include <linux/mod_devicetable.h>

struct usb_interface {
	struct device device;
	unsigned char number;
};

struct usb_driver {
	const char *name;
	int (*probe)(struct usb_interface *interface, const struct usb_device_id *id);
	const struct usb_device_id *id_table;
};

int usb_register(struct usb_driver *driver);
void usb_deregister(struct usb_driver *driver);

#endif
