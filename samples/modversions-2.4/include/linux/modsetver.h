/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a version gets into a name.  A .ver file says of each exported symbol
 *
 *	#define __ver_bar	1b7d4074
 *	#define bar	_set_ver(bar)
 *
 * so that the preprocessor turns bar into bar_R1b7d4074, wherever it stands: in a declaration,
 * a definition, a call.  (Inside its own expansion bar is not expanded again.)
 */
#ifndef _LINUX_MODSETVER_H
#define _LINUX_MODSETVER_H

#define _set_ver(symbol)               __versioned(symbol, __ver_##symbol)
#define __versioned(symbol, version)   __joined(symbol, version)
#define __joined(symbol, version)      symbol##_R##version

#endif
