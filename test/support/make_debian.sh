#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make_debian.sh DIR: the Debian 12 root file system that test/full/userland.sh and fast_path.sh run:
# debootstrap's minbase, the packages below, and the sources whose tests are run in /src. Made once;
# a tree that is there is left as it is. Needs root, debootstrap and the machine's Debian mirror.
set -euo pipefail
tree=$1
packages=(busybox-static diffutils xz-utils bzip2 zstd file procps psmisc gawk bc cpio bsdextrautils dc patch
  python3 python3-distutils libpython3.11-testsuite sqlite3 perl gcc libc6-dev make dpkg-dev bison m4
  git rsync vim-tiny openssh-client openssl ed
  musl musl-dev musl-tools golang-go openjdk-17-jdk-headless nodejs)
sources=(zlib lua5.4 lua5.1 lua-lpeg bash perl busybox)
[ ! -e "$tree/.complete" ] || exit 0
command -v debootstrap >/dev/null || { echo "make_debian.sh: no debootstrap" >&2; exit 1; }
mirror=$({ sed -n 's/^URIs: *//p; s/^deb \([^[ ]*\) .*/\1/p' /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true; } | head -n 1)
mkdir -p "$tree"
log=$tree.log
trap 'umount "$tree/proc" 2>/dev/null || true' EXIT
in_tree() { DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$tree" "$@"; }
{
  debootstrap --variant=minbase --include=ca-certificates bookworm "$tree" "$mirror"
  printf '%s bookworm main\n' "deb $mirror" "deb-src $mirror" >"$tree/etc/apt/sources.list"
  echo "deb ${mirror%/debian}/debian-security bookworm-security main" >>"$tree/etc/apt/sources.list"
  cp /etc/resolv.conf "$tree/etc/resolv.conf"
  printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
  chmod 755 "$tree/usr/sbin/policy-rc.d"
  mount -t proc proc "$tree/proc"
  in_tree apt-get update -qq
  in_tree apt-get install -y -qq --no-install-recommends "${packages[@]}"
  mkdir -p "$tree/src"
  in_tree sh -c 'cd /src && apt-get source -qq "$@"' sh "${sources[@]}"
  rm -f "$tree"/src/*.tar.* "$tree"/src/*.dsc "$tree/usr/sbin/policy-rc.d"
  # busybox against musl, dynamic and static: Debian's is against glibc. Without the applets that
  # want what musl does not have.
  cat >"$tree/tmp/make_busybox.sh" <<'S'
cp -a /src/busybox-* /tmp/busybox && cd /tmp/busybox && make -s defconfig
sed -i -E 's/^CONFIG_(TC|NSENTER|UNSHARE|SETPRIV|SENDMAIL|CONSPY|UBI[A-Z]*|NAND[A-Z]*|FLASH[A-Z_]*|I2C[A-Z]*|FEATURE_MOUNT_NFS|FEATURE_INETD_RPC|FEATURE_VI_REGEX_SEARCH|SHA1_HWACCEL|SHA256_HWACCEL)=y/# CONFIG_\1 is not set/' .config
for static in n y; do
  sed -i "s/^.*CONFIG_STATIC[ =].*/CONFIG_STATIC=$static/" .config
  yes '' | make -s oldconfig >/dev/null
  make -s -j2 CC='musl-gcc -w -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu' busybox
  name=busybox-musl
  [ $static = y ] || name=busybox-musl-dynamic
  cp busybox /usr/local/bin/$name
done
rm -rf /tmp/busybox /tmp/make_busybox.sh
S
  in_tree sh -e /tmp/make_busybox.sh
  touch "$tree/.complete"
} >"$log" 2>&1 || { tail -n 20 "$log" >&2; echo "make_debian.sh: failed, $log" >&2; exit 1; }
