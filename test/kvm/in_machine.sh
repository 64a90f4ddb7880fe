#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What test/full/svm.sh runs in the machine; of busybox's sh. A line a case: ok, FAILED or skipped.
failed=0
ok() { echo "ok $1"; }
wrong() {
  echo "FAILED $1"
  failed=1
}

# boot STATUS ARGS…: leaves `out` and `err`. What hangs is wrong; that the machine is slow is not.
boot() {
  wanted=$1
  shift
  timeout 100 ./runhl-boot --isolation=vm "$@" >out 2>err </dev/null
  status=$?
  [ $status -eq "$wanted" ] && return 0
  echo "status $status, not $wanted: $(tail -n 3 err)"
  return 1
}
check() {  # NAME COMMAND…
  name=$1
  shift
  if "$@"; then ok "$name"; else wrong "$name"; fi
}

hello() { boot 7 "$kernel" --initrd root.cpio --env GREETING=hi -- /bin/hello one two && grep -q '^Isolation: vm$' err && grep -q 'argc=3 \[/bin/hello\] \[one\] \[two\] PATH=/bin GREETING=hi' out; }
exits() { boot 44 -q "$kernel" --initrd root.cpio -- /bin/does 300 && boot 134 -q "$kernel" --initrd root.cpio -- /bin/does abort; }
sleeps() { boot 0 -q "$kernel" --initrd root.cpio -- /bin/does sleep; }
crashes() { boot 139 -q "$kernel" --initrd root.cpio -- /bin/does segv; }
spins() { boot 1 -q "$kernel" --initrd root.cpio --time-limit 2 -- /bin/does spin && grep -q stopped err; }
mounts() {
  rm -rf /tmp/host && mkdir -p /tmp/host/granted/sub && echo -n secret >/tmp/host/secret && echo -n contents >/tmp/host/granted/file
  ln -s ../secret /tmp/host/granted/up
  boot 0 -q "$kernel" --initrd root.cpio --mount /tmp/host/granted:/data -- /bin/files list /data read /data/file read /data/up write /data/sub/new=hello || return 1
  tr -d '\r' <out >plain
  grep -q '^list: file sub up$' plain && grep -q '^read: contents$' plain && grep -q '^read: EACCES$' plain && [ "$(cat /tmp/host/granted/sub/new)" = hello ] || return 1
  boot 0 -q "$kernel" --initrd root.cpio --mount /tmp/host/granted:/data:ro -- /bin/files write /data/file=x && grep -q EROFS out && [ "$(cat /tmp/host/granted/file)" = contents ]
}
repeats() { boot 7 -q "$kernel" --initrd root.cpio --repeat 3 -- /bin/hello x && [ "$(grep -c 'argc=2' out)" -ge 3 ]; }
# A guest of G1, its snapshot by another process; then one that upstream's host took on KVM.
oldest() { boot 0 -q "$1" --abi g1 --initrd script.cpio "$2" "$3" $4 $5; }
saves() {
  oldest g1probe --save /tmp/g1.hls -m 16Mi && sleep 8 && oldest g1probe --restore /tmp/g1.hls --repeat 1 || return 1
  grep -c '^counter 1$' err | grep -qx 2 && late=$(($(date +%s) - $(sed -n 's/^time //p' err | tail -n 1))) && [ "$late" -ge -1 ] && [ "$late" -lt 6 ]
}
restores_upstreams() {
  gunzip -c sample.hls.gz >/tmp/up.hls && gunzip -c kernel.gz >/tmp/up && oldest /tmp/up --restore /tmp/up.hls || return 1
  grep -q '^PEB input 0x4000 .* heap 0x1000000 at 0x77000 ' err && grep -qx 'counter 2' err
}
# A container's monitor changes its root, which the machine's first file system does not let it.
contain() {  # STATUS ARGS…, as boot
  wanted=$1
  shift
  timeout 100 chroot /r /bin/sh -c 'cd /payload && exec ./runhl --root /tmp/state --isolation=vm "$@"' sh "$@" >out 2>err </dev/null
  status=$?
  [ $status -eq "$wanted" ] && return 0
  echo "status $status, not $wanted: $(tail -n 3 err)"
  return 1
}
new_root() {
  mkdir -p /r && mount -t tmpfs tmpfs /r && mkdir -p /r/proc /r/sys /r/dev /r/tmp /r/run /r/bin && cp -a /bin/. /r/bin/ && cp -a /payload /r/ || return 1
  mount -t proc proc /r/proc && mount -t sysfs sysfs /r/sys && mount -t devtmpfs dev /r/dev &&
    mount -t cgroup2 cgroup2 /r/sys/fs/cgroup && mkdir /r/sys/fs/cgroup/shell || return 1
  for pid in $(cat /r/sys/fs/cgroup/cgroup.procs); do echo "$pid" >/r/sys/fs/cgroup/shell/cgroup.procs 2>/dev/null; done
  echo "+memory +pids" >/r/sys/fs/cgroup/cgroup.subtree_control
}
container() {
  mkdir -p /r/tmp/data && echo -n contents >/r/tmp/data/file
  contain 0 run --kernel "./$kernel" --store store --cache cache -v /tmp/data:/data one /bin/files read /data/file write /data/new=hello || return 1
  tr -d '\r' <out >plain
  grep -q '^read: contents$' plain && [ "$(cat /r/tmp/data/new)" = hello ] || return 1
  contain 44 run --kernel "./$kernel" --store store --cache cache one /bin/does 300 || return 1
  contain 0 run -d --name c1 -m 128M --kernel "./$kernel" --store store --cache cache one /bin/does spin || return 1
  contain 0 state c1 && grep -q '"dev.runhl.isolation": "vm"' out || return 1
  contain 0 pause c1 && contain 0 state c1 && grep -q '"paused"' out && contain 0 resume c1 || return 1
  contain 0 kill c1 KILL || return 1
  for i in 1 2 3 4 5 6 7 8 9; do contain 0 state c1 && grep -q stopped out && break || sleep 1; done
  contain 0 delete c1
}
remembers() { grep -q '^finding: hardware$' /run/runhl/*probe; }

timeout 240 ./guests --gtest_filter='*/kvm' >guests.log 2>&1
guests=$?
sed -n 's/^\[       OK \] On.\([^ ]*\) .*/ok guest: \1/p; s/^\[  SKIPPED \] On.\([^ ]*\) (.*/skipped guest: \1/p; s/^\[  FAILED  \] On.\([^ ]*\), where.*ms)/FAILED guest: \1/p' guests.log
[ $guests -eq 0 ] || {
  failed=1
  grep -B 8 '^\[  FAILED' guests.log | head -n 60
}
new_root || echo "no new root"
for kernel in kernel-*; do
  [ -e "$kernel" ] || continue
  check "$kernel: a program prints, its status comes through" hello
  check "$kernel: exit and abort" exits
  check "$kernel: sleeps" sleeps
  check "$kernel: --mount lists, reads, writes, holds, is read-only" mounts
  [ "$kernel" = kernel-0.17.0 ] || check "$kernel: a crash is a signal" crashes
  check "$kernel: --time-limit" spins
  [ ! -d store ] || check "$kernel: a container: volume, status, pause, kill" container
  [ -n "$NO_REPEAT" ] || check "$kernel: --repeat" repeats
  echo "fact $kernel: $(./runhl-boot --isolation=vm "$kernel" --initrd root.cpio -- /bin/hello 2>&1 </dev/null | grep timing)"
done
if [ -e g1probe ]; then
  check "G1: --save, and --restore by another process" saves
  check "G1: a snapshot that upstream's host took" restores_upstreams
fi
check "the probe finds hardware, and remembers it" remembers
sed -n 's/^reason: /fact the probe: /p' /run/runhl/*probe
exit $failed
