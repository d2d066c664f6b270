// SPDX-License-Identifier: GPL-2.0-or-later
/* Built in: devices, and the bus that drivers register with. */
#include <linux/export.h>
#include <linux/usb.h>

static struct usb_driver *registered;

const char *device_name(const struct device *device)
{
	return device->name;
}
EXPORT_SYMBOL(device_name);

int usb_register(struct usb_driver *driver)
{
	registered = driver;
	return 0;
}
EXPORT_SYMBOL_GPL(usb_register);

void usb_deregister(struct usb_driver *driver)
{
	if (registered == driver)
		registered = NULL;
}
EXPORT_SYMBOL_GPL(usb_deregister);
