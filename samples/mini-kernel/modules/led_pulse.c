// SPDX-License-Identifier: GPL-2.0-or-later
/* A user of led_core that never sees a struct led. */
#include <linux/led.h>
#include <linux/module.h>

static int led_pulse_init(void)
{
	return printk("led_pulse: %d LEDs on\n", led_set_all(255));
}
module_init(led_pulse_init);

static void led_pulse_exit(void)
{
	led_set_all(0);
}
module_exit(led_pulse_exit);

MODULE_DESCRIPTION("All LEDs on, all LEDs off");
MODULE_LICENSE("GPL");
