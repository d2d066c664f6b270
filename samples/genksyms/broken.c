// SPDX-License-Identifier: GPL-2.0-or-later
#include "ring.h"

_Atomic int ring_count;
EXPORT_SYMBOL(ring_count);

EXPORT_SYMBOL(ring_take);
EXPORT_SYMBOL(ring_put);
