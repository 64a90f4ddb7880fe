# SPDX-License-Identifier: Apache-2.0
# runhl convert: what other readers of newc archives find is the tree that went in.

# A tree with one of everything that a root file system may hold.
odd_tree() {
  tree=$dir/tree
  mkdir -p "$tree/etc" "$tree/usr/lib/empty" "$tree/bin"
  echo 'root:x:0:0' >"$tree/etc/passwd"
  ln "$tree/etc/passwd" "$tree/usr/lib/link to passwd"
  head -c 300000 /bin/busybox >"$tree/bin/big"
  chmod 4755 "$tree/bin/big"
  : >"$tree/etc/nothing"
  ln -s ../etc/passwd "$tree/usr/symlink"
  mkfifo -m 640 "$tree/fifo"
  truncate -s 3M "$tree/usr/sparse"
  echo end >>"$tree/usr/sparse"
  printf x >"$tree/usr/$(printf 'not utf-8 \377 and\nlines')"
  printf y >"$tree/usr/$(printf 'n%.0s' {1..255})"
  chmod 1777 "$tree/usr/lib/empty"
  touch -d '2001-02-03 04:05:06.789' "$tree/etc/passwd" "$tree/usr"
  touch -h -d '1999-09-09 09:09:09' "$tree/usr/symlink"
  if [ "$(id -u)" -eq 0 ]; then
    mknod "$tree/null" c 1 3
    mknod "$tree/disk" b 259 70000
    chown 70000:4000000000 "$tree/etc/nothing"
    setfattr -n user.note -v 'a value' "$tree/etc/passwd" 2>/dev/null || true
  fi
}

# Type, mode, owner, links, seconds, name of all but directories. GNU cpio gives symlinks no time.
describe() {
  (cd "$1" && find . ! -type d \( -type l -printf '%y %m %U %G %n - %p %l\0' -o -printf '%y %m %U %G %n %Ts %p\0' \) |
    sort -z | tr '\0' '|')
}

case_other_readers_agree() {
  only runhl "it converts"
  odd_tree
  try convert "$tree" "$dir/tree.cpio"
  expect_status 0
  bsdtar -tf "$dir/tree.cpio" | grep -qx 'etc/passwd' || fail "bsdtar lists it"
  cpio -t --quiet <"$dir/tree.cpio" | grep -qx 'etc/passwd' || fail "cpio lists it"
  local reader
  for reader in bsdtar cpio; do
    mkdir "$dir/$reader"
    case $reader in
      bsdtar) (cd "$dir/$reader" && bsdtar -xpf ../tree.cpio --numeric-owner) || fail "bsdtar unpacks" ;;
      cpio) (cd "$dir/$reader" && cpio -idm --quiet --no-absolute-filenames <../tree.cpio) || fail "cpio unpacks" ;;
    esac
    rm -f "$dir/$reader/.runhl.index" "$dir/$reader/.runhl.xattrs"
    diff -r --no-dereference "$tree/etc" "$dir/$reader/etc" || fail "$reader: etc differs"
    cmp "$tree/bin/big" "$dir/$reader/bin/big" || fail "$reader: contents differ"
    cmp "$tree/usr/sparse" "$dir/$reader/usr/sparse" || fail "$reader: the sparse file differs"
    [ "$tree/etc/passwd" -ef "$tree/usr/lib/link to passwd" ] &&
      [ "$dir/$reader/etc/passwd" -ef "$dir/$reader/usr/lib/link to passwd" ] || fail "$reader: the link is none"
    # Making the last names touches directories; everything else keeps its time.
    expect_eq "$(describe "$dir/$reader")" "$(describe "$tree")" "$reader:"
    expect_eq "$(cd "$dir/$reader" && find . -mindepth 1 -type d -printf '%m %U %G %p|' | sort)" \
      "$(cd "$tree" && find . -mindepth 1 -type d -printf '%m %U %G %p|' | sort)" "$reader: directories:"
  done
}

case_same_tree_same_bytes() {
  only runhl "it converts"
  odd_tree
  cp -a "$tree" "$dir/copy"
  try convert "$tree" "$dir/a.cpio"
  try convert "$tree" "$dir/b.cpio"
  cmp "$dir/a.cpio" "$dir/b.cpio" || fail "two conversions differ"
  try convert "$dir/copy" "$dir/c.cpio"
  cmp "$dir/a.cpio" "$dir/c.cpio" || fail "a copy's conversion differs"
}

case_eight_at_once() {
  only runhl "it converts"
  odd_tree
  local i
  for i in 1 2 3 4 5 6 7 8; do rt convert "$tree" "$dir/tree.cpio" 2>"$dir/err" & done
  wait
  bsdtar -tf "$dir/tree.cpio" >/dev/null || fail "the archive is torn"
  expect_eq "$(find "$dir" -maxdepth 1 -name '.runhl-*' | wc -l)" 0
}

case_killed_at_any_point() {
  only runhl "it converts"
  odd_tree
  head -c 30000000 /dev/zero >"$tree/usr/large"
  echo old >"$dir/tree.cpio"
  local delay
  for delay in 0 .001 .002 .004 .008 .016 .032; do
    rt convert "$tree" "$dir/tree.cpio" 2>/dev/null &
    sleep $delay
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
    [ "$(cat "$dir/tree.cpio" | head -c 3)" = old ] || bsdtar -tf "$dir/tree.cpio" >/dev/null || fail "half an archive after $delay s"
  done
  expect_eq "$(find "$dir" -maxdepth 1 -type f ! -name tree.cpio ! -name out ! -name err | wc -l)" 0 "files left:"
}

case_errors_are_one_line() {
  only runhl "it converts"
  odd_tree
  try convert "$dir/missing" "$dir/x.cpio"
  expect_status 1
  expect_one_line_error "$dir/missing" "No such file"
  try convert "$tree/etc/passwd" "$dir/x.cpio"
  expect_status 1
  expect_one_line_error "etc/passwd" "Not a directory"
  : >"$tree/.runhl.index"
  try convert "$tree" "$dir/x.cpio"
  expect_status 1
  expect_one_line_error ".runhl.index"
  rm "$tree/.runhl.index"
  try convert "$tree" "$dir/no/x.cpio"
  expect_status 1
  expect_one_line_error "$dir/no"
  try convert "$tree"
  expect_status 1
  [ ! -e "$dir/x.cpio" ] || fail "an archive was left"
}

case_disk_full() {
  only runhl "it converts"
  needs_root
  odd_tree
  mkdir "$dir/small"
  mount -n -t tmpfs -o size=64k none "$dir/small"
  try convert "$tree" "$dir/small/x.cpio"
  local left
  left=$(find "$dir/small" -mindepth 1)
  umount -n "$dir/small"
  expect_status 1
  expect_one_line_error "No space left"
  expect_eq "$left" "" "left on the full disk:"
}

case_mount_points_are_empty() {
  only runhl "it converts"
  needs_root
  odd_tree
  mount -n -t tmpfs none "$tree/usr/lib/empty"
  : >"$tree/usr/lib/empty/inside"
  try convert "$tree" "$dir/x.cpio"
  umount -n "$tree/usr/lib/empty"
  expect_status 0
  bsdtar -tf "$dir/x.cpio" | grep -qx usr/lib/empty || fail "the mount point is missing"
  ! bsdtar -tf "$dir/x.cpio" | grep -q inside || fail "crossed a mount point"
}
