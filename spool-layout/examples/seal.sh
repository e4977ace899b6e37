#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# seal.sh - append fields and their Trail to a claimed envelope, as a runner in
# sh does it: the sum is "-", lines= alone seals
#
# usage: seal.sh FILE host=H queue=Q exit=E [to=T] [due=TIME] [claim=N] < FIELDS
#
# FIELDS are whole lines "Name: value", escaped already.  A torn tail has been
# cut off before (whoever claims does that).

set -eu
file=$1
shift
fields=$(cat; printf x)		# the x keeps the last LF
fields=${fields%x}
lines=$({ cat "$file"; printf '%s' "$fields"; } |
    awk '{ n++ } tolower($0) ~ /^trail: / { n = 0 } END { print n + 0 }')
# One printf is one write(2): whole, or torn and cut off by the next claim.
printf '%sTrail: %s %s lines=%s crc32=-\n' "$fields" \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" "$lines" >> "$file"
