#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What test/full/svm_docker.sh runs in the machine; of busybox's sh. A line a case: ok or FAILED.
if [ "$1" != inside ]; then
  # A root that can be left: the first file system cannot.
  mkdir /r && mount -t tmpfs -o size=80% tmpfs /r && cp -a /bin /r/ && mv /payload /r/ || exit 1
  cd /r && mkdir -p proc sys dev tmp run etc var/lib root && cp -a payload/lib/. . || exit 1
  mount --move /proc proc && mount --move /sys sys && mount --move /dev dev && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs tmp || exit 1
  mount -t cgroup2 cgroup2 sys/fs/cgroup && mkdir sys/fs/cgroup/shell || exit 1
  for pid in $(cat sys/fs/cgroup/cgroup.procs); do echo "$pid" >sys/fs/cgroup/shell/cgroup.procs 2>/dev/null; done
  echo '+memory +pids +cpu' >sys/fs/cgroup/cgroup.subtree_control
  mount --move . /
  exec chroot . /bin/sh /payload/svm_docker_in_machine.sh inside
fi

export PATH=/payload/bin:/bin HOME=/root
echo root:x:0:0::/root:/bin/sh >/etc/passwd
echo root:x:0: >/etc/group
mkdir -p /etc/docker
cat >/etc/docker/daemon.json <<'END'
{"storage-driver": "vfs", "iptables": false, "ip6tables": false, "bridge": "none", "ip-masq": false, "exec-opts": ["native.cgroupdriver=cgroupfs"],
 "runtimes": {"runhl-hl": {"path": "/payload/bin/runhl", "runtimeArgs": ["--isolation=vm", "--kernel", "/payload/kernel"]}}}
END
ip link set lo up
dockerd >/tmp/dockerd.log 2>&1 &
dockerd=$!
n=0
until docker version >/dev/null 2>&1; do
  n=$((n + 1))
  [ $n -lt 120 ] && kill -0 $dockerd 2>/dev/null || { echo "FAILED no dockerd"; tail -n 20 /tmp/dockerd.log; exit 1; }
  sleep 1
done
docker import -c 'ENTRYPOINT ["/bin/files"]' /payload/image.tar files:1 >/dev/null || { echo "FAILED docker import"; exit 1; }

bad=0
check() {  # NAME COMMAND…
  name=$1
  shift
  if "$@"; then echo "ok $name"; else
    echo "FAILED $name: status $status: $(tail -n 3 /tmp/err | tr '\n' ' ')$(head -c 200 /tmp/out)"
    bad=1
  fi
}
run() {
  docker run --rm --runtime=runhl-hl --network none "$@" >/tmp/out.raw 2>/tmp/err </dev/null
  status=$?
  tr -d '\r' </tmp/out.raw >/tmp/out
}
reads_a_volume() {
  mkdir -p /tmp/data && echo -n 'from the host' >/tmp/data/file
  run -v /tmp/data:/data files:1 read /data/file write /data/new=guest
  [ $status -eq 0 ] && grep -qx 'read: from the host' /tmp/out && [ "$(cat /tmp/data/new)" = guest ]
}
is_read_only() {
  run -v /tmp/data:/data:ro files:1 write /data/more=x
  grep -q EROFS /tmp/out && [ ! -e /tmp/data/more ]
}
has_a_status() {
  run --entrypoint /bin/does files:1 300
  [ $status -eq 44 ]
}
is_a_virtual_machine() {
  docker run -d --runtime=runhl-hl --network none --name one --entrypoint /bin/does files:1 spin >/tmp/out 2>/tmp/err
  status=$?
  for pid in $(pidof runhl-boot runhl); do ls -l "/proc/$pid/fd"; done 2>/dev/null | grep -q 'kvm-vcpu' || return 1
  docker kill one >/dev/null && [ "$(docker wait one)" = 137 ] && docker rm one >/dev/null
}
check "a volume is read and written" reads_a_volume
check "a read-only one is not written" is_read_only
check "an exit status comes through" has_a_status
check "the guest is a virtual machine of KVM, and is killed" is_a_virtual_machine
[ -z "$(docker ps -aq)" ] || { echo "FAILED containers are left"; bad=1; }
exit $bad
