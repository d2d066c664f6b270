// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A driver with device tables.  modpost turns each entry into an alias of the
 * module ("modinfo lamp.ko"), by which the device, once it appears, finds its
 * driver.  Here the module brings a device along, to have something to drive.
 */
#include <linux/err.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/platform_device.h>

static const struct platform_device_id lamp_ids[] = {
	{ .name = "lamp-small", .driver_data = 1 },
	{ .name = "lamp-large", .driver_data = 8 },
	{ }
};
MODULE_DEVICE_TABLE(platform, lamp_ids);

static const struct of_device_id lamp_of_ids[] = {
	{ .compatible = "sample,lamp" },
	{ }
};
MODULE_DEVICE_TABLE(of, lamp_of_ids);

static int lamp_probe(struct platform_device *device)
{
	const struct platform_device_id *id = platform_get_device_id(device);

	dev_info(&device->dev, "%lu bulbs\n", id ? (unsigned long)id->driver_data : 0UL);
	return 0;
}

static struct platform_driver lamp_driver = {
	.probe = lamp_probe,
	.id_table = lamp_ids,
	.driver = {
		.name = "lamp",
		.of_match_table = lamp_of_ids,
	},
};

static struct platform_device *lamp;

static int __init lamp_init(void)
{
	int error = platform_driver_register(&lamp_driver);

	if (error)
		return error;
	lamp = platform_device_register_simple("lamp-large", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(lamp)) {
		platform_driver_unregister(&lamp_driver);
		return PTR_ERR(lamp);
	}
	return 0;
}

static void __exit lamp_exit(void)
{
	platform_device_unregister(lamp);
	platform_driver_unregister(&lamp_driver);
}

module_init(lamp_init);
module_exit(lamp_exit);
MODULE_DESCRIPTION("Sample: a driver with device tables");
MODULE_LICENSE("GPL");
