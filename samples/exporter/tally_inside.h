/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Only tally.c includes this, yet it is part of the versions: genksyms follows
 * every pointer of an exported function that leads to a type known there.
 */
#ifndef TALLY_INSIDE_H
#define TALLY_INSIDE_H

struct tally {
	const char *name;
	unsigned int count;
	unsigned long sum;
};

#endif
