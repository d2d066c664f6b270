// SPDX-License-Identifier: GPL-2.0-or-later
/* A driver: uses the built-in bus and led_core, and says which devices it serves. */
#include <linux/led.h>
#include <linux/module.h>
#include <linux/usb.h>

static void led_usb_set(struct led *led, unsigned int brightness)
{
}

static struct led lamp = { .name = "lamp", .set = led_usb_set };

static int led_usb_probe(struct usb_interface *interface, const struct usb_device_id *id)
{
	lamp.device = &interface->device;
	return led_register(&lamp);
}

static const struct usb_device_id led_usb_devices[] = {
	{ USB_DEVICE(0x1d6b, 0x0104) },
	{ 0 }
};
MODULE_DEVICE_TABLE(usb, led_usb_devices);

static struct usb_driver led_usb_driver = {
	.name = "led_usb",
	.probe = led_usb_probe,
	.id_table = led_usb_devices,
};

static int led_usb_init(void)
{
	return usb_register(&led_usb_driver);
}
module_init(led_usb_init);

static void led_usb_exit(void)
{
	usb_deregister(&led_usb_driver);
	led_unregister(&lamp);
}
module_exit(led_usb_exit);

MODULE_DESCRIPTION("A lamp on the bus");
MODULE_LICENSE("GPL");
