# SPDX-License-Identifier: Apache-2.0
# Real containerd and dockerd for tests, apart from anything the machine runs: their own network and
# mount namespaces, sockets, state, cgroup parent. Source it; needs root.
#
#   engines_start DIR [RUNHL]   DIR: short, empty directory. Sets DOCKER_HOST and CTR (an array).
#                               $engines_runtimes: more runtimes of docker's, a JSON object
#   engines_image               makes image bb:1 of busybox-static and a few of test/programs, in
#                               docker and containerd; the working directory is the tree's top
#   engines_stop                removes containers, ends every process started here, by pid
#
# The daemons' logs stay in DIR for whoever looks after a failure.

engines_start() {
  engines_dir=$1
  local runhl=${2:-/usr/bin/runc}
  engines_tag=${engines_tag:-runhl-test-$$}
  engines_made_dirs=()
  if [ "${#engines_dir}" -gt 60 ]; then
    echo "engines: $engines_dir is too long for unix sockets" >&2
    return 1
  fi
  cat >"$engines_dir/containerd.toml" <<X
version = 2
root = "$engines_dir/containerd"
state = "$engines_dir/run-containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$engines_dir/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$engines_dir/opt"
X
  jq -n --arg d "$engines_dir" --arg runhl "$runhl" --arg tag "$engines_tag" --argjson more "${engines_runtimes:-{\}}" '{
    "data-root": "\($d)/docker", "exec-root": "\($d)/run-docker", pidfile: "\($d)/dockerd.pid",
    hosts: ["unix://\($d)/docker.sock"], containerd: "\($d)/containerd.sock",
    "containerd-namespace": "moby", "storage-driver": "overlay2", experimental: true,
    "cgroup-parent": "/\($tag)",
    runtimes: ({crun: {path: "/usr/bin/crun"}, runhl: {path: $runhl}} + $more)}' >"$engines_dir/daemon.json"
  # crun 1.8 refuses a hybrid cgroup tree unless the (empty) unified part is out of sight: hidden,
  # not unmounted, or the runtimes would make directories in the machine's tmpfs beneath.
  # The engines' fixed places in /run are private to this namespace; ctr's fifos are not there.
  local place
  for place in /run/containerd /run/docker; do
    if [ ! -d "$place" ]; then
      mkdir "$place"
      engines_made_dirs+=("$place")
    fi
  done
  cat >"$engines_dir/start.sh" <<X
ip link set lo up
if [ -d /sys/fs/cgroup/unified ]; then mount -n -t tmpfs none /sys/fs/cgroup/unified; fi
mount -n -t tmpfs none /run/containerd
mount -n -t tmpfs none /run/docker
setpriv --pdeathsig KILL containerd -c $engines_dir/containerd.toml >$engines_dir/containerd.log 2>&1 &
echo \$! >$engines_dir/containerd.pid
until ctr -a $engines_dir/containerd.sock version >/dev/null 2>&1; do
  kill -0 \$(cat $engines_dir/containerd.pid) || exit 1
  sleep .05
done
setpriv --pdeathsig KILL dockerd --config-file $engines_dir/daemon.json >$engines_dir/dockerd.log 2>&1 &
exec sleep infinity
X
  # Whatever ends this script ends the holder, and with it the daemons.
  setsid setpriv --pdeathsig KILL unshare --net --mount --propagation slave bash "$engines_dir/start.sh" \
    </dev/null >"$engines_dir/start.log" 2>&1 &
  engines_holder=$!
  export DOCKER_HOST="unix://$engines_dir/docker.sock"
  CTR=(/usr/bin/ctr -a "$engines_dir/containerd.sock" -n "$engines_tag")
  local tries=0
  until /usr/bin/docker version >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kill -0 "$engines_holder" 2>/dev/null; then
      echo "engines: dockerd did not come up; its log ends:" >&2
      tail -n 5 "$engines_dir"/*.log >&2
      return 1
    fi
    sleep .1
  done
}

engines_image() {
  local root=$engines_dir/image program
  bash test/support/make_rootfs.sh "$root"
  bash test/support/make_programs.sh "$engines_dir/programs"
  for program in steps signals show touch_pages eat_memory; do cp "$engines_dir/programs/$program" "$root/bin/"; done
  tar -C "$root" -c . | /usr/bin/docker import -c 'CMD ["sh"]' - bb:1 >/dev/null
  /usr/bin/docker save bb:1 | "${CTR[@]}" images import - >/dev/null
}

# Ends one process that this file started, and waits until it is gone.
engines_end_pid() {
  local pid=$1 signal=${2:-TERM} tries=0
  kill "-$signal" "$pid" 2>/dev/null || return 0
  while [ -d "/proc/$pid" ] && [ "$(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null)" != Z ]; do
    tries=$((tries + 1))
    [ "$tries" -eq 100 ] && kill -KILL "$pid" 2>/dev/null
    [ "$tries" -gt 200 ] && return 1
    sleep .05
  done
}

# Pids of our shims: they name our containerd's socket on their command line.
engines_shims() {
  local f
  for f in /proc/[0-9]*/cmdline; do
    if { tr '\0' '\n' <"$f"; } 2>/dev/null | grep -qxF "$engines_dir/containerd.sock" &&
      [ "$(readlink "${f%cmdline}exe")" = /usr/bin/containerd-shim-runc-v2 ]; then
      basename "${f%/cmdline}"
    fi
  done
}

engines_stop() {
  local id pid
  for id in $(/usr/bin/docker ps -aq 2>/dev/null); do
    /usr/bin/docker rm -f "$id" >/dev/null 2>&1
  done
  for id in $("${CTR[@]}" tasks ls -q 2>/dev/null); do
    "${CTR[@]}" tasks kill -s 9 "$id" >/dev/null 2>&1
    "${CTR[@]}" tasks delete -f "$id" >/dev/null 2>&1
  done
  [ -f "$engines_dir/dockerd.pid" ] && engines_end_pid "$(cat "$engines_dir/dockerd.pid")"
  [ -f "$engines_dir/containerd.pid" ] && engines_end_pid "$(cat "$engines_dir/containerd.pid")"
  for pid in $(engines_shims); do
    engines_end_pid "$pid" KILL
  done
  engines_end_pid "$engines_holder" KILL
  wait "$engines_holder" 2>/dev/null
  rmdir "${engines_made_dirs[@]}" 2>/dev/null
  # The daemons' own cgroup parents; containers' directories are the runtime's to remove.
  for id in /sys/fs/cgroup/*/"$engines_tag" /sys/fs/cgroup/"$engines_tag"; do
    [ -d "$id" ] && rmdir "$id"
  done
  return 0
}
