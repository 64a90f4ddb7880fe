#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# work_tree.sh ROOTFS: ROOTFS/work, the tree that the applets are tried on: what Debian's packages in
# ROOTFS have under /usr/share, a thousand small files, a deep path, and whatever a tree can hold
# that is odd. The same each time, times included; rewritten at each call.
set -euo pipefail
rootfs=$1 work=$1/work
rm -rf "$work"
mkdir -p "$work"/{share,many,odd,deep}
for part in zoneinfo perl doc base-files misc; do
  [ ! -d "$rootfs/usr/share/$part" ] || cp -a "$rootfs/usr/share/$part" "$work/share/"
done
for ((i = 1; i <= 1000; i++)); do
  printf "line $i %s\n" 1 2 3 >"$work/many/$i"
done
(cd "$work/deep" && for ((i = 0; i < 60; i++)); do mkdir d && cd d; done && echo bottom >file)

cd "$work/odd"
seq 10000 >big
seq 9999 >big2
for ((i = 0; i < 400; i++)); do echo "key$((i * 7 % 31)) $((i * 37 % 101)) text  with   spaces"; done >table
printf 'a,1,z\nb,2,y\nc,3,x\n' >csv
printf 'a\tb\tc\n\td        e\n' >tabs
gzip -9nc big >binary
echo one >hard1
ln hard1 hard2
ln -s big link
ln -s nowhere dangling
ln -s loop2 loop1
ln -s loop1 loop2
ln -s ../many dirlink
mkfifo fifo
mkdir -m 1777 sticky
mkdir -m 2755 setgid
mkdir empty
mkdir -m 700 private
echo s >setuid && chmod 4755 setuid
echo hidden >secret && chmod 600 secret
echo old >old
truncate -s 1M sparse && printf end >>sparse
: >'with space'
: >$'new\nline'
: >$'\xff\xfe'
: >-dash
: >'*'
: >"$(printf 'l%.0s' {1..255})"
echo foreign >foreign
[ "$(id -u)" -ne 0 ] || chown 1000:1000 foreign
cd "$work"
find . -path ./share/\* -prune -o -exec touch -h -d @1500000000 {} +
touch -d @900000000 odd/old
