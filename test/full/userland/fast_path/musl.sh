# SPDX-License-Identifier: Apache-2.0
exec /usr/local/bin/busybox-musl ash -c 'cd /usr/share; while :; do
  while read -r a b; do :; done </etc/passwd; for f in perl/*; do [ -d "$f" ] && echo "$f" >/dev/null; done
  for i in 1 2 3 4 5 6 7 8 9 10; do echo "$i" >>/tmp/x; [ -r /tmp/x ] && read -r l </tmp/x; done; : >/tmp/x; n=$(echo "$l"); cd /tmp; cd /usr/share; done'
