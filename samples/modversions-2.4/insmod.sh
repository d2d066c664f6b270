#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: insmod.sh MODULE.o EXPORTER.o...
#
# What insmod of 2.4 did about versions: look up the names that a module leaves undefined in the
# exporters' tables (which the kernel gave it), as texts.  A name with another version is another
# name.  Nothing is loaded here; exit status 1 if a symbol stays unresolved.

module=$1
shift

exported=$(for exporter; do
	objcopy -O binary --only-section=.kstrtab "$exporter" /dev/stdout | tr -s '\0' '\n'
done)

status=0
for symbol in $(nm --undefined-only "$module" | sed 's/^ *U //'); do
	if echo "$exported" | grep -qx "$symbol"; then
		echo "$module: $symbol found"
		continue
	fi
	status=1
	echo "$module: unresolved symbol $symbol"
	other=$(echo "$exported" | grep "^${symbol%_R*}_R")
	test -z "$other" || echo "$module:   there is $other, of another version"
done
exit $status
