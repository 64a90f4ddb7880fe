#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `runhl boot` on unmodified upstream kernels, on the software CPU: what their programs print and
# return, and what is refused. Kernels come from cargo (fetch_kernel.sh); what cannot be had is
# skipped, counted, and said.
#   RUNHL=/path/to/runhl test/upstream/run.sh [CASE…]
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
runhl=${RUNHL:-$here/../../build/installed/bin/runhl}
work=$(mktemp -d /tmp/runhl-upstream.XXXXXX)
trap 'rm -rf "$work"' EXIT
archive=$work/root.cpio
. "$here/registry.sh"
suite=upstream
. "$here/../support/counts.sh"


# boot ARGS…: $status, $work/out, $work/err. Nothing here takes a minute that is right.
boot() {
  timeout 60 "$runhl" boot -q "$@" >"$work/out" 2>"$work/err" </dev/null
  status=$?
}
wrong() {
  echo "FAILED: $*"
  good=0
}
status_is() { [ "$status" -eq "$1" ] || wrong "$name: status $status, not $1: $(tail -n 3 "$work/err" | tr '\n' ' ')"; }
out_is() { [ "$(cat "$work/out")" = "$1" ] || wrong "$name: printed \"$(head -c 300 "$work/out")\", not \"$1\""; }
says() { grep -qF -- "$1" "$work/err" || wrong "$name: does not say \"$1\" but: $(tail -n 3 "$work/err" | tr '\n' ' ')"; }
no_timing_lines() { grep -v '^\[timing\]' "$1"; }
# Refused with one line, and before anything boots.
refused() {
  boot "$@"
  status_is 1
  [ "$(wc -l <"$work/err")" -eq 1 ] || wrong "$name: $* is not refused with one line: $(cat "$work/err")"
}

case_prints_and_returns() {
  boot "$kernel" --initrd "$archive" --entry /bin/hello
  status_is 0
  out_is "argc=1 [/bin/hello] PATH=/bin GREETING=none"
  [ "$(no_timing_lines "$work/err")" = "to stderr" ] || wrong "$name: stderr: $(cat "$work/err")"
}
case_prints_and_returns_g2() {  # which does not tell the two streams apart
  boot "$kernel" --initrd "$archive" --entry /bin/hello
  status_is 0
  tr -d '\r' <"$work/out" >"$work/plain"
  grep -qx "argc=1 \[/bin/hello\] PATH=/bin GREETING=none" "$work/plain" || wrong "$name: $(cat "$work/out")"
  grep -qx "to stderr" "$work/plain" || wrong "$name: no stderr: $(cat "$work/out")"
}
case_arguments_and_environment() {
  boot "$kernel" --initrd "$archive" --env GREETING=hi --env PATH=/x -- /bin/hello one 'two  words' 'a"b\c' "it's" --
  status_is 7
  tr -d '\r' <"$work/out" | grep -qxF "argc=6 [/bin/hello] [one] [two  words] [a\"b\\c] [it's] [--] PATH=/x GREETING=hi" ||
    wrong "$name: $(cat "$work/out")"
}
case_links_to_programs() {
  boot "$kernel" --initrd "$archive" -- /etc/link
  status_is 0
  boot "$kernel" --initrd "$archive" -- /sbin/hello
  status_is 0
}
case_sleeps() {
  boot "$kernel" --initrd "$archive" -- /bin/does sleep
  status_is 0
}
case_status() {
  for pair in 300:44 abort:134 kill:143; do
    boot "$kernel" --initrd "$archive" -- /bin/does "${pair%:*}"
    status_is "${pair#*:}"
  done
}
case_crash_is_a_signal() {
  boot "$kernel" --initrd "$archive" -- /bin/does segv
  status_is 139
  boot "$kernel" --initrd "$archive" -- /bin/does ud2
  status_is 132
}
case_standard_input() {
  # Without 4: the guest's console takes one that begins a read for the end of its input.
  head -c 100000 /dev/urandom | tr -d '\004' >"$work/random"
  timeout 60 "$runhl" boot -q "$kernel" --initrd "$archive" -- /bin/does copy <"$work/random" >"$work/out" 2>"$work/err"
  status=$?
  status_is 0
  cmp -s "$work/random" "$work/out" || wrong "$name: other bytes come out"
}
case_wall_clock() {
  boot "$kernel" --initrd "$archive" -- /bin/does time
  local seen now
  seen=$(tr -dc 0-9 <"$work/out") now=$(date +%s)
  [ "$((now - seen))" -ge 0 ] && [ "$((now - seen))" -lt 60 ] || wrong "$name: $seen is not $now"
}
case_guests_that_go_wrong() {
  boot "$kernel" --initrd "$archive" -- /bin/does port
  status_is 1
  says "port 1280"
  boot "$kernel" --initrd "$archive" -- /bin/does halt
  status_is 1
  says "without having finished its boot"
  boot "$kernel" --initrd "$archive" -- /bin/does wait
  status_is 1
  says "deadlock"
  boot "$kernel" --initrd "$archive" --time-limit 1 -- /bin/does spin
  status_is 1
  says "stopped"
  boot "$kernel" --initrd "$archive" -m 9Mi -- /bin/hello
  status_is 1
}
case_programs_that_cannot_run() {
  boot "$kernel" --initrd "$archive" -- /bin/nosuch
  status_is 127
  boot "$kernel" --initrd "$archive" -- /bin/not-pie
  status_is 126
  boot "$kernel" --initrd "$archive" -- /etc/text
  status_is 126
  boot "$kernel" --initrd "$archive" -- /bin
  status_is 126
}
case_bad_kernels() {
  refused /nosuch --initrd "$archive" -- /bin/hello
  refused "$archive" --initrd "$archive" -- /bin/hello
  refused /bin/true --initrd "$archive" -- /bin/hello
  head -c 5000 "$kernel" >"$work/short"
  refused "$work/short" --initrd "$archive" -- /bin/hello
  head -c 500000 "$kernel" >"$work/short"
  refused "$work/short" --initrd "$archive" -- /bin/hello
  refused "$work" --initrd "$archive" -- /bin/hello
}
case_bad_archives() {
  refused "$kernel" --initrd /nosuch -- /bin/hello
  : >"$work/empty"
  refused "$kernel" --initrd "$work/empty" -- /bin/hello
  gzip -c "$archive" >"$work/zipped"
  refused "$kernel" --initrd "$work/zipped" -- /bin/hello
  head -c 100000 "$archive" >"$work/cut"
  refused "$kernel" --initrd "$work/cut" -- /bin/hello
  refused "$kernel" --initrd /dev/zero -- /bin/hello
}
case_bad_options() {
  local bad
  for bad in "-m 0" "-m -1" "-m 1.5Gi" "-m 17Gi" "-m text" "-m 1Mi" "--repeat -1" "--nosuch"; do
    # shellcheck disable=SC2086  # two words
    refused $bad "$kernel" --initrd "$archive" -- /bin/hello
  done
  refused "$kernel" --initrd "$archive" --entry /bin/hello -e x -- y
  refused "$kernel" --initrd "$archive" -- /bin/hello ""
}
# How many processes execute our runhl-emu.
emulators() { find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$emulator" 2>/dev/null | wc -l; }
emulators_become() {  # COUNT: polls for ten seconds
  local tries=0
  until [ "$(emulators)" -eq "$1" ] || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
  [ "$(emulators)" -eq "$1" ]
}
case_leaves_nothing() {
  boot "$kernel" --initrd "$archive" -- /bin/hello
  [ "$(emulators)" -eq 0 ] || wrong "$name: a software CPU is left"
  "$runhl" boot -q "$kernel" --initrd "$archive" -- /bin/does spin >/dev/null 2>&1 </dev/null &
  emulators_become 1 || wrong "$name: no software CPU to begin with"
  kill -KILL $!
  wait $! 2>/dev/null
  emulators_become 0 || wrong "$name: a software CPU outlives the host's side"
}
# The process that serves a guest's calls, while the guest runs.
case_is_jailed() {
  granted
  exec 9</etc/passwd
  "$runhl" boot -q "$kernel" --initrd "$archive" --mount "$work/host/granted:/data" -- /bin/does spin >/dev/null 2>"$work/err" </dev/null &
  local pid=$! tries=0
  exec 9<&-
  until grep -qs '^Seccomp:.2' "/proc/$pid/status" || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
  for line in "Seccomp:	2" "NoNewPrivs:	1"; do
    grep -qx "$line" "/proc/$pid/status" || wrong "$name: no \"$line\": $(grep -E 'Seccomp|NoNew' "/proc/$pid/status")"
  done
  [ $((0x$(awk '/^CapEff/ {print $2}' "/proc/$pid/status") & ~0xa)) -eq 0 ] || wrong "$name: it keeps capabilities"
  # Only root may look at a process that nobody may dump.
  if [ "$(id -u)" -eq 0 ]; then
    [ -z "$(ls -A "/proc/$pid/root/")" ] || wrong "$name: it sees files: $(ls "/proc/$pid/root/")"
    ls -l "/proc/$pid/fd" | grep -q /etc/passwd && wrong "$name: its caller's descriptor is open"
  elif [ -r "/proc/$pid/maps" ]; then
    wrong "$name: it can be looked at"
  fi
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null
}
# A directory of the host's, with a secret beside it and links that lead there.
granted() {
  rm -rf "$work/host" && mkdir -p "$work/host/granted/sub"
  echo -n secret >"$work/host/secret"
  echo -n contents >"$work/host/granted/file"
  ln -s file "$work/host/granted/inside"
  ln -s ../secret "$work/host/granted/up"
  ln -s "$work/host/secret" "$work/host/granted/absolute"
}
files() {  # OPTIONS OF BOOT, two words each; then the operations
  local options=()
  while [[ "$1" == --* ]]; do options+=("$1" "$2") && shift 2; done
  boot "$kernel" --initrd "$archive" "${options[@]}" -- /bin/files "$@"
  tr -d '\r' <"$work/out" >"$work/plain"
  mv "$work/plain" "$work/out"
}
case_mounts() {
  granted
  files --mount "$work/host/granted:/data" list /data read /data/file read /data/inside stat /data/file stat /data/sub \
    write /data/sub/new=hello append /data/sub/new=! mkdir /data/made rename /data/sub/new=/data/made/moved \
    link /data/file=/data/second remove /data/sub truncate /data/second=3 symlink /data/relative=file read /data/relative
  status_is 0
  local modes="644 755"
  [ "$kernel_version" = 0.20.1 ] || modes="755 755"  # invented before 0.19
  out_is "list: absolute file inside sub up
read: contents
read: contents
stat: file 8 ${modes% *}
stat: directory 0 ${modes#* }
write:
append:
mkdir:
rename:
link:
remove:
truncate:
symlink:
read: con"
  [ "$(cat "$work/host/granted/made/moved")" = 'hello!' ] || wrong "$name: what was written is not there"
  [ "$(cat "$work/host/granted/file")" = con ] || wrong "$name: the hard link is none"
}
case_mounts_hold() {
  granted
  files --mount "$work/host/granted:/data" read /data/up read /data/absolute stat /data/up write /data/up=x write /data/absolute=x \
    symlink /data/evil=/etc/passwd read /data/sub/../../etc/nosuch
  status_is 0
  out_is "read: EACCES
read: EACCES
stat: EACCES
write: EACCES
write: EACCES
symlink: EACCES
read: ENOENT"
  [ "$(cat "$work/host/secret")" = secret ] || wrong "$name: the secret was written"
  files --mount "$work/host/granted:/data:ro" read /data/file write /data/file=x write /data/new=x mkdir /data/d remove /data/file \
    truncate /data/file=0 chmod /data/file=777
  out_is "read: contents
write: EROFS
write: EROFS
mkdir: EROFS
remove: EROFS
truncate: EROFS
chmod: EROFS"
  [ "$(cat "$work/host/granted/file")" = contents ] || wrong "$name: a read-only mount was written"
  files --env NOTHING=granted list /data
  out_is "list: ENOENT"
}
case_bad_mounts() {
  granted
  for bad in "$work/host/secret:/x" "/nosuch:/x" "/a:/b:/c:/d" "/proc:/x" "$work:/usr"; do
    refused --mount "$bad" "$kernel" --initrd "$archive" -- /bin/hello
  done
  refused --mount "$work:/x" --mount "$work/host:/x" "$kernel" --initrd "$archive" -- /bin/hello
}
# Each run is the first of its guest, and its clock and random numbers are its own.
case_repeat_is_hermetic() {
  local fresh="memory 1 file 1 pid 2 descriptor 3 starter gone" random lines
  boot "$kernel" --initrd "$archive" --repeat 3 -- /bin/fresh
  status_is 0
  tr -d '\r' <"$work/out" >"$work/plain"
  [ "$(cat "$work/plain")" = "$fresh"$'\n'"$fresh"$'\n'"$fresh"$'\n'"$fresh" ] || wrong "$name: $(cat "$work/out")"
  [ "$(grep -cE '^\[run [1-4]/4\] restore=[0-9.]+ms call=[0-9.]+ms$' "$work/err")" -eq 4 ] || wrong "$name: $(cat "$work/err")"
  grep -qE '^\[timing\] evolve=[0-9.]+ms total=[0-9.]+ms$' "$work/err" || wrong "$name: $(cat "$work/err")"
  boot "$kernel" --initrd "$archive" --repeat 3 -- /bin/fresh random
  lines=8 # two a run; kernels before 0.19 give programs no random bytes at their start
  [ "$kernel_version" = 0.20.1 ] || lines=5
  random=$(tr -d '\r' <"$work/out" | sort -u | wc -l)
  [ "$random" -eq "$lines" ] || wrong "$name: $random lines of random bytes, not $lines: $(cat "$work/out")"
  boot "$kernel" --initrd "$archive" --repeat 1 -- /bin/does sleep
  status_is 0
}
case_repeat_ends_as_one_run_does() {
  boot "$kernel" --initrd "$archive" --repeat 1 --env GREETING=hi --env PATH=/x -- /bin/hello one 'two  words' '' "it's" --
  status_is 7
  [ "$(tr -d '\r' <"$work/out" | grep -cxF "argc=6 [/bin/hello] [one] [two  words] [] [it's] [--] PATH=/x GREETING=hi")" -eq 2 ] ||
    wrong "$name: $(cat "$work/out")"
  for pair in 300:44 kill:143 segv:139; do
    boot "$kernel" --initrd "$archive" --repeat 1 -- /bin/does "${pair%:*}"
    status_is "${pair#*:}"
  done
  boot "$kernel" --initrd "$archive" --repeat 1 -- /bin/does wait
  status_is 1
  says deadlock
  boot "$kernel" --initrd "$archive" --repeat 1 --time-limit 1 -- /bin/does spin
  status_is 1
  says stopped
  boot "$kernel" --initrd "$archive" --repeat 1 -- /bin/nosuch
  status_is 127
}
case_repeat_with_mounts() {
  granted
  files --mount "$work/host/granted:/data" --repeat 2 append /data/count=x read /data/count
  status_is 0
  out_is "append:
read: x
append:
read: xx
append:
read: xxx"
}
case_repeat_leaves_nothing() {
  "$runhl" boot -q "$kernel" --initrd "$archive" --repeat 5 -- /bin/does spin >/dev/null 2>&1 </dev/null &
  emulators_become 1 || wrong "$name: no software CPU to begin with"
  sleep 1
  kill -KILL $!
  wait $! 2>/dev/null
  emulators_become 0 || wrong "$name: a software CPU outlives the host's side"
}
# Saved by one process, restored by others: with programs, environment and mounts of their own.
case_snapshots_on_disk() {
  local snapshot=$work/snapshot fresh="memory 1 file 1 pid 2 descriptor 3 starter gone"
  rm -rf "$snapshot"
  boot "$kernel" --initrd "$archive" -m 64Mi --save "$snapshot"
  status_is 0
  boot "$kernel" --restore "$snapshot" --env GREETING=hi -- /bin/hello one
  status_is 7
  [ "$(tr -d '\r' <"$work/out" | head -n 1)" = "argc=2 [/bin/hello] [one] PATH=/bin GREETING=hi" ] || wrong "$name: $(cat "$work/out")"
  boot "$kernel" --restore "$snapshot" --repeat 1 -- /bin/fresh
  [ "$(tr -d '\r' <"$work/out")" = "$fresh"$'\n'"$fresh" ] || wrong "$name: $(cat "$work/out")"
  boot "$kernel" --restore "$snapshot" -- /bin/does sleep
  status_is 0
  boot "$kernel" --restore "$snapshot" -- /bin/does time
  [ "$(($(date +%s) - $(tr -dc 0-9 <"$work/out")))" -lt 60 ] || wrong "$name: the clock is another's: $(cat "$work/out")"
  granted
  boot "$kernel" --restore "$snapshot" --mount "$work/host/granted:/data:ro" -- /bin/files read /data/file write /data/new=x
  [ "$(tr -d '\r' <"$work/out")" = $'read: contents\nwrite: EROFS' ] || wrong "$name: $(cat "$work/out")"
  boot "$kernel" --restore "$snapshot" -- /bin/nosuch
  status_is 127
  boot "$kernel" --restore "$snapshot" -- /etc/text
  status_is 126
  if [ "$(du -sk "$snapshot" | cut -f1)" -gt 20000 ]; then wrong "$name: $(du -sk "$snapshot") KiB on disk"; fi
}
case_bad_snapshots() {
  local snapshot=$work/snapshot blob
  rm -rf "$snapshot"
  boot "$kernel" --initrd "$archive" -m 64Mi --save "$snapshot"
  status_is 0
  refused "$kernel" --initrd "$archive" -m 64Mi --save "$snapshot"
  refused "$kernel" --restore "$snapshot" -m 128Mi -- /bin/hello
  says "not 134217728"
  refused "$kernel" --restore /nosuch -- /bin/hello
  refused "$kernel" --restore "$work" -- /bin/hello
  refused "$kernel" --restore "$snapshot" --initrd "$archive" -- /bin/hello
  refused "$kernel" --restore "$snapshot"
  for other in 0.19.1 0.17.0; do
    if other=$(bash "$here/fetch_kernel.sh" "$other" 2>/dev/null); then
      refused "$other" --restore "$snapshot" -- /bin/hello
      says "taken with kernel"
    fi
  done
  blob=$(find "$snapshot/blobs" -type f -size +1000k)
  printf X | dd of="$blob" bs=1 seek=3000000 conv=notrunc status=none
  refused "$kernel" --restore "$snapshot" -- /bin/hello
  says "not what it was"
  [ "$(find "$work" -maxdepth 1 -name 'snapshot.*' | wc -l)" -eq 0 ] || wrong "$name: half a snapshot is left"
}
# An echo server on ADDRESS: $server_port, until server_stop.
server_start() {
  rm -f "$work/port"
  python3 "$here/echo_server.py" "$1" >"$work/port" 2>"$work/server" &
  server=$!
  local tries=0
  until [ -s "$work/port" ] || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
  server_port=$(cat "$work/port")
  [ -n "$server_port" ] || wrong "$name: no server on $1: $(cat "$work/server")"
}
server_stop() {
  kill "$server"
  wait "$server" 2>/dev/null
}
# An address of this machine's that is not the loopback's, where it has one.
own_address() { hostname -I 2>/dev/null | tr ' ' '\n' | grep -m 1 -E '^[0-9]+\.' | grep -v '^169\.254\.'; }
net() {  # ARGS OF BOOT… -- OPERATIONS…
  local options=()
  while [ "$1" != -- ]; do options+=("$1") && shift; done
  boot "$kernel" --initrd "$archive" --time-limit 50 "${options[@]}" -- /bin/net "${@:2}"
  tr -d '\r' <"$work/out" >"$work/plain"
  mv "$work/plain" "$work/out"
}
case_network_of_the_hosts() {
  server_start 127.0.0.1
  net --net -- connect "127.0.0.1:$server_port=hello" send "127.0.0.1:$server_port=word" \
    connect "169.254.169.254:80=x" serve "0.0.0.0:$server_port"
  status_is 0
  out_is "connect: echo hello
send: echo word
connect: EACCES
serve: EACCES"
  server_stop
}
# Kernel 0.17.0 tells its program of some other error.
case_refused_connection() {
  net --net -- connect "127.0.0.1:1=x"
  out_is "connect: ECONNREFUSED"
}
case_network_is_not_granted() {
  server_start 127.0.0.1
  net -- connect "127.0.0.1:$server_port=hello"
  status_is 0
  grep -qE '^connect: E[A-Z]+$' "$work/out" || wrong "$name: $(cat "$work/out")"
  server_stop
}
case_network_by_lists() {
  local own
  own=$(own_address)
  if [ -z "$own" ]; then
    skip "$name: this machine has no address but the loopback's"
    return
  fi
  server_start "$own"
  net --net-allow "$own" -- connect "$own:$server_port=hello" send "$own:$server_port=word" connect "127.0.0.1:$server_port=x" \
    connect "198.51.100.1:80=x" send "$own:53=ping"
  out_is "connect: echo hello
send: echo word
connect: EACCES
connect: EACCES
send: EACCES"
  net --net-allow "${own%.*}.0/24:$server_port" -- connect "$own:$server_port=net" connect "$own:1=x"
  out_is "connect: echo net
connect: EACCES"
  net --net-block "$own/32" -- connect "$own:$server_port=x" connect "0.0.0.0:$server_port=x"
  out_is "connect: EACCES
connect: EACCES"
  net --net-block "198.51.100.0/24" -- connect "$own:$server_port=hello" connect "198.51.100.1:80=x"
  out_is "connect: echo hello
connect: EACCES"
  server_stop
}
case_port_accepts() {
  local port tries=0
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$runhl" boot -q "$kernel" --initrd "$archive" --time-limit 50 --port "$port" -- /bin/net serve "127.0.0.1:$port" \
    connect "127.0.0.1:$port=x" serve 127.0.0.1:8 >"$work/out" 2>"$work/err" </dev/null &
  local pid=$!
  until grep -q listening "$work/out" || [ $((tries += 1)) -gt 400 ]; do sleep 0.1; done
  python3 - "$port" >"$work/answer" <<'END'
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=15)
peer.sendall(b"from outside")
print(peer.recv(100).decode())
END
  wait "$pid"
  status=$?
  status_is 0
  [ "$(cat "$work/answer")" = "from outside" ] || wrong "$name: answered \"$(cat "$work/answer")\""
  tr -d '\r' <"$work/out" >"$work/plain" && mv "$work/plain" "$work/out"
  out_is "serve: listening
served: from outside
connect: EACCES
serve: EACCES"
}
case_waiting_for_a_socket_ends() {
  net --port 1-65535 --time-limit 1 -- serve 127.0.0.1:0
  status_is 1
  says "stopped"
}
case_bad_networks() {
  local bad
  for bad in "--port 0" "--port 65536" "--port text" "--port 9-5" "--net --net-allow 10.0.0.1" "--net-allow 10.0.0.1 --net-block 10.0.0.2" \
    "--net-allow 10.0.0.1/8" "--net-allow nosuch.invalid" "--net-block nosuch.invalid"; do
    # shellcheck disable=SC2086  # words
    refused $bad "$kernel" --initrd "$archive" -- /bin/hello
  done
  says "cannot resolve \"nosuch.invalid\""
}
case_python() {
  local library=/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0
  if [ ! -e $library ]; then
    skip "python: no libpython3.11"
    return
  fi
  bash "$here/../../examples/upstream/make_python.sh" "$work/python.cpio" >"$work/err" 2>&1 || wrong "$name: $(tail -n 3 "$work/err")"
  boot "$kernel" --initrd "$work/python.cpio" --entry /usr/bin/python3 -e 'print(6*7)'
  status_is 0
  [ "$(tr -d '\r' <"$work/out")" = 42 ] || wrong "$name: $(cat "$work/out")"
}
# Kernel and archive as upstream publishes them, in Debian's registry.
case_from_a_registry() {
  local store=$work/store missing
  missing=$(registry_tools) || { skip "from_a_registry: $missing" && return; }
  registry_start
  (
    push_file "$kernel" kernel upstream/kernel:1 && push_file "$archive" initrd.cpio upstream/hello:initrd
  ) >"$work/err" 2>&1 || wrong "$name: cannot push: $(tail -n 3 "$work/err")"
  "$runhl" kernel pull -q --store "$store" "$registry/upstream/kernel:1" >"$work/out" 2>"$work/err" || wrong "$name: $(cat "$work/err")"
  boot --store "$store" "$registry/upstream/kernel:1" --initrd "$registry/upstream/hello:initrd" --entry /bin/hello
  status_is 0
  out_is "argc=1 [/bin/hello] PATH=/bin GREETING=none"
  kill "$registry_pid"
  "$runhl" kernel use --store "$store" "$registry/upstream/kernel:1" || wrong "$name: cannot choose it"
  boot --store "$store" --initrd "$registry/upstream/hello:initrd" --entry /bin/hello  # nobody to ask
  status_is 0
}

common="arguments_and_environment links_to_programs sleeps status programs_that_cannot_run mounts mounts_hold repeat_is_hermetic snapshots_on_disk network_of_the_hosts network_is_not_granted port_accepts"
cases_0_17_0="prints_and_returns_g2 $common"
cases_0_18_0="prints_and_returns sleeps repeat_is_hermetic"
cases_0_19_1="prints_and_returns sleeps"
cases_0_20_1="prints_and_returns $common crash_is_a_signal standard_input wall_clock is_jailed guests_that_go_wrong bad_kernels bad_archives bad_options bad_mounts leaves_nothing from_a_registry repeat_ends_as_one_run_does repeat_with_mounts repeat_leaves_nothing bad_snapshots refused_connection network_by_lists waiting_for_a_socket_ends bad_networks python"

if [ ! -x "$runhl" ]; then echo "upstream: no $runhl" >&2 && exit 2; fi
bin=$(dirname "$(readlink -f "$runhl")")
emulator=$(readlink -e "$bin/../libexec/runhl/runhl-emu" || readlink -e "$bin/../libexec/runhl-emu")
if [ -z "$emulator" ]; then
  skip_all "all: runhl was built without the software CPU (RUNHL_EMU)"
fi
bash "$here/make_archive.sh" "$archive" || { echo "FAILED: make_archive.sh" && failed=1 && finish; }
for version in 0.20.1 0.19.1 0.18.0 0.17.0; do
  if ! kernel=$(bash "$here/fetch_kernel.sh" "$version" 2>"$work/why"); then
    skip "kernel $version: $(cat "$work/why")"
    continue
  fi
  list=cases_${version//./_} kernel_version=$version
  for name in ${!list}; do
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    good=1
    "case_$name"
    name="$version $name"
    if [ "$good" -eq 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: upstream $name"; fi
  done
done
finish
