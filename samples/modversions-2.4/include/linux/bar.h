/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What bar.c offers. */
#ifndef _LINUX_BAR_H
#define _LINUX_BAR_H

struct glass {
	int size;
	int level;
};

int bar(struct glass *glass, const char *drink);
void bar_close(void);

#endif
