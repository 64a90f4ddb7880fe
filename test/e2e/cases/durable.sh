# SPDX-License-Identifier: Apache-2.0
# What a program has synced is on the disk: seen on a copy of the disk as it was at that moment, as
# after a power failure. (What a killed container leaves: test/full/durable_rounds.sh.)

disk() {  # mounts $dir/disk.img at $dir/disk; nothing is written back by time
  needs_root
  command -v mkfs.ext4 >/dev/null || skip_case "no mkfs.ext4"
  truncate -s 16M "$dir/disk.img"
  mkfs.ext4 -q "$dir/disk.img" || fail "mkfs.ext4"
  mkdir -p "$dir/disk" "$dir/after"
  mount -o loop,commit=300 "$dir/disk.img" "$dir/disk" 2>/dev/null || skip_case "no loop devices"
  trap 'umount "$dir/disk"; umount "$dir/after" 2>/dev/null; force_delete' EXIT
}

power_failure() {
  cp "$dir/disk.img" "$dir/after.img"
  force_delete
  mount -o loop "$dir/after.img" "$dir/after" || fail "the disk does not mount afterwards"
}

on_disk() { expect_eq "$(cat "$dir/after/$1" 2>/dev/null)" "$2" "$1:"; }

case_synced_is_on_the_disk() {
  disk
  make_bundle
  edit --arg disk "$dir/disk" '.mounts += [{destination: "/data", type: "bind", source: $disk, options: ["rbind"]}]'
  args sh -c '
    cd /data
    echo synced >synced && sync synced
    echo data >data && sync -d data
    dd of=by-dd conv=fsync 2>/dev/null <synced
    echo moved >new && sync new && mv new moved && mkdir sub && echo below >sub/below && sync sub/below sub .
    echo never >plain
    echo ready; sleep 1000'
  create_it
  start_it
  wait_until grep -q ready "$dir/c.out"
  power_failure
  on_disk synced synced
  on_disk data data
  on_disk by-dd synced
  on_disk moved moved
  on_disk sub/below below
  on_disk plain ""  # or the copy shows nothing
}

case_a_synced_file_system_is_on_the_disk() {
  disk
  make_bundle
  edit --arg disk "$dir/disk" '.mounts += [{destination: "/data", type: "bind", source: $disk, options: ["rbind"]}]'
  args sh -c 'cd /data; mkdir a; echo one >a/one; echo two >two; sync -f two; echo never >plain; echo ready; sleep 1000'
  create_it
  start_it
  wait_until grep -q ready "$dir/c.out"
  power_failure
  on_disk a/one one
  on_disk two two
  on_disk plain ""
}

case_synced_mapping_is_on_the_disk() {
  disk
  make_bundle
  program durable_writes
  edit --arg disk "$dir/disk" '.mounts += [{destination: "/data", type: "bind", source: $disk, options: ["rbind"]}]'
  args sh -c 'durable_writes synced /data/w 40; echo ready; sleep 1000'
  create_it
  start_it
  wait_until grep -q ready "$dir/c.out"
  power_failure
  "$e2e_dir/programs/durable_writes" verify "$dir/after/w" "$dir/c.out" >"$dir/out" || fail verify
}
