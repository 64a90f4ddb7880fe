#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The guest kernel has no mutable static state outside the few objects that guest_statics.allow
# names: state that is not per CPU, not behind a named lock and not atomic is a race between CPUs.
#   guest_statics.sh BUILD_DIR
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
objects=$(find "$1/guest/kernel" -path '*runhl_guest_kernel*.dir*' -name '*.o' ! -path '*hosted*' 2>/dev/null)
if [ -z "$objects" ]; then
  echo "no guest kernel objects in $1"
  exit 0
fi
allowed=$(sed -e 's/#.*//' -e 's/ *$//' -e '/^$/d' "$here/guest_statics.allow" | paste -sd'|')
# b, d: zeroed and initialised data. Constants with relocations (.data.rel.ro) are not mutable.
found=$(for object in $objects; do
  objdump -Ct "$object" | awk -v o="${object##*/}" \
    '$0 ~ / O \.(data|bss)/ && $0 !~ /\.data\.rel\.ro/ {sub(/^.*\t[0-9a-f]+ +(\.hidden )?/, ""); print $0 "\t(" o ")"}'
done | grep -vE "^(${allowed:-^})	" | sort -u)
[ -z "$found" ] && exit 0
echo "mutable statics in guest/kernel that guest_statics.allow does not name:"
echo "$found"
exit 1
