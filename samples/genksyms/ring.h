/* SPDX-License-Identifier: GPL-2.0-or-later */
#define EXPORT_SYMBOL(symbol) __GENKSYMS_EXPORT_SYMBOL(symbol)

enum ring_state { RING_EMPTY, RING_FULL = 4 };

typedef unsigned int u32;

struct ring {
	u32 head, tail;
	enum ring_state state;
	struct page *slots[RING_FULL];
};

int ring_put(struct ring *ring, const void *data);
struct ring *ring_of(struct page *page);
