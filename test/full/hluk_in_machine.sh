#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What test/full/hluk.sh runs in the machine; of busybox's sh. Lines: ok NAME, FAILED NAME: WHY,
# value WHAT WHO NUMBER, fact TEXT.
failed=0
memory=64
tracing=/sys/kernel/tracing

wrong() {
  echo "FAILED $*"
  failed=1
}
hluk() { ./lib/ld-linux-x86-64.so.2 --library-path ./lib ./hluk "$@"; }
boot() {  # WHO PROGRAM [ARGUMENT…]
  who=$1
  shift
  case $who in
    hluk) hluk run --initrd root.cpio --scratch-mb $memory --entry "$*" ;;
    runhl) ./runhl-boot --isolation=vm -q kernel --initrd root.cpio -m ${memory}Mi -- "$@" ;;
  esac
}
restore() {
  who=$1
  shift
  case $who in
    hluk) hluk snapshot run /tmp/hluk.snapshot --guest-exec "$*" ;;
    runhl) ./runhl-boot --isolation=vm -q kernel --restore /tmp/runhl.snapshot -- "$@" ;;
  esac
}

alike() {  # NAME: what is in hluk.NAME and runhl.NAME
  if cmp -s "hluk.$2" "runhl.$2"; then echo "ok $1"; else wrong "$1: hluk $(tr '\n' '|' <"hluk.$2"), runhl $(tr '\n' '|' <"runhl.$2")"; fi
}
# The same program under both: what it prints, apart on both streams, and its status.
compare() {  # NAME boot|restore PROGRAM [ARGUMENT…]
  name=$1 how=$2
  shift 2
  for host in hluk runhl; do
    $how $host "$@" </dev/null >$host.out 2>$host.all
    echo $? >$host.status
    grep -v '^\[timing\]\|^\[run ' $host.all >$host.err
  done
  alike "$name: standard output" out
  alike "$name: standard error" err
  alike "$name: exit status" status
}

# Host functions by name and number.
compare_requests() {  # NAME PROGRAM [ARGUMENT…]
  name=$1
  shift
  HLUK_PROFILE=1 hluk run --initrd root.cpio --scratch-mb $memory --entry "$*" 2>&1 >out </dev/null |
    sed -n 's/^host \([A-Za-z_]*\) *\([0-9]*\) .*/\1 \2/p' | sort >hluk.requests
  ./show_requests kernel root.cpio "$@" 2>&1 >out </dev/null | grep '^[A-Z][A-Za-z]*$' | sort | uniq -c |
    awk '{print $2, $1}' >runhl.requests
  alike "$name: host functions" requests
  echo "fact host functions of $name: $(tr '\n' ',' <runhl.requests | sed 's/,$//; s/,/, /g')"
}

# Exits up to the first instruction of /bin/first, which writes to a port, and the time from the
# command's execve to there.
count() {  # boot|restore WHO
  echo 0 >$tracing/tracing_on
  echo >$tracing/trace
  echo 1 >$tracing/tracing_on
  "$1" "$2" /bin/first </dev/null >out 2>err
  echo 0 >$tracing/tracing_on
  awk -v kind="$1" -v who="$2" '
    { for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9]+:$/) { at = $i + 0; event = $(i + 1); break } }
    event == "sched_process_exec:" && !begun { begun = 1; begin = at }
    event == "kvm_exit:" { exits++ }
    event == "kvm_userspace_exit:" { runs++ }
    event == "kvm_pio:" && / at 0x500 / { seen = 1; exit }
    END {
      if (!seen) { print "FAILED " kind " of " who ": no first instruction in the trace"; exit }
      print "value " kind "-exits " who " " exits
      print "value " kind "-runs " who " " runs + 1  # that of the port comes behind it
      printf "value %s-us %s %d\n", kind, who, (at - begin) * 1000000
    }' $tracing/trace
}

mount -t tracefs tracefs $tracing
echo mono >$tracing/trace_clock
echo 16384 >$tracing/buffer_size_kb
for event in kvm/kvm_exit kvm/kvm_userspace_exit kvm/kvm_pio sched/sched_process_exec; do
  echo 1 >$tracing/events/$event/enable || wrong "no event $event"
done
echo 0 >$tracing/tracing_on
boot runhl /bin/hello >out 2>&1 </dev/null # KVM is probed once, and remembered

compare hello boot /bin/hello
compare arguments boot /bin/hello one two
compare 'exit(300)' boot /bin/does 300
compare sleep boot /bin/does sleep
compare_requests hello /bin/hello

hluk snapshot save --initrd root.cpio --scratch-mb $memory --output /tmp/hluk.snapshot >out 2>&1 </dev/null || wrong "hluk snapshot save: $(cat out)"
./runhl-boot --isolation=vm -q kernel --initrd root.cpio -m ${memory}Mi --save /tmp/runhl.snapshot >out 2>&1 </dev/null || wrong "runhl boot --save: $(cat out)"
compare 'restored hello' restore /bin/hello
for who in hluk runhl; do echo "value snapshot-kib $who $(du -sk /tmp/$who.snapshot | cut -f 1)"; done

hluk_command="./lib/ld-linux-x86-64.so.2 --library-path ./lib ./hluk"
runhl_command="./runhl-boot --isolation=vm -q kernel"
for round in $(seq "${ROUNDS:-5}"); do
  for who in hluk runhl; do
    for how in boot restore; do
      count $how $who
      case $who-$how in # busybox's time runs programs alone
        hluk-boot) command="$hluk_command run --initrd root.cpio --scratch-mb $memory --entry /bin/hello" ;;
        hluk-restore) command="$hluk_command snapshot run /tmp/hluk.snapshot --guest-exec /bin/hello" ;;
        runhl-boot) command="$runhl_command --initrd root.cpio -m ${memory}Mi -- /bin/hello" ;;
        runhl-restore) command="$runhl_command --restore /tmp/runhl.snapshot -- /bin/hello" ;;
      esac
      # shellcheck disable=SC2086  # words of a command
      busybox time -v -o usage $command >out 2>err </dev/null
      # busybox takes Linux's kilobytes for pages.
      echo "value $how-peak-kib $who $(($(sed -n 's/.*Maximum resident set size (kbytes): //p' usage) / 4))"
      sed -n "s/^\[timing\] load=\([0-9.]*\)ms.*/value load-ms $who \1/p" err
    done
  done
done
exit $failed
