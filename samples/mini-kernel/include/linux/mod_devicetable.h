/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device tables that modpost turns into module aliases; their layout is fixed. */
#ifndef _LINUX_MOD_DEVICETABLE_H
#define _LINUX_MOD_DEVICETABLE_H

#define USB_DEVICE_ID_MATCH_VENDOR  0x0001
#define USB_DEVICE_ID_MATCH_PRODUCT 0x0002

struct usb_device_id {
	unsigned short match_flags;
	unsigned short idVendor;
	unsigned short idProduct;
	unsigned short bcdDevice_lo;
	unsigned short bcdDevice_hi;
	unsigned char bDeviceClass;
	unsigned char bDeviceSubClass;
	unsigned char bDeviceProtocol;
	unsigned char bInterfaceClass;
	unsigned char bInterfaceSubClass;
	unsigned char bInterfaceProtocol;
	unsigned char bInterfaceNumber;
	unsigned long driver_info __attribute__((__aligned__(sizeof(unsigned long))));
};

#define USB_DEVICE(vendor, product)                                                  \
	.match_flags = USB_DEVICE_ID_MATCH_VENDOR | USB_DEVICE_ID_MATCH_PRODUCT,     \
	.idVendor = vendor, .idProduct = product

#endif
