#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints what images cost: pull and conversion beside skopeo, umoci, gzip and sha256sum, in turn.
#
#   RUNHL=/path/to/runhl test/bench/images.sh [--smoke] [--rounds N] [--megabytes N] [--out FILE]
#
# The image has four layers: files of this machine's /usr, random bytes, more of /usr, and one that
# replaces and hides some of it. Debian's docker-registry serves it on the loopback device. Each
# round begins with an empty store. Wall time and CPU time of all processes of a command, medians of
# the rounds. --smoke: a small image once, to see that each line can be measured.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C.UTF-8
rounds=5 megabytes=1024 entries="100000 1000000" starts=50 out=/dev/null smoke=
while [ $# -gt 0 ]; do
  case $1 in
    --smoke) smoke=1 rounds=1 megabytes=32 entries=2000 starts=2 && shift ;;
    --rounds) rounds=$2 && shift 2 ;;
    --megabytes) megabytes=$2 && shift 2 ;;
    --out) out=$2 && shift 2 ;;
    *) echo "usage: test/bench/images.sh [--smoke] [--rounds N] [--megabytes N] [--out FILE]" >&2 && exit 2 ;;
  esac
done
runhl=$(readlink -f "${RUNHL:-build/installed/bin/runhl}") && [ -x "$runhl" ] ||
  { echo "bench: no ${RUNHL:-build/installed/bin/runhl}" >&2; exit 2; }
helper=$(dirname "$runhl")/../libexec/runhl/runhl-image
[ -x "$helper" ] || helper=$(dirname "$runhl")/../libexec/runhl-image
for tool in docker-registry skopeo umoci python3 gzip; do
  command -v "$tool" >/dev/null || { echo "bench: no $tool" >&2; exit 2; }
done
[ "$(id -u)" -eq 0 ] || { echo "bench: needs root (owners of files)" >&2; exit 2; }

T=$(mktemp -d /tmp/rb.XXXXXX)
registry_pid=
cleanup() {
  [ -z "$registry_pid" ] || kill "$registry_pid" 2>/dev/null || true
  rm -rf "$T"
}
trap cleanup EXIT
trap 'exit 143' TERM INT HUP

# --- the image -----------------------------------------------------------------------------------
# usr_files FROM BYTES DIR: copies of /usr's files, from the FROMth byte of all on.
usr_files() {
  mkdir -p "$3"
  (cd / && find usr -xdev -type f -size -32M -printf '%s %p\n' | sort -k2 |
    awk -v from="$1" -v most="$2" '{at += $1} at > from && at <= from + most {sub(/^[0-9]+ /, ""); print}' |
    tr '\n' '\0' | xargs -0 -r cp -a --parents -t "$3" --)
}
layer_tar() { tar --numeric-owner --sort=name -C "$1" -cf "$1.tar" . && rm -rf "$1"; }

unit=$((megabytes * 1024 * 1024 / 8))
usr_files 0 $((unit * 4)) "$T/l1"
mkdir -p "$T/l1/bin" && cp /bin/busybox "$T/l1/bin/true"
(cd "$T/l1" && find usr -type f | sort | sed -n '1,20p') >"$T/first"
layer_tar "$T/l1"
mkdir "$T/l2"
for i in $(seq 16); do head -c $((unit * 2 / 16)) /dev/urandom >"$T/l2/random-$i"; done
layer_tar "$T/l2"
usr_files $((unit * 4)) $((unit * 2)) "$T/l3"
layer_tar "$T/l3"
mkdir "$T/l4"
while read -r path; do
  mkdir -p "$T/l4/${path%/*}"
  echo replaced >"$T/l4/$path"
done < <(head -n 10 "$T/first")
while read -r path; do
  mkdir -p "$T/l4/${path%/*}"
  : >"$T/l4/${path%/*}/.wh.${path##*/}"
done < <(tail -n 10 "$T/first")
layer_tar "$T/l4"
bytes=$(cat "$T"/l?.tar | wc -c)
files=$(for layer in "$T"/l?.tar; do tar -tf "$layer"; done | wc -l)
python3 test/bench/make_image.py "$T/layout" "$T"/l?.tar
rm "$T"/l?.tar

printf 'version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:0"}\n' "$T/registry" >"$T/registry.yml"
docker-registry serve "$T/registry.yml" </dev/null >"$T/registry.log" 2>&1 &
registry_pid=$!
until registry=$(grep -om1 'listening on [0-9.:]*' "$T/registry.log"); do
  kill -0 "$registry_pid" && sleep .1
done
registry=${registry#listening on }
skopeo copy -q --dest-tls-verify=false "oci:$T/layout:base" "docker://$registry/bench/image:1"
rm -rf "$T/layout"

# --- measurements --------------------------------------------------------------------------------
median() {  # NAME COLUMN
  awk -v name="$1" -v column="$2" '$1 == name {print $column}' "$T/times" | sort -n |
    awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}
measure() { python3 test/bench/measure.py "$T/times" "$@" >"$T/said" 2>&1 </dev/null || { cat "$T/said" >&2; exit 1; }; }
row() { echo "| $1 | $2 | $3 | $4 |" | tee -a "$T/table"; }
seconds() { awk -v ms="$1" 'BEGIN {printf "%.2f s", ms / 1000}'; }
# compare LABEL OURS THEIRS: wall and CPU time, and theirs over ours.
compare() {
  local what column
  for what in "wall time:2" "CPU time:3"; do
    column=${what#*:}
    local ours theirs
    ours=$(median "$2" "$column") theirs=$(median "$3" "$column")
    row "$1, ${what%:*}" "$(seconds "$ours")" "$(seconds "$theirs")" "$(awk -v o="$ours" -v t="$theirs" 'BEGIN {printf "%.2f×", o ? t / o : 0}')"
  done
}
fresh() { rm -rf "$T/store" "$T/cache" "$T/theirs" "$T/unpacked"; }

{
  echo "Image of $((bytes / 1048576)) MiB in $files entries and 4 layers, $(du -sm "$T/registry" | cut -f1) MiB in the registry; $rounds rounds."
  echo
  echo "| what | runhl | peer | speed |"
  echo "|---|---|---|---|"
} | tee "$T/table"
: >"$T/times"
for _ in $(seq "$rounds"); do
  fresh
  measure pull "$runhl" pull -q --store "$T/store" --cache "$T/cache" "$registry/bench/image:1"
  fresh
  measure skopeo-umoci sh -c "skopeo copy -q --src-tls-verify=false docker://$registry/bench/image:1 oci:$T/theirs:base && umoci unpack --image $T/theirs:base $T/unpacked"
done
compare "pull and convert; skopeo copy + umoci unpack" pull skopeo-umoci
row "the same, peak memory of a process" "$(($(median pull 4) / 1024)) MiB" "$(($(median skopeo-umoci 4) / 1024)) MiB" ""

fresh
"$runhl" pull -q --no-archive --store "$T/store" "$registry/bench/image:1" >"$T/said"
layers=$("$runhl" inspect --store "$T/store" "$registry/bench/image:1" | jq -r '.manifest.layers[].digest' | sed "s|sha256:|$T/store/blobs/sha256/|")
echo "$layers" >"$T/layers"
for _ in $(seq "$rounds"); do
  rm -rf "$T/cache"
  measure convert "$helper" cache-add-image --store "$T/store" --cache "$T/cache" "$registry/bench/image:1"
  # shellcheck disable=SC2016
  measure gzip-sha256sum sh -c 'while read -r layer; do gzip -dc "$layer" | sha256sum; done <"$0"' "$T/layers"
done
compare "convert; gzip -dc \\| sha256sum of each layer" convert gzip-sha256sum
row "the same, peak memory" "$(($(median convert 4) / 1024)) MiB" "" ""

# --- starts --------------------------------------------------------------------------------------
mkdir -p "$T/small/bin" && cp /bin/busybox "$T/small/bin/true" && layer_tar "$T/small"
python3 test/bench/make_image.py "$T/layout" "$T/small.tar"
skopeo copy -q --dest-tls-verify=false "oci:$T/layout:base" "docker://$registry/bench/small:1"
rm -rf "$T/layout"
run() { echo "$runhl" --root "$T/root" run --store "$T/store" --cache "$T/cache" "$@"; }
# shellcheck disable=SC2046
$(run "$registry/bench/small:1") </dev/null
for _ in $(seq "$starts"); do
  # shellcheck disable=SC2046
  measure start-large $(run "$registry/bench/image:1")
  # shellcheck disable=SC2046
  measure start-small $(run "$registry/bench/small:1")
done
row "second start of it; of an image of 1 file, wall time" "$(median start-large 2) ms" "$(median start-small 2) ms" ""
row "second start of it; of an image of 1 file, CPU time" "$(median start-large 3) ms" "$(median start-small 3) ms" ""
fresh
{
  echo
  echo "The first \`runhl run --timings\` of the image, by step:"
  echo
  # shellcheck disable=SC2046
  $(run --timings "$registry/bench/image:1") </dev/null 2>&1 | sed 's/^/    /'
} | tee "$T/steps"
"$runhl" --root "$T/root" list >/dev/null

# --- memory --------------------------------------------------------------------------------------
for count in $entries; do
  fresh
  python3 test/bench/make_image.py "$T/layout" --entries "$count"
  skopeo copy -q --dest-tls-verify=false "oci:$T/layout:base" "docker://$registry/bench/entries:$count"
  rm -rf "$T/layout"
  measure "entries-$count" "$runhl" pull -q --store "$T/store" --cache "$T/cache" "$registry/bench/entries:$count"
  peak=$(median "entries-$count" 4)
  row "pull and convert $count entries, peak memory" "$((peak / 1024)) MiB" "" "$(seconds "$(median "entries-$count" 2)")"
  # 64 MiB up to 100 000 entries, 400 bytes for each one beyond.
  allowed=$((65536 + (count > 100000 ? count - 100000 : 0) * 400 / 1024))
  if [ "$peak" -gt "$allowed" ]; then
    echo "bench: $peak KiB for $count entries, more than $allowed" >&2
    exit 1
  fi
done
{
  cat "$T/table"
  cat "$T/steps"
} >"$out"
[ -z "$smoke" ] || echo "bench images: each line can be measured"
