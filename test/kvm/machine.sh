#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command on a computer with hardware virtualisation that is emulated itself: Debian's kernel
# under qemu, whose TCG does AMD's SVM with nested paging. Slow, and up in seconds anywhere.
#
#   machine.sh CACHE PAYLOAD COMMAND…
#
# CACHE    keeps the kernel between runs
# PAYLOAD  a directory that becomes /payload, where COMMAND runs by sh; static programs
#
# Prints MACHINE-START, then what the command prints. Exit status: the command's; 124 when the machine was not done after $MACHINE_SECONDS (120), twice;
# 3 when it cannot be had here, and why is on stderr. One processor: with two, one nested machine in
# a hundred hangs all of it.
set -euo pipefail
cache=${1:?usage: machine.sh CACHE PAYLOAD COMMAND…} payload=${2:?PAYLOAD} command=${*:3}
seconds=${MACHINE_SECONDS:-120}

cannot() { echo "machine: $*" >&2 && exit 3; }
command -v qemu-system-x86_64 >/dev/null || cannot "no qemu-system-x86_64"
for tool in busybox cpio xz apt-get dpkg-deb; do command -v "$tool" >/dev/null || cannot "no $tool"; done

# The kernel's package is downloaded and taken apart, not installed.
package_of_kernel() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}'; }
fetch_kernel() {
  local package
  package=$(package_of_kernel)
  [ -n "$package" ] || { apt-get update -qq >/dev/null 2>&1 && package=$(package_of_kernel); } || true
  [ -n "$package" ] || cannot "apt knows no linux-image-cloud-amd64"
  (cd "$1" && apt-get download -qq "$package" >/dev/null 2>&1 && dpkg-deb -x "$package"_*.deb .) ||
    cannot "cannot download $package"
  rm -f "$1"/*.deb
}
mkdir -p "$cache"
if [ ! -d "$cache/kernel" ]; then
  rm -rf "$cache/new" && mkdir "$cache/new"
  fetch_kernel "$cache/new"
  mv "$cache/new" "$cache/kernel"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,proc,sys,dev,tmp,modules,payload}
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in $("$root/bin/busybox" --list); do [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"; done
for module in irqbypass kvm kvm-amd; do
  file=$(find "$cache/kernel/lib/modules" -name "$module.ko*" | head -n 1)
  case $file in
    *.xz) xz -dc "$file" ;;
    *) cat "$file" ;;
  esac >"$root/modules/$module.ko"
done
cp -a "$payload/." "$root/payload/"
printf '%s\n' "$command" >"$root/command"
cat >"$root/init" <<'INIT'
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
mkdir -p /run && mount -t tmpfs tmpfs /run
for module in irqbypass kvm kvm-amd; do insmod /modules/$module.ko; done
cd /payload
sh /command
echo "MACHINE-STATUS=$?"
poweroff -f
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$work/initrd"

boot() {
  timeout "$seconds" nice qemu-system-x86_64 -M q35 -accel tcg -cpu max -smp 1 -m "${MACHINE_MEMORY:-2048}" \
    -nodefaults -no-user-config -display none -serial stdio -no-reboot \
    -kernel "$(echo "$cache"/kernel/boot/vmlinuz-*)" -initrd "$work/initrd" \
    -append "console=ttyS0 panic=-1 quiet mitigations=off no_timer_check" </dev/null 2>&1 | tr -d '\r' | tee "$work/console" | grep -v '^MACHINE-STATUS='
}
# Only a machine that did not come to its end is started again, once.
for _ in 1 2; do
  echo MACHINE-START
  boot || true
  status=$(sed -n 's/^MACHINE-STATUS=//p' "$work/console" | tail -n 1)
  [ -n "$status" ] && exit "$status"
  echo "machine: not done after $seconds s" >&2
done
exit 124
