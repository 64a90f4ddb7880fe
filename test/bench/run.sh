#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints one markdown table: runhl beside crun and runc, in one interleaved run.
#
#   RUNHL=/path/to/runhl test/bench/run.sh [--smoke] [--rounds N] [--out FILE] [--debian DIR]
#
# Every figure is of isolation `cell` and of this machine, of the whole process, as a median. The
# bundles are the same for all. crun's own fastest way (cgroups disabled) has a column where the
# bundle asks for no cgroup. --smoke: a few rounds, to see that each line can be measured. --debian: a
# Debian tree with python3 and gcc (debootstrap --include=python3,gcc,libc6-dev), for the rows of a
# whole userland; they are left out without it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8
original=("$@")
rounds=200 idle=100 files=50000 file_bytes=21500 calls=5 families=100 family_runs=7 walks=7 userlands=20 out=/dev/null debian=""
while [ $# -gt 0 ]; do
  case $1 in
    --smoke) rounds=3 idle=5 files=1000 calls=1 families=3 family_runs=1 walks=1 userlands=1 && shift ;;
    --rounds) rounds=$2 && shift 2 ;;
    --out) out=$2 && shift 2 ;;
    --debian) debian=$(readlink -f "$2") && shift 2 ;;
    *) echo "usage: test/bench/run.sh [--smoke] [--rounds N] [--out FILE] [--debian DIR]" >&2 && exit 2 ;;
  esac
done
runhl=$(readlink -f "${RUNHL:-build/installed/bin/runhl}") && [ -x "$runhl" ] ||
  { echo "bench: no ${RUNHL:-build/installed/bin/runhl}" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "bench: needs root (cgroups, namespaces)" >&2; exit 2; }

# crun 1.8 refuses a hybrid cgroup tree; all runtimes run where its empty part is hidden.
if [ -z "${BENCH_INSIDE:-}" ]; then
  BENCH_INSIDE=1 RUNHL=$runhl exec unshare --mount --propagation private \
    bash test/bench/run.sh "${original[@]}"
fi
[ ! -d /sys/fs/cgroup/unified ] || mount -n -t tmpfs none /sys/fs/cgroup/unified

T=$(mktemp -d /tmp/rb.XXXXXX)
tag=bench-$$
# State lies in memory, as /run does where these runtimes keep theirs. A disk file system shows itself
# instead: ext4 gives out no inode that was freed in the last seconds, so each start of a loop would
# search longer than the one before.
mkdir "$T/roots" && mount -n -t tmpfs none "$T/roots" || exit 2
runtimes=(runhl crun runc)
binary() { if [ "$1" = runhl ]; then echo "$runhl"; else command -v "$1"; fi; }
for r in "${runtimes[@]}"; do [ -n "$(binary $r)" ] || { echo "bench: no $r" >&2; exit 2; }; done
cleanup() {
  for r in "${runtimes[@]}"; do
    for id in $("$(binary $r)" --root "$T/roots/$r" list -q 2>/dev/null); do
      "$(binary $r)" --root "$T/roots/$r" delete --force "$id" >/dev/null 2>&1
    done
  done
  rmdir /sys/fs/cgroup/*/"$tag" 2>/dev/null
  umount -n "$T/roots"
  rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 143' TERM INT HUP

for source in test/bench/*.c; do
  gcc -O2 -Wall -Wextra -Werror -o "$T/$(basename "$source" .c)" "$source" || exit 2
done
bash test/support/make_programs.sh "$T/programs" || exit 2

bundle() {  # name program jq
  mkdir -p "$T/$1/rootfs"/{bin,dev,etc,proc,sys}
  cp "$T/programs/$2" "$T/$1/rootfs/bin/$2"
  echo root:x:0:0::/:/bin/sh >"$T/$1/rootfs/etc/passwd"
  jq --arg program "/bin/$2" --arg tag "$tag" ".process.args = [\$program] | $3" \
    test/support/config.json >"$T/$1/config.json"
}
minimal='.linux.namespaces = [{type: "pid"}, {type: "mount"}] | del(.hostname, .linux.resources, .linux.maskedPaths, .linux.readonlyPaths)
  | .mounts = [{destination: "/proc", type: "proc", source: "proc"}]'
limited='.linux.cgroupsPath = "/\($tag)/c" | .linux.resources += {memory: {limit: 134217728}, pids: {limit: 100}, cpu: {quota: 100000, period: 100000}}'
bundle minimal nothing "$minimal"
bundle default nothing "$limited"
bundle big nothing "$minimal"
mkdir "$T/big/rootfs/data"
"$T/make_files" "$T/big/rootfs/data" "$files" "$file_bytes" || { echo "bench: no room for $files files" >&2; exit 2; }
bundle calls hot_calls "$minimal | .process.args += [\"$calls\"]"
bundle family family "$minimal | .process.args += [\"$families\"]"
bundle idle idle "$limited"

rt() { local r=$1 && shift && "$(binary "$r")" --root "$T/roots/$r" "$@"; }

# --- whole-process times -------------------------------------------------------------------------
row() {  # label file divisor unit
  awk -v label="$1" -v d="$3" -v unit="$4" '
    {v[$1] = $2; p10[$1] = $3; p90[$1] = $4; bad[$1] = $5}
    function cell(n) {
      if (!(n in v)) return "–"
      if (bad[n]) return sprintf("failed ×%d", bad[n])
      return sprintf("%.2f %s", v[n] / d, unit)
    }
    END {
      ratio = ("runhl" in v && "crun" in v && !bad["runhl"] && v["crun"] > 0) ? sprintf("%.2f", v["runhl"] / v["crun"]) : "–"
      printf "| %s | %s | %s | %s | %s |\n", label, cell("runhl"), cell("crun"), cell("runc"), ratio
      exit bad["runhl"] > 0
    }' "$2" | tee -a "$T/table"
  return "${PIPESTATUS[0]}"
}
status=0

run_times() {  # bundle label [crun options]
  "$T/interleave" "$rounds" \
    :: runhl "$runhl" --root "$T/roots/runhl" run --bundle "$T/$1" c \
    :: crun crun "${@:3}" --root "$T/roots/crun" run --bundle "$T/$1" c \
    :: runc runc --root "$T/roots/runc" run --bundle "$T/$1" c >"$T/times"
  row "$2" "$T/times" 1000 ms || status=1
}
# What the last times were made of: the medians of all processes of a run together.
costs() {
  cost "– CPU time of all its processes" 6 1000 ms
  cost "– page faults" 7 1 ""
  cost "– context switches" 8 1 ""
}
cost() {  # label column divisor unit
  awk -v column="$2" '{print $1, $column, 0, 0, $5}' "$T/times" >"$T/cost"
  row "$1" "$T/cost" "$3" "$4" || status=1
}
lives() {  # bundle label
  local r chains=()
  for r in "${runtimes[@]}"; do
    chains+=(:: "$r" "$(binary $r)" --root "$T/roots/$r" create --bundle "$T/$1" c
      + "$(binary $r)" --root "$T/roots/$r" start c
      + "$(binary $r)" --root "$T/roots/$r" delete --force c)
  done
  "$T/interleave" "$rounds" "${chains[@]}" >"$T/times"
  row "$2" "$T/times" 1000 ms || status=1
}

{
  echo "| what | runhl (cell) | crun | runc | runhl/crun |"
  echo "|---|---|---|---|---|"
} | tee "$T/table"
run_times minimal "run of a static program, minimal bundle (crun: cgroups disabled)" --cgroup-manager=disabled
costs
run_times minimal "the same, crun as it comes"
run_times default "run, default spec + memory, pids, cpu limits, new netns"
costs
lives default "create + start + delete, the same bundle"
run_times big "run, minimal, rootfs of $((files * (file_bytes / 1024 + 1) / 1024)) MiB in $files files" --cgroup-manager=disabled

# The two forms of the root file system: the archive was made before the first round.
"$runhl" --root "$T/root-runhl" run --rootfs-mode initrd --cache "$T/cache" --bundle "$T/minimal" c </dev/null >/dev/null
"$T/interleave" "$rounds" \
  :: initrd "$runhl" --root "$T/root-runhl" run --rootfs-mode initrd --cache "$T/cache" --bundle "$T/minimal" c \
  :: direct "$runhl" --root "$T/root-runhl" run --bundle "$T/minimal" c >"$T/times"
awk '{v[$1] = $2; bad += $5} END {printf "| run, minimal, rootfs mode initrd / direct: %.2f | %.2f / %.2f ms | – | – | – |\n", v["initrd"] / v["direct"], v["initrd"] / 1000, v["direct"] / 1000; exit bad > 0}' \
  "$T/times" | tee -a "$T/table"
[ "${PIPESTATUS[0]}" -eq 0 ] || status=1

# What starting and reaping any process costs here: the floor under all rows.
"$T/interleave" "$rounds" :: native "$T/programs/nothing" >"$T/times"
awk '{printf "| spawn + wait of the static program, native | %.2f ms | | | |\n", $2 / 1000}' "$T/times" | tee -a "$T/table"

# --- inside ----------------------------------------------------------------------------------------
for r in "${runtimes[@]}"; do
  rt "$r" run --bundle "$T/calls" calls </dev/null >"$T/calls.$r" 2>"$T/calls.err" ||
    { echo "bench: hot_calls with $r: $(head -c 300 "$T/calls.err")" >&2; status=1; }
done
"$T/programs/hot_calls" "$calls" >"$T/calls.native"
for call in getppid lseek clock_gettime clock_gettime-vdso page-fault; do
  awk -v c="$call" '$1 == c {n = split(FILENAME, part, "."); print part[n], $2, 0, 0, 0}' "$T"/calls.{runhl,crun,runc} >"$T/times"
  row "$call, each" "$T/times" 1 ns || status=1
done
# Processes of one program: microseconds each. In turn, and the best of several runs: where two
# processes come to lie on two CPUs that sleep in between, a switch takes 10 to 20 times as long
# (natively, too), and keeps doing so for the whole run.
keep_best() {  # file of lines "name figure": merges them into $2
  touch "$2" && cat "$1" "$2" | awk '!($1 in best) || $2 < best[$1] {best[$1] = $2} END {for (name in best) print name, best[name]}' >"$T/best" &&
    mv "$T/best" "$2"
}
for ((i = 0; i < family_runs; ++i)); do
  for r in "${runtimes[@]}"; do
    rt "$r" run --bundle "$T/family" family </dev/null >"$T/family.once" 2>"$T/family.err" ||
      { echo "bench: family with $r: $(head -c 300 "$T/family.err")" >&2; status=1; }
    keep_best "$T/family.once" "$T/family.$r"
  done
  "$T/programs/family" "$families" >"$T/family.once"
  keep_best "$T/family.once" "$T/family.native"
done
for cost in fork-wait fork-exec-wait spawn-wait pipe-round-trip thread-round-trip; do
  awk -v c="$cost" '$1 == c {n = split(FILENAME, part, "."); print part[n], $2, 0, 0, 0}' "$T"/family.{runhl,crun,runc} >"$T/times"
  row "$cost" "$T/times" 1 us || status=1
  awk -v c="$cost" '$1 == c {printf "| %s, native | %.1f us | | | |\n", c, $2}' "$T/family.native" | tee -a "$T/table"
done
# Which share of the calls went by signal (trapped) instead of by the rewritten site: the guest's own
# counters, which the monitor logs at its end.
"$runhl" --root "$T/roots/runhl" --debug --log "$T/debug.log" run --bundle "$T/calls" counted </dev/null >/dev/null
awk '{for (i = 1; i < NF; ++i) {if ($i == "fast_syscalls") f = $(i + 1) + 0; if ($i == "trapped_syscalls") t = $(i + 1) + 0}}
     END {if (!f) exit 1; printf "| hot calls: share that trapped | %.4f %% of %d | – | – | – |\n", 100 * t / (f + t), f + t}' \
  "$T/debug.log" | tee -a "$T/table" || status=1

# The same program walks the same tree natively, from an archive and through the monitor, in turn.
bundle walk walk_tree "$minimal | .process.args += [\"/data\", \"1\"]"
mv "$T/big/rootfs/data" "$T/walk/rootfs/data"
: >"$T/walk.all"
walk_once() {  # name command…
  "${@:2}" </dev/null 2>>"$T/walk.err" | sed "s/^/$1 /" >>"$T/walk.all"
}
for n in $(seq 0 "$walks"); do
  [ "$n" -ne 1 ] || : >"$T/walk.all"  # the first round converts and fills caches
  walk_once native "$T/programs/walk_tree" "$T/walk/rootfs/data" 1
  walk_once initrd "$runhl" --root "$T/root-runhl" run --rootfs-mode initrd --cache "$T/cache" --bundle "$T/walk" c
  walk_once direct "$runhl" --root "$T/root-runhl" run --bundle "$T/walk" c
done
sort -k1,2 -k4n "$T/walk.all" | awk '
  {key = $1 " " $2; v[key, ++n[key]] = $4; entries = $3}
  function median(key) {return v[key, int((n[key] + 1) / 2)]}
  END {
    split("names attributes contents", what, " ")
    for (i = 1; i <= 3; ++i) {
      native = median("native " what[i]); a = median("initrd " what[i]); b = median("direct " what[i])
      if (!native || !a || !b) exit 1
      printf "| walk of %d entries, %s: initrd / native %.2f, direct / native %.2f | %.1f / %.1f ms | – | – | native %.1f ms |\n", entries, what[i], a / native, b / native, a / 1000, b / 1000, native / 1000
    }
  }' | tee -a "$T/table"
[ "${PIPESTATUS[1]}" -eq 0 ] || { echo "bench: walk_tree: $(head -c 300 "$T/walk.err")" >&2; status=1; }

# --- a Debian userland ------------------------------------------------------------------------------
# Whole processes: `runhl run` on the directory beside a chroot to it, in turn. Both write to a tmpfs.
userland() {  # rounds label command…
  local rounds=$1 label=$2
  shift 2
  mkdir -p "$T/userland"
  jq --arg root "$debian" --arg sources "$PWD/test/programs" --args "$minimal"'
    | .process.args = $ARGS.positional | .root = {path: $root, readonly: false}
    | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"]},
                  {destination: "/mnt", type: "bind", source: $sources, options: ["bind", "ro"]}]
    ' -- "$@" <test/support/config.json >"$T/userland/config.json"
  "$T/interleave" "$rounds" \
    :: native chroot "$debian" /usr/bin/env -i PATH=/usr/bin:/bin "$@" \
    :: runhl "$runhl" --root "$T/roots/runhl" run --bundle "$T/userland" c >"$T/times"
  awk -v label="$label" '{v[$1] = $2 / 1000; bad += $5}
    END {printf "| %s: runhl / native %.2f, native / runhl %.2f, %+.1f ms | %.1f ms | – | – | native %.1f ms |\n", label, v["runhl"] / v["native"], v["native"] / v["runhl"], v["runhl"] - v["native"], v["runhl"], v["native"]; exit bad > 0}' \
    "$T/times" | tee -a "$T/table"
  [ "${PIPESTATUS[0]}" -eq 0 ] || status=1
}
if [ -n "$debian" ]; then
  mount -n -t tmpfs none "$debian/tmp" && mount -n --bind test/programs "$debian/mnt" || exit 2  # ours alone
  userland "$userlands" "python3 -c 'print(1)'" /usr/bin/python3 -c 'print(1)'
  # shellcheck disable=SC2016  # meant for the shell inside
  userland "$((userlands / 5 + 1))" "gcc of the $(ls test/programs/*.c | wc -l) test programs" \
    /bin/bash -ec 'for f in /mnt/*.c; do gcc -O1 -o "/tmp/${f##*/}.out" "$f"; done'
  # shellcheck disable=SC2016
  userland "$((userlands / 5 + 1))" "bash: 1000 external commands" /bin/bash -ec 'for ((i = 0; i < 1000; ++i)); do /bin/true; done'
  umount -n "$debian/mnt" "$debian/tmp"
fi

# --- many idle containers --------------------------------------------------------------------------
# Memory as promised: the container's cgroup without file cache (shmem is not file cache), plus the
# PSS of its processes outside that cgroup.
idle_memory() {  # runtime → bytes of all
  local n total=0 base usage cache shmem
  for n in $(seq "$idle"); do
    base=/sys/fs/cgroup/memory/$tag/i$n
    usage=$(cat "$base/memory.usage_in_bytes")
    read -r cache shmem < <(awk '$1 == "total_cache" {c = $2} $1 == "total_shmem" {s = $2} END {print c + 0, s + 0}' "$base/memory.stat")
    total=$((total + usage - cache + shmem))
  done
  echo "$total"
}
: >"$T/memory" && : >"$T/rate"
for r in "${runtimes[@]}"; do
  bad=0
  for n in $(seq "$idle"); do
    mkdir -p "$T/idle.$n"
    jq --arg path "/$tag/i$n" --arg root "$T/idle/rootfs" '.linux.cgroupsPath = $path | .root.path = $root' \
      "$T/idle/config.json" >"$T/idle.$n/config.json"
  done
  began=${EPOCHREALTIME/./}
  for n in $(seq "$idle"); do
    rt "$r" run --detach --bundle "$T/idle.$n" "i$n" </dev/null >/dev/null 2>"$T/idle.err" || bad=$((bad + 1))
  done
  took=$((${EPOCHREALTIME/./} - began))
  [ "$bad" -eq 0 ] || { echo "bench: idle with $r: $(head -c 300 "$T/idle.err")" >&2; status=1; }
  echo "$r $(awk -v n="$idle" -v us="$took" 'BEGIN {print n * 1e6 / us}') 0 0 $bad" >>"$T/rate"
  echo "$r $(awk -v b="$(idle_memory "$r" 2>/dev/null || echo 0)" -v n="$idle" 'BEGIN {print b / n}') 0 0 $bad" >>"$T/memory"
  for n in $(seq "$idle"); do rt "$r" delete --force "i$n" >/dev/null 2>&1; done
done
row "memory of an idle container, of $idle (cgroup without file cache)" "$T/memory" 1024 KiB || status=1
row "containers started a second, one after another (run --detach)" "$T/rate" 1 /s || status=1

# --- where a start goes ----------------------------------------------------------------------------
# Time in system calls of all processes of one run, by step. strace stretches each call; the shares
# are what this shows, not the sums.
if command -v strace >/dev/null; then
  strace -f -T -qq -o "$T/trace" "$runhl" --root "$T/roots/runhl" run --bundle "$T/default" c </dev/null >/dev/null 2>&1
  {
    echo
    echo "| step of \`runhl run\`, default bundle (under strace) | calls | time in them |"
    echo "|---|---|---|"
    sed -n 's/^\([0-9]*\) *\([a-z0-9_]*\)(\(.*\)<\([0-9.]*\)>$/\2 \4 \3/p' "$T/trace" | awk '
      function step(name, rest) {
        if (rest ~ /sys\/fs\/cgroup/) return "cgroup"
        if (name ~ /^(clone|clone3|fork|vfork|execve)$/) return "processes"
        if (name ~ /^(mount|umount2|pivot_root|open_tree|move_mount|mount_setattr|fsopen|fsconfig|fsmount)$/) return "mounts"
        if (name ~ /^(unshare|setns|sethostname)$/) return "namespaces"
        if (name ~ /^(seccomp|landlock|prctl|capset|setresuid|setresgid|setuid|setgid|setgroups|setfsuid|setfsgid|prlimit64)/) return "confinement"
        if (name ~ /^(futex|poll|ppoll|epoll_wait|epoll_pwait|wait4|waitid|pause|rt_sigtimedwait)$/) return "waiting"
        if (name ~ /^(mmap|munmap|mprotect|madvise|brk|memfd_create|ftruncate|mremap)$/) return "memory"
        if (name ~ /^(socket|bind|connect|sendmsg|recvmsg|sendto|recvfrom|ioctl)$/) return "sockets, ioctl"
        return "files and the rest"
      }
      {s = step($1, $0); n[s]++; t[s] += $2}
      END {for (s in n) printf "| %s | %d | %.0f us |\n", s, n[s], t[s] * 1e6}' | sort
  } | tee -a "$T/table"
fi

echo
echo "$(date -u +%F), $(uname -r), $(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1); $rounds rounds; $("$runhl" --version | head -n 1); $(crun --version | head -n 1); $(runc --version | head -n 1)" | tee -a "$T/table"
[ "$out" = /dev/null ] || cp "$T/table" "$out"
exit $status
