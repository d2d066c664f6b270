// SPDX-License-Identifier: GPL-2.0-or-later
#include "ring.h"

int ring_put(struct ring *ring, const void *data)
{
	ring->slots[0] = (struct page *)data;
	return ring->state == RING_FULL;
}
EXPORT_SYMBOL(ring_put);
EXPORT_SYMBOL(ring_of);
