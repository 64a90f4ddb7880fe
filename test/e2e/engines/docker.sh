#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real dockerd and containerd, `docker run --runtime=runhl` beside `--runtime=runc`: outputs, exit
# codes and what is left must agree.
#
#   RUNHL=/path/to/runhl test/e2e/engines/docker.sh [CASE…]      (RUNTIME=crun: check a peer instead)
#
# Not here, because they fail for runc and crun too where CAP_SYS_RESOURCE is absent: --privileged,
# --cap-add ALL, a negative --oom-score-adj, --ulimit above the hard limits.
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 2
export LC_ALL=C.UTF-8
. test/support/engines.sh
. test/support/engine_cases.sh

# A hang is a failure, not the end of the gate.
run() { timeout 60 /usr/bin/docker run --rm --network none --runtime="$rt" "$@"; }
detached() { timeout 60 /usr/bin/docker run -d --network none --runtime="$rt" --name "$name" "$@" >/dev/null; }
docker() { timeout 60 /usr/bin/docker "$@"; }
said() { docker logs "$name" 2>&1 | grep -qF "$1"; }

# Each case runs once with runc and once with the runtime under test; what it prints must agree.

case_sha256sum() { run bb:1 /bin/busybox sha256sum /etc/passwd; }
case_exit_codes() {
  local code
  for code in 0 1 42 255; do
    run bb:1 sh -c "exit $code"
    echo "$code -> $?"
  done
}
case_command_not_found() {
  run bb:1 no-such-command >/dev/null 2>&1
  echo $?
}
case_not_executable() {
  run bb:1 /etc/passwd >/dev/null 2>&1
  echo $?
}
case_arguments() { run bb:1 printf '<%s>\n' 'a  b' '' 'grüße 🦀' $'new\nline'; }
case_streams() {
  run bb:1 sh -c 'echo out; echo err >&2' 2>"$dir/err"
  echo "stderr: $(cat "$dir/err")"
}
case_piped_stdin() {
  seq 1 20000 | run -i bb:1 sha256sum
  printf 'first\nsecond\n' | run -i bb:1 sh -c 'read a; echo "got $a"; cat'
}
case_no_stdin() { echo ignored | run bb:1 sh -c 'wc -c'; }
case_big_output() { run bb:1 sh -c 'seq 1 400000' | sha256sum; }
case_user() {
  run --user 1000 bb:1 id -u
  run --user app bb:1 steps uid 'write /etc/new x' 'write /etc/passwd x' 'write /tmp/mine x' 'mode /tmp/mine' 2>/dev/null
  run --user 1000:7 bb:1 show | grep -E '^(uid|groups)'
  run --user root --cap-drop ALL bb:1 steps uid 'write /home/app/f x' 2>/dev/null
}
case_env() { run --env 'A=b c' --env EMPTY= bb:1 sh -c 'echo "<$A>$EMPTY<$HOME>"'; }
case_workdir() {
  run --workdir /tmp bb:1 pwd
  run --workdir /made/up bb:1 pwd
}
case_read_only() {
  run --read-only bb:1 steps 'write /new x' 'mkdir /d' 'count /etc/passwd' 2>/dev/null
  run --read-only --tmpfs /scratch bb:1 steps 'write /scratch/f x' 'cat /scratch/f'
}
case_hostname() { run --hostname some-host bb:1 hostname; }
case_volume() {
  mkdir -p "$dir/vol"
  echo host >"$dir/vol/file"
  run -v "$dir/vol:/v" bb:1 steps 'cat /v/file' 'write /v/new guest'
  cat "$dir/vol/new"
  run -v "$dir/vol:/v:ro" bb:1 steps 'write /v/file x' 'rm /v/new' 'write /v/more x' 2>/dev/null
  ls "$dir/vol"
  rm -rf "$dir/vol"
}
case_etc_files() { run --hostname h1 bb:1 steps 'cat /etc/hostname' 'cat /etc/hosts' 'kind /etc/resolv.conf'; }
case_writes_are_in_the_layer() {
  detached bb:1 sh -c 'echo kept >/kept'
  docker wait "$name"
  docker diff "$name"
  docker cp "$name:/kept" - | tar -xO
  docker rm "$name" >/dev/null
}
case_logs_and_wait() {
  detached bb:1 sh -c 'echo one; echo two >&2; exit 3'
  docker wait "$name"
  docker logs "$name" 2>&1 | sort
  docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' "$name"
  docker rm "$name" >/dev/null
}
case_stop() {
  detached bb:1 signals
  wait_until said ready
  docker stop "$name" >/dev/null
  docker inspect -f '{{.State.ExitCode}}' "$name"
  docker logs "$name"
  docker rm "$name" >/dev/null
}
case_stop_of_a_deaf_one() {
  detached bb:1 sleep 1000  # pid 1 without a handler does not get TERM
  docker stop -t 1 "$name" >/dev/null
  docker inspect -f '{{.State.ExitCode}}' "$name"
  docker rm "$name" >/dev/null
}
case_kill() {
  detached bb:1 sleep 1000
  docker kill "$name" >/dev/null
  docker wait "$name"
  docker rm "$name" >/dev/null
  detached bb:1 signals
  wait_until said ready
  docker kill -s USR1 "$name" >/dev/null
  wait_until said 'got 10'
  docker kill -s TERM "$name" >/dev/null
  docker wait "$name"
  docker rm "$name" >/dev/null
}
case_rm_force() {
  detached bb:1 sleep 1000
  docker rm -f "$name" >/dev/null && echo removed
  docker ps -aq --filter "name=$name"
}
case_restart() {
  detached bb:1 sh -c 'echo run; sleep 1000'
  wait_until said run
  docker restart -t 0 "$name" >/dev/null
  wait_until_count 2
  docker inspect -f '{{.State.Status}}' "$name"
  docker rm -f "$name" >/dev/null
}
wait_until_count() {
  enough() { [ "$(docker logs "$name" 2>&1 | grep -c run)" -ge "$1" ]; }
  wait_until enough "$1"
}
case_kill_9_of_the_pid() {
  detached bb:1 sleep 1000
  kill -KILL "$(docker inspect -f '{{.State.Pid}}' "$name")"
  docker wait "$name"
  docker rm "$name" >/dev/null
}
case_limits() {
  run --memory 64m --memory-swap 64m --cpus 0.5 --pids-limit 50 bb:1 echo limited
  detached --memory 64m --cpus 0.5 --pids-limit 50 bb:1 sleep 1000
  local pid
  pid=$(docker inspect -f '{{.State.Pid}}' "$name")
  cat "/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup" | sed "s|\(/$(docker inspect -f '{{.Id}}' "$name")\).*|\1|")/memory.limit_in_bytes"
  docker rm -f "$name" >/dev/null
}
case_out_of_memory() {
  detached --memory 32m --memory-swap 32m bb:1 touch_pages 200
  docker wait "$name"
  docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' "$name"
  docker rm "$name" >/dev/null
  # A child alone: its parent goes on, and the engine knows all the same.
  detached --memory 32m --memory-swap 32m bb:1 sh -c 'touch_pages 200; echo "child $?"; touch_pages 2; exit 3'
  docker wait "$name"
  docker logs "$name" 2>/dev/null
  docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' "$name"
  docker rm "$name" >/dev/null
  detached --memory 32m --memory-swap 32m bb:1 sh -c 'touch_pages 2; exit 3'
  docker wait "$name"
  docker inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' "$name"
  docker rm "$name" >/dev/null
  # Within a call, and while it changes its mappings.
  detached --memory 32m --memory-swap 32m bb:1 sh -c 'eat_memory populate 200; echo "child $?"; touch_pages 2; exit 3'
  docker wait "$name"
  docker logs "$name" 2>/dev/null
  docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}}' "$name"
  docker rm "$name" >/dev/null
}
case_pause() {
  detached bb:1 signals
  wait_until said ready
  docker pause "$name" >/dev/null
  docker inspect -f '{{.State.Status}}' "$name"
  docker pause "$name" >/dev/null 2>&1 || echo refused
  docker unpause "$name" >/dev/null
  docker inspect -f '{{.State.Status}}' "$name"
  docker kill -s USR1 "$name" >/dev/null
  wait_until said 'got 10'
  docker pause "$name" >/dev/null
  docker stop -t 5 "$name" >/dev/null
  docker wait "$name"
  docker rm "$name" >/dev/null
  detached bb:1 sleep 1000
  docker pause "$name" >/dev/null
  docker rm -f "$name" >/dev/null && echo removed
}
# What the engine sees of the files: by host paths, past the runtime.
listing() { docker cp "$name:$1" - | tar -tvf - | awk '{print $1, $2, $3, $6, $7, $8}' | sort; }
seen_by_the_engine() {  # label
  echo "$1:"
  docker diff "$name" | sort
  docker cp "$name:/made/file" - | tar -xO
  listing /made
  docker commit "$name" "image-$name" >/dev/null
  run "image-$name" steps 'cat /made/file' 'mode /made/file' 'kind /made/link' 'cat /made/link' 'kind /etc/group' 2>/dev/null
  docker rmi "image-$name" >/dev/null
}
case_files_as_the_engine_sees_them() {
  detached bb:1 sh -c '
    mkdir /made; echo one >/made/file; chmod 4640 /made/file; chown 1000:7 /made/file; ln -s file /made/link
    ln /made/file /made/hard; mkfifo /made/fifo; dd if=/dev/zero of=/made/big bs=65536 count=40 2>/dev/null
    rm /etc/group; mv /etc/passwd /etc/moved; echo ready
    until [ -f /from-outside ]; do usleep 20000; done
    cat /from-outside; echo two >>/made/file; mkdir -p /made/deep/deeper; echo written; sleep 1000'
  wait_until said ready
  seen_by_the_engine 'while it runs'
  echo 'from outside' >"$dir/outside"
  docker cp "$dir/outside" "$name:/from-outside"
  wait_until said written
  docker logs "$name"
  seen_by_the_engine 'after more'
  docker kill "$name" >/dev/null
  seen_by_the_engine 'after docker kill'
  docker rm "$name" >/dev/null
}
case_restart_goes_on_from_the_files() {
  detached bb:1 sh -c 'n=$(cat /count 2>/dev/null || echo 0); n=$((n + 1)); echo $n >/count; echo "run $n"; sleep 1000'
  wait_until said 'run 1'
  docker restart -t 0 "$name" >/dev/null
  wait_until said 'run 2'
  docker kill "$name" >/dev/null
  docker start "$name" >/dev/null
  wait_until said 'run 3'
  kill -KILL "$(docker inspect -f '{{.State.Pid}}' "$name")"
  docker wait "$name"
  docker start "$name" >/dev/null
  wait_until said 'run 4'
  docker rm -f "$name" >/dev/null
}
case_init() {
  run --init bb:1 sh -c 'echo under init; exit 4'
  echo $?
}
case_no_new_privileges() { run --security-opt no-new-privileges --cap-drop ALL bb:1 id -u; }
case_networks() {
  local kind
  for kind in none host bridge; do
    timeout 60 /usr/bin/docker run --rm --runtime="$rt" --network "$kind" bb:1 echo "$kind"
    echo $?
  done
  docker run -d --network bridge --runtime="$rt" --name "$name" bb:1 sleep 1000 >/dev/null
  nsenter --net="/proc/$(docker inspect -f '{{.State.Pid}}' "$name")/ns/net" ip -o link | wc -l
  docker rm -f "$name" >/dev/null
}
case_many_at_once() {
  local n
  for n in 1 2 3 4 5 6; do run bb:1 sh -c "echo $n" & done | sort
}

engine_cases "$@"
