#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers on unmodified upstream kernels, on the software CPU: the verbs of a life, what config.json
# asks and what is refused. As root; kernels as run.sh has them.
#   RUNHL=/path/to/runhl test/upstream/containers.sh [CASE…]
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
runhl=${RUNHL:-$here/../../build/installed/bin/runhl}
work=$(mktemp -d /tmp/runhl-upstream-c.XXXXXX)
trap 'rm -rf "$work"' EXIT
state=$work/state bundle=$work/bundle
. "$here/registry.sh"
suite="upstream containers"
. "$here/../support/counts.sh"
wrong() {
  echo "FAILED: $name: $*"
  good=0
}

# A bundle with the programs of run.sh's archive; config.json from test/support, edited by jq.
make_bundle() {
  rm -rf "$bundle" && mkdir -p "$bundle/rootfs"
  (cd "$bundle/rootfs" && cpio -id --quiet <"$work/root.cpio")
  cp "$here/../support/config.json" "$bundle/config.json"
  edit "$@"
}
edit() {
  jq "$@" <"$bundle/config.json" >"$bundle/new" || wrong "jq cannot edit: $*"
  mv "$bundle/new" "$bundle/config.json"
}
program() { edit '.process.args = $ARGS.positional' --args -- "$@"; }
rt() { timeout 60 "$runhl" --root "$state" --isolation=emulated "$@"; }
# Without the line that says that it is slow.
run() {
  rt run --kernel "$kernel" "$bundle/" >"$work/out" 2>"$work/err" </dev/null
  status=$?
  tr -d '\r' <"$work/out" >"$work/plain" && mv "$work/plain" "$work/out"
}
status_is() { [ "$status" -eq "$1" ] || wrong "status $status, not $1: $(tail -n 3 "$work/err" | tr '\n' ' ')"; }
out_is() { [ "$(cat "$work/out")" = "$1" ] || wrong "printed \"$(head -c 300 "$work/out")\", not \"$1\""; }
says() { grep -qF -- "$1" "$work/err" || wrong "does not say \"$1\" but: $(tail -n 3 "$work/err" | tr '\n' ' ')"; }
refused() {  # WORDS, of the one line
  run
  status_is 1
  [ "$(wc -l <"$work/err")" -eq 1 ] || wrong "not refused with one line: $(cat "$work/err")"
  says "$1"
}
become() {  # WORD of `state`: polls
  local tries=0
  until [ "$(rt state "$1" 2>/dev/null | jq -r .status)" = "$2" ] || [ $((tries += 1)) -gt 200 ]; do sleep 0.05; done
  [ "$(rt state "$1" | jq -r .status)" = "$2" ] || wrong "$1 does not become $2: $(rt state "$1" 2>&1)"
}

case_prints_and_returns() {
  program /bin/hello one 'two  words' 'a"b\c' "it's" --
  edit '.process.env += ["GREETING=hi"]'
  run
  status_is 7
  grep -qF "argc=6 [/bin/hello] [one] [two  words] [a\"b\\c] [it's] [--] PATH=/usr/local/sbin:" "$work/out" || wrong "$(cat "$work/out")"
  grep -qF "GREETING=hi" "$work/out" || wrong "$(cat "$work/out")"
}
case_an_empty_argument() {
  program /bin/hello ''
  run
  if [ "$kernel_version" = 0.17.0 ]; then
    status_is 1
    says "/process/args/1: "
  else
    status_is 7
    grep -qF "argc=2 [/bin/hello] []" "$work/out" || wrong "$(cat "$work/out")"
  fi
}
case_status() {
  local pair
  for pair in 300:44 abort:134 kill:143 segv:139 ud2:132; do
    program /bin/does "${pair%:*}"
    run
    status_is "${pair#*:}"
  done
}
case_a_life() {
  program /bin/does spin
  rt create --kernel "$kernel" --bundle "$bundle" --pid-file "$work/pid" c1 >"$work/c.out" 2>&1 </dev/null || wrong "create: $(cat "$work/c.out")"
  become c1 created
  [ "$(rt state c1 | jq -r '.annotations["dev.runhl.isolation"]')" = emulated ] || wrong "isolation: $(rt state c1)"
  [ "$(rt state c1 | jq -r '.annotations["dev.runhl.kernel"]')" = "$kernel" ] || wrong "kernel: $(rt state c1)"
  rt start c1 || wrong "start"
  become c1 running
  kill -0 "$(cat "$work/pid")" || wrong "no process $(cat "$work/pid")"
  rt kill c1 USR1 2>"$work/err" && wrong "USR1 was taken"
  says "signal 10"
  rt kill c1 WINCH || wrong "WINCH was refused"
  rt delete c1 2>/dev/null && wrong "deleted while it runs"
  rt kill c1 KILL || wrong "kill"
  become c1 stopped
  rt delete c1 || wrong "delete"
  rt state c1 >/dev/null 2>&1 && wrong "it is still there"
  [ -z "$(ls "$state" 2>/dev/null | grep -v kvm)" ] || wrong "left in the state: $(ls "$state")"
}
case_a_program_that_was_not_started_can_be_killed() {
  program /bin/hello
  rt create --kernel "$kernel" --bundle "$bundle" c1 >"$work/c.out" 2>&1 </dev/null || wrong "create: $(cat "$work/c.out")"
  [ ! -s "$work/c.out" ] || grep -q slow "$work/c.out" || wrong "the program ran: $(cat "$work/c.out")"
  rt kill c1 KILL
  become c1 stopped
  rt delete c1
}
case_signals_end_it() {
  program /bin/does spin
  local pair
  for pair in TERM:143 INT:130 KILL:137; do
    rt run --kernel "$kernel" --bundle "$bundle" c1 >/dev/null 2>"$work/err" </dev/null &
    local pid=$!
    become c1 running
    rt kill c1 "${pair%:*}"
    wait "$pid"
    status=$?
    status_is "${pair#*:}"
  done
}
case_the_monitors_death_ends_it() {
  program /bin/does spin
  rt create --kernel "$kernel" --bundle "$bundle" --pid-file "$work/pid" c1 >/dev/null 2>&1 </dev/null
  rt start c1
  [ "$(emulators)" -eq 1 ] || wrong "no software CPU to begin with"
  kill -KILL "$(cat "$work/pid")"
  emulators_become 0 || wrong "a software CPU outlives the monitor"
  become c1 stopped
  rt delete c1
}
case_pause() {
  [ -w /sys/fs/cgroup/freezer ] || { skip "pause: no freezer of version 1 to write to" && return; }
  program /bin/does spin
  edit '.linux.cgroupsPath = "/runhl-upstream-test"'
  rt create --kernel "$kernel" --bundle "$bundle" c1 >/dev/null 2>"$work/err" </dev/null || wrong "$(cat "$work/err")"
  rt start c1
  rt pause c1 || wrong pause
  become c1 paused
  grep -q FROZEN /sys/fs/cgroup/freezer/runhl-upstream-test/cells/freezer.state || wrong "not frozen"
  [ "$(wc -l </sys/fs/cgroup/freezer/runhl-upstream-test/cells/cgroup.procs)" -eq 2 ] || wrong "not both of the guest's processes are in there"
  rt resume c1 || wrong resume
  become c1 running
  rt pause c1
  rt kill c1 KILL
  become c1 stopped
  rt delete c1
  [ ! -e /sys/fs/cgroup/freezer/runhl-upstream-test ] || wrong "its control group is left"
}
case_standard_streams() {
  program /bin/does copy
  seq 1 20000 >"$work/in"
  rt run --kernel "$kernel" "$bundle/" <"$work/in" >"$work/out" 2>"$work/err"
  status=$?
  status_is 0
  cmp -s "$work/in" "$work/out" || wrong "other bytes come out"
}
granted() {
  rm -rf "$work/host" && mkdir -p "$work/host/sub"
  echo -n contents >"$work/host/file"
  ln -s /etc/passwd "$work/host/absolute"
}
case_binds() {
  granted
  edit '.mounts += [{destination: "/data/deep/er", type: "bind", source: $source, options: ["rbind"]}]' --arg source "$work/host"
  program /bin/files read /data/deep/er/file write /data/deep/er/new=hello read /data/deep/er/absolute
  run
  status_is 0
  out_is "read: contents
write:
read: EACCES"
  [ "$(cat "$work/host/new")" = hello ] || wrong "what was written is not there"
  edit '.mounts[-1].options += ["ro"]'
  program /bin/files read /data/deep/er/file write /data/deep/er/more=x remove /data/deep/er/new
  run
  out_is "read: contents
write: EROFS
remove: EROFS"
}
case_the_ceiling_holds() {
  granted
  chmod 600 "$work/host/file" && chown 1000:1000 "$work/host/file"
  edit '.mounts += [{destination: "/data", type: "bind", source: $source, options: ["rbind"]}] | del(.process.capabilities)' --arg source "$work/host"
  program /bin/files read /data/file
  run
  out_is "read: EACCES"
  edit '.process.capabilities.bounding = ["CAP_DAC_OVERRIDE"]'
  run
  out_is "read: contents"
}
case_files_are_copied() {
  granted
  printf '127.0.0.1 localhost\n10.0.0.9 container' >"$work/host/hosts"
  mkdir -p "$bundle/rootfs/etc" && echo 'of the image, and longer than the other' >"$bundle/rootfs/etc/hosts"
  edit '.mounts += [{destination: "/etc/hosts", type: "bind", source: ($d + "/hosts"), options: ["rbind"]},
    {destination: "/opt/app/config", type: "bind", source: ($d + "/file"), options: ["rbind", "ro"]}]' --arg d "$work/host"
  program /bin/files read /etc/hosts read /opt/app/config append /etc/hosts=x
  run
  status_is 0
  out_is "read: 127.0.0.1 localhost
10.0.0.9 container
read: contents
append:"
  [ "$(tail -c 9 "$work/host/hosts")" = container ] || wrong "the host's file was written"
}
case_directory_and_hostname() {
  program /bin/where
  edit '.process.cwd = "/made/up" | .hostname = "some-host"'
  run
  status_is 0
  out_is "/made/up some-host"
}
case_programs_are_found_in_the_path() {
  program hello
  edit '.process.env = ["PATH=/nosuch:/bin"]'
  run
  status_is 0
  out_is "argc=1 [hello] PATH=/nosuch:/bin GREETING=none"
}
case_programs_that_cannot_run() {
  local row
  for row in "/bin/nosuch 127 no such file" "nosuch 127 executable file not found in \$PATH" "/bin/not-pie 126 permission denied" \
    "/etc/text 126 permission denied" "/bin 126 permission denied"; do
    # shellcheck disable=SC2086  # words
    set -- $row
    program "$1"
    run
    status_is "$2"
    says "${row#* * }"
  done
  granted
  edit '.mounts += [{destination: "/data", type: "bind", source: $source, options: ["rbind"]}]' --arg source "$work/host"
  program /data/nosuch
  run
  status_is 127
}
case_a_root_file_system_that_changed_is_converted_again() {
  program /bin/files read /etc/text
  run
  out_is "read: a text"
  echo "another text" >"$bundle/rootfs/etc/text"
  run
  out_is "read: another text"
}
case_changes_stay_in_memory() {
  program /bin/files write /etc/text=changed read /etc/text
  run
  out_is "write:
read: changed"
  [ "$(cat "$bundle/rootfs/etc/text")" = "a text" ] || wrong "the bundle was written"
}
case_refusals() {
  local row
  for row in '.process.user.uid = 1000|/process/user/uid' '.process.user.umask = 63|/process/user/umask' '.root.readonly = true|/root/readonly' \
    '.process.rlimits = [{type: "RLIMIT_NPROC", soft: 5, hard: 5}]|/process/rlimits/0' '.linux.maskedPaths = ["/etc/text"]|/linux/maskedPaths/0' \
    '.linux.readonlyPaths = ["/bin"]|/linux/readonlyPaths/0' '.hooks.startContainer = [{path: "/bin/hello"}]|/hooks/startContainer' \
    '.mounts = [{destination: "/x", type: "tmpfs", source: "tmpfs", options: ["size=1m"]}]|/mounts/0/options' \
    '.mounts = [{destination: "/x", type: "bind", source: "/etc/passwd", options: ["bind"]}]|/mounts/0/options' \
    '.mounts = [{destination: "/a b", type: "bind", source: "/tmp", options: ["bind"]}]|/mounts/0/destination' \
    '.linux.resources.memory.limit = 9000000|/linux/resources/memory/limit' '.process.args[1] = ("x" * 40000)|/process/args' \
    '.process.terminal = true|/process/terminal' '.annotations["dev.runhl.rootfs"] = "direct"|rootfs mode direct'; do
    make_bundle "${row%%|*}"
    refused "${row#*|}"
  done
  make_bundle .
  rt run --kernel "$kernel" --rootfs-size 1M "$bundle/" >"$work/out" 2>"$work/err" </dev/null && wrong "--rootfs-size was taken"
  rt run --kernel /nosuch "$bundle/" >"$work/out" 2>"$work/err" </dev/null && wrong "/nosuch was taken"
  says "--kernel: /nosuch"
  rt run --kernel /bin/true "$bundle/" >"$work/out" 2>"$work/err" </dev/null && wrong "/bin/true was taken"
  says "kernel: "
  timeout 60 "$runhl" --root "$state" --isolation=cell run --kernel "$kernel" "$bundle/" >/dev/null 2>"$work/err" </dev/null && wrong "a cell was given"
  says "--isolation=cell"
  timeout 60 "$runhl" --root "$state" --isolation=emulated run "$bundle/" >/dev/null 2>"$work/err" </dev/null && wrong "our kernel was emulated"
  says "only upstream kernels"
  [ -z "$(ls "$state" 2>/dev/null | grep -v kvm)" ] || wrong "left in the state: $(ls "$state")"
  [ "$(emulators)" -eq 0 ] || wrong "a software CPU is left"
}
case_annotations_name_kernels_of_the_store_alone() {
  local value
  for value in "$kernel" ./kernel ../x "" nosuch registry.invalid/x/y:1; do
    make_bundle '.annotations["dev.runhl.kernel"] = $value' --arg value "$value"
    rt run "$bundle/" >"$work/out" 2>"$work/err" </dev/null && wrong "\"$value\" was taken"
    says "/annotations/dev.runhl.kernel"
  done
}
case_annotations_choose_a_kernel() {
  local missing store=$work/store
  missing=$(registry_tools) || { skip "annotations_choose_a_kernel: $missing" && return; }
  registry_start
  push_file "$kernel" kernel upstream/kernel:1 >"$work/err" 2>&1 || wrong "cannot push: $(tail -n 3 "$work/err")"
  "$runhl" kernel pull -q --store "$store" "$registry/upstream/kernel:1" >"$work/out" 2>"$work/err" || wrong "$(cat "$work/err")"
  kill "$registry_pid"
  "$runhl" kernel use --store "$store" "$registry/upstream/kernel:1" || wrong "cannot choose it"
  local value
  for value in "$registry/upstream/kernel:1" default; do
    make_bundle '.annotations["dev.runhl.kernel"] = $value' --arg value "$value"
    program /bin/hello
    rt --store "$store" run "$bundle/" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    status_is 0
    grep -q "^argc=1" "$work/out" || wrong "printed $(cat "$work/out")"
  done
  timeout 60 "$runhl" --root "$state" --isolation=cell --store "$store" run "$bundle/" >/dev/null 2>"$work/err" </dev/null && wrong "a cell was given"
  says "--isolation=cell"
  # The option counts more; a name needs no annotation.
  make_bundle .
  program /bin/hello
  rt --store "$store" --kernel default run "$bundle/" >"$work/out" 2>"$work/err" </dev/null || wrong "$(cat "$work/err")"
  grep -q "^argc=1" "$work/out" || wrong "printed $(cat "$work/out")"
}
case_images() {
  command -v umoci >/dev/null || { skip "images: no umoci" && return; }
  local layout=$work/images
  [ -e "$layout" ] || { umoci init --layout "$layout" && umoci new --image "$layout:one" &&
    umoci unpack --rootless --image "$layout:one" "$work/one" && mkdir "$work/one/rootfs/bin" && cp "$bundle/rootfs/bin/where" "$work/one/rootfs/bin/" &&
    umoci repack --image "$layout:one" "$work/one" && umoci config --image "$layout:one" --config.cmd /bin/where --config.workingdir /srv; } >"$work/err" 2>&1 ||
    wrong "cannot make an image: $(tail -n 3 "$work/err")"
  "$runhl" load --store "$work/store" "oci:$layout:one" one >"$work/out" 2>"$work/err" || wrong "$(cat "$work/err")"
  rt run --store "$work/store" --kernel "$kernel" --hostname box one >"$work/out" 2>"$work/err" </dev/null
  status=$?
  status_is 0
  tr -d '\r' <"$work/out" >"$work/plain" && mv "$work/plain" "$work/out"
  out_is "/srv box"
}
case_is_jailed() {
  program /bin/does spin
  edit 'del(.process.capabilities)'
  rt create --kernel "$kernel" --bundle "$bundle" --pid-file "$work/pid" c1 >/dev/null 2>&1 </dev/null
  rt start c1
  local pid line
  pid=$(pgrep -P "$(cat "$work/pid")" -x runhl-boot)
  for line in "Seccomp:	2" "NoNewPrivs:	1" "CapEff:	0000000000000000" "CapPrm:	0000000000000000"; do
    grep -qx "$line" "/proc/$pid/status" || wrong "no \"$line\": $(grep -E 'Seccomp|NoNew|Cap' "/proc/$pid/status" | tr '\n' ' ')"
  done
  grep -qx "CapEff:	0000000000000000" "/proc/$(pgrep -P "$pid" -x runhl-emu)/status" || wrong "the software CPU has capabilities"
  [ -z "$(ls -A "/proc/$pid/root/")" ] || wrong "it sees files: $(ls "/proc/$pid/root/")"
  [ "$(ls "/proc/$pid/fd" | wc -l)" -le 12 ] || wrong "its files: $(ls -l "/proc/$pid/fd")"
  rt delete --force c1
}

emulators() { find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$emulator" 2>/dev/null | wc -l; }
emulators_become() {
  local tries=0
  until [ "$(emulators)" -eq "$1" ] || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
  [ "$(emulators)" -eq "$1" ]
}

if [ ! -x "$runhl" ]; then echo "upstream: no $runhl" >&2 && exit 2; fi
if [ "$(id -u)" -ne 0 ]; then skip_all "all: needs root"; fi
bin=$(dirname "$(readlink -f "$runhl")")
emulator=$(readlink -e "$bin/../libexec/runhl/runhl-emu" || readlink -e "$bin/../libexec/runhl-emu")
if [ -z "$emulator" ]; then skip_all "all: runhl was built without the software CPU (RUNHL_EMU)"; fi
bash "$here/make_archive.sh" "$work/root.cpio" || { echo "FAILED: make_archive.sh" && failed=1 && finish; }
export XDG_CACHE_HOME=$work/cache
for version in 0.20.1 0.17.0; do
  if ! kernel=$(bash "$here/fetch_kernel.sh" "$version" 2>"$work/why"); then
    skip "kernel $version: $(cat "$work/why")"
    continue
  fi
  kernel_version=$version
  cases=$(sed -n 's/^case_\([a-z0-9_]*\)() .*/\1/p' "$0")
  [ "$version" = 0.20.1 ] || cases="prints_and_returns an_empty_argument binds directory_and_hostname a_life"
  for name in $cases; do
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    good=1
    make_bundle .
    "case_$name"
    if [ "$good" -eq 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: upstream containers $version $name"; fi
  done
done
finish
