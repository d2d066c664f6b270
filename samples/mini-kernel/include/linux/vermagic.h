/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A module is also refused when this text differs; it says nothing about single symbols. */
#ifndef _LINUX_VERMAGIC_H
#define _LINUX_VERMAGIC_H

#define VERMAGIC_STRING UTS_RELEASE " mod_unload modversions "

#endif
