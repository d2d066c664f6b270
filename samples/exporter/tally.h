/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tallies: numbers are counted, and summed up.  What a tally is inside stays with tally.c. */
#ifndef TALLY_H
#define TALLY_H

struct tally;

struct tally *tally_open(const char *name);
void tally_count(struct tally *tally, unsigned int number);
unsigned long tally_sum(const struct tally *tally);
void tally_close(struct tally *tally);

#endif
