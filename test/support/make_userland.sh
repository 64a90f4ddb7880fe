#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make_userland.sh DIR PACKAGE…: a root file system of the files that these Debian packages, and
# what they depend on, have installed on this machine. No network; some seconds.
set -euo pipefail
root=$1
shift

# What is installed and reachable by Pre-Depends and Depends; the first of alternatives will do.
mapfile -t packages < <(dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Pre-Depends},${Depends}\n' |
  awk -F '\t' -v wanted="$*" '
    $1 == "installed" { gsub(/\([^)]*\)|\|[^,]*|:[a-z]+| /, "", $3); needs[$2] = $3 }
    END {
      size = split(wanted, queue, " ")
      for (i = 1; i <= size; i++) {
        if (!(queue[i] in needs) || taken[queue[i]]++) continue
        print queue[i]
        n = split(needs[queue[i]], more, ",")
        for (j = 1; j <= n; j++) queue[++size] = more[j]
      }
    }')

mkdir -p "$root"/{dev,etc,proc,sys,root,run,suite,usr/{bin,sbin,lib,lib64},var/tmp}
mkdir -m 1777 -p "$root/tmp"
chmod 1777 "$root/var/tmp"
for link in bin sbin lib lib64; do
  [ -L "/$link" ] && ln -s "usr/$link" "$root/$link"
done
dpkg -L "${packages[@]}" | grep -Ev '^/usr/share/(locale|man|info|lintian|bash-completion)/' | sort -u |
  while IFS= read -r file; do
    if [ -L "$file" ] || [ -f "$file" ]; then printf '%s\n' "${file#/}"; fi
  done | tar -C / --no-recursion -T - -cf - | tar -C "$root" --keep-directory-symlink -xpf -
printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\napp:x:1000:1000::/tmp:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\napp:x:1000:\n' >"$root/etc/group"
printf 'passwd: files\ngroup: files\n' >"$root/etc/nsswitch.conf"
[ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
[ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk"
[ -e "$root/usr/bin/python3" ] || ln -s "$(basename "$(ls "$root"/usr/bin/python3.* | head -n 1)")" "$root/usr/bin/python3"
ldconfig -r "$root" 2>/dev/null
