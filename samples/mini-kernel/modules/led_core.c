// SPDX-License-Identifier: GPL-2.0-or-later
/* A module that exports: the list of all LEDs. */
#include <linux/led.h>
#include <linux/module.h>

static struct led *leds;

int led_register(struct led *led)
{
	led->next = leds;
	leds = led;
	return printk("led: %s on %s\n", led->name, device_name(led->device));
}
EXPORT_SYMBOL_GPL(led_register);

void led_unregister(struct led *led)
{
	struct led **place;

	for (place = &leds; *place; place = &(*place)->next) {
		if (*place == led) {
			*place = led->next;
			return;
		}
	}
}
EXPORT_SYMBOL_GPL(led_unregister);

int led_set_all(unsigned int brightness)
{
	struct led *led;
	int count = 0;

	for (led = leds; led; led = led->next) {
		led->set(led, brightness);
		count++;
	}
	return count;
}
EXPORT_SYMBOL(led_set_all);

MODULE_DESCRIPTION("The list of all LEDs");
MODULE_LICENSE("GPL");
