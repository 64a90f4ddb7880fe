#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make_rootfs.sh DIR: a root file system of Debian's busybox-static and nothing else.
set -euo pipefail
mkdir -p "$1"/{bin,dev,etc,home/app,proc,sys,tmp,root}
cp /bin/busybox "$1/bin/busybox"
for applet in $(/bin/busybox --list); do
  [ -e "$1/bin/$applet" ] || ln -s busybox "$1/bin/$applet"
done
printf 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n' >"$1/etc/passwd"
printf 'root:x:0:\napp:x:1000:\n' >"$1/etc/group"
chmod 1777 "$1/tmp"
[ "$(id -u)" -ne 0 ] || chown 1000:1000 "$1/home/app"
