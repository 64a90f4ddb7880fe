#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `docker run --runtime=runhl-hl`: containers on an unmodified upstream kernel, on the software CPU,
# with an image of one static program. The kernel comes from cargo; skipped where it does not.
#   RUNHL=/path/to/runhl test/e2e/engines/upstream.sh [CASE…]
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 2
export LC_ALL=C.UTF-8
. test/support/engines.sh
suite="upstream in docker"
. test/support/counts.sh
wrong() {
  echo "FAILED: $name: $*"
  good=0
}
docker() { timeout 60 /usr/bin/docker "$@"; }
run() {
  docker run --rm --runtime=runhl-hl --network none "$@" >"$dir/out" 2>"$dir/err" </dev/null
  status=$?
  tr -d '\r' <"$dir/out" >"$dir/plain" && mv "$dir/plain" "$dir/out"
}
status_is() { [ "$status" -eq "$1" ] || wrong "status $status, not $1: $(tail -n 3 "$dir/err" | tr '\n' ' ')"; }
out_is() { [ "$(cat "$dir/out")" = "$1" ] || wrong "printed \"$(head -c 300 "$dir/out")\", not \"$1\": $(tail -n 3 "$dir/err")"; }
says() { grep -qF -- "$1" "$dir/err" || wrong "does not say \"$1\" but: $(tail -n 3 "$dir/err" | tr '\n' ' ')"; }
ends_with() {  # CODE
  local got
  got=$(docker wait "$name")
  [ "$got" = "$1" ] || wrong "ended with $got, not $1: $(docker logs "$name" 2>&1 | tail -n 3)"
  docker rm "$name" >/dev/null
}

case_reads_a_volume() {
  mkdir -p "$dir/data"
  echo -n 'from the host' >"$dir/data/file"
  run -v "$dir/data:/data" files:1 read /data/file write /data/new=guest
  status_is 0
  out_is "read: from the host
write:"
  [ "$(cat "$dir/data/new")" = guest ] || wrong "what the program wrote is not there"
  run -v "$dir/data:/data:ro" files:1 read /data/file write /data/more=x
  out_is "read: from the host
write: EROFS"
}
case_dockers_own_files() {
  run --hostname some-host --add-host 'peer:10.0.0.9' files:1 read /etc/hostname read /etc/hosts
  status_is 0
  grep -qx "read: some-host" "$dir/out" && grep -q "10.0.0.9.*peer" "$dir/out" || wrong "$(cat "$dir/out")"
  run --hostname some-host --workdir /made/up --entrypoint /bin/where files:1
  out_is "/made/up some-host"
}
case_environment() {
  run -e 'GREETING=hi there' --entrypoint /bin/hello files:1 one ''
  status_is 7
  grep -q '^argc=3 \[/bin/hello\] \[one\] \[\] PATH=.* GREETING=hi there$' "$dir/out" || wrong "$(cat "$dir/out")"
}
case_exit_codes() {
  local pair
  for pair in 300:44 segv:139 kill:143; do
    run --entrypoint /bin/does files:1 "${pair%:*}"
    status_is "${pair#*:}"
  done
  run --entrypoint /bin/nosuch files:1
  status_is 127
  run --entrypoint /bin/not-pie files:1
  status_is 126
}
case_kill_stop_and_rm() {
  docker run -d --runtime=runhl-hl --network none --name "$name" --entrypoint /bin/does files:1 spin >/dev/null
  docker kill "$name" >/dev/null
  ends_with 137
  docker run -d --runtime=runhl-hl --network none --name "$name" --entrypoint /bin/does files:1 spin >/dev/null
  docker stop "$name" >/dev/null
  ends_with 143
  docker run -d --runtime=runhl-hl --network none --name "$name" --entrypoint /bin/does files:1 spin >/dev/null
  docker rm -f "$name" >/dev/null || wrong "rm -f"
}
case_logs_and_limits() {
  docker run -d --runtime=runhl-hl --network none --memory 256m --cpus 1 --pids-limit 20 --name "$name" --entrypoint /bin/hello files:1 x >/dev/null
  docker wait "$name" >/dev/null
  docker logs "$name" 2>&1 | tr -d '\r' | grep -q '^argc=2' || wrong "$(docker logs "$name" 2>&1)"
  docker rm "$name" >/dev/null
}
case_bridge() {
  nsenter --net="/proc/$engines_holder/ns/net" setpriv --pdeathsig KILL python3 test/upstream/echo_server.py 172.17.0.1 >"$dir/port" 2>"$dir/server" &
  local server=$! tries=0
  until [ -s "$dir/port" ] || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
  docker run --rm --runtime=runhl-hl --network bridge --entrypoint /bin/net files:1 connect "172.17.0.1:$(cat "$dir/port")=hello" >"$dir/out" 2>"$dir/err" </dev/null
  status=$?
  tr -d '\r' <"$dir/out" >"$dir/plain" && mv "$dir/plain" "$dir/out"
  status_is 0
  out_is "connect: echo hello"
  kill "$server"
  wait "$server" 2>/dev/null
}
case_refusals() {
  run --user 1000 files:1 read /etc/hosts
  says /process/user/uid
  run --read-only files:1 read /etc/hosts
  says /root/readonly
  run --tmpfs /scratch files:1 read /etc/hosts
  says /options
  [ "$(docker ps -aq | wc -l)" -eq 0 ] || wrong "containers are left"
}
case_ctr() {
  docker save files:1 | "${CTR[@]}" images import - >/dev/null
  cat >"$dir/wrapper" <<X
#!/bin/sh
exec $runhl --isolation=emulated --kernel $kernel "\$@"
X
  chmod +x "$dir/wrapper"
  timeout 60 "${CTR[@]}" run --rm --fifo-dir "$dir/fifo" --runc-binary "$dir/wrapper" --mount "type=bind,src=$dir/data,dst=/data,options=rbind:ro" \
    docker.io/library/files:1 c1 /bin/files read /data/file >"$dir/out" 2>"$dir/err" </dev/null
  status=$?
  tr -d '\r' <"$dir/out" >"$dir/plain" && mv "$dir/plain" "$dir/out"
  status_is 0
  out_is "read: from the host"
}

if [ "$(id -u)" -ne 0 ]; then skip_all "all: needs root"; fi
runhl=$(readlink -f "${RUNHL:-build/installed/bin/runhl}")
[ -x "$runhl" ] || { echo "engines: no $runhl" >&2; exit 2; }
if [ ! -e "$(dirname "$runhl")/../libexec/runhl/runhl-emu" ] && [ ! -e "$(dirname "$runhl")/../libexec/runhl-emu" ]; then
  skip_all "all: runhl was built without the software CPU (RUNHL_EMU)"
fi
kernel=$(bash test/upstream/fetch_kernel.sh 0.20.1 2>/dev/null) || skip_all "all: no kernel"
dir=$(mktemp -d /tmp/ru.XXXXXX)
mkdir "$dir/e"
# shellcheck disable=SC2064
trap "engines_stop 2>/dev/null; rm -rf $dir" EXIT
trap 'exit 143' TERM INT HUP
engines_runtimes=$(jq -n --arg runhl "$runhl" --arg kernel "$kernel" \
  '{"runhl-hl": {path: $runhl, runtimeArgs: ["--isolation=emulated", "--kernel", $kernel]}}')
engines_start "$dir/e" "$runhl" || exit 2
bash test/upstream/make_archive.sh "$dir/root.cpio" && mkdir "$dir/image" && (cd "$dir/image" && cpio -id --quiet <"$dir/root.cpio") || exit 2
tar -C "$dir/image" -c . | docker import -c 'ENTRYPOINT ["/bin/files"]' - files:1 >/dev/null || exit 2
cases=$(sed -n 's/^case_\([a-z0-9_]*\)() .*/\1/p' "$0")
for case in $cases; do
  [ $# -eq 0 ] || [[ " $* " == *" $case "* ]] || continue
  good=1 name=c-$case
  mkdir -p "$dir/data" && echo -n 'from the host' >"$dir/data/file"
  "case_$case"
  if [ "$good" -eq 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAILED: upstream in docker $case"; fi
done
finish
