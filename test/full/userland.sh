#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Suites of real programs of a Debian 12 userland: each runs on Linux (a container of runc) and in a
# guest from the same tree, and everything it prints is compared byte by byte.
#
#   RUNHL=/path/to/runhl test/full/userland.sh [--out docs/results/DATE-userland.md] [SUITE…]
#   test/full/userland.sh --quick        # the gate's: four suites on what this machine has installed
#
# A suite is a file of test/full/userland, with an argument after a colon where it takes one
# (applets:busybox, python:test_os); all of them when none is named. The tree is made by debootstrap
# and apt once and kept in USERLAND_TREE (/var/cache/runhl-test/bookworm). KEEP=DIR keeps the logs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
export LC_ALL=C.UTF-8 RUNHL_TOP=$PWD
RUNHL=$(realpath "${RUNHL:-build/installed/bin/runhl}")
out=
quick=
if [ "${1:-}" = --out ]; then out=$2 && shift 2; fi
if [ "${1:-}" = --quick ]; then quick=--quick && shift; fi
[ "$(id -u)" -eq 0 ] || { echo "userland: needs root" >&2; exit 2; }
[ -x "$RUNHL" ] || { echo "userland: no $RUNHL" >&2; exit 2; }
if [ -z "${USERLAND_INSIDE:-}" ]; then
  USERLAND_INSIDE=1 exec unshare --mount --propagation private bash test/full/userland.sh ${out:+--out "$out"} $quick "$@"
fi
userland_dir=${KEEP:-$(mktemp -d /tmp/runhl-userland.XXXXXX)}
mkdir -p "$userland_dir"
[ -n "${KEEP:-}" ] || trap 'rm -rf "$userland_dir"' EXIT
if [ -n "$quick" ]; then
  tree=$userland_dir/tree
  bash test/support/make_userland.sh "$tree" bash dash coreutils findutils tar gzip bzip2 xz-utils sed grep mawk diffutils perl \
    python3.11 util-linux procps tzdata base-files cpio busybox-static hostname || exit 2
else
  tree=${USERLAND_TREE:-/var/cache/runhl-test/bookworm}
  bash test/support/make_debian.sh "$tree" || exit 2
fi
. test/support/userland.sh

python_modules="test_os test_subprocess test_signal test_threading test_mmap test_fcntl test_posix test_select test_selectors
  test_socket test_io test_tempfile test_shutil test_pathlib test_time test_resource test_pty test_epoll test_poll
  test_fork1 test_wait4 test_wait3 test_popen test_glob test_zipfile test_tarfile test_pwd test_grp test_locale
  test_asyncio.test_subprocess test_asyncio.test_events test_multiprocessing_fork test_multiprocessing_spawn
  test_concurrent_futures test_posixpath test_stat test_fileio test_largefile test_dbm test_mailbox test_queue"
suites=("$@")
if [ ${#suites[@]} -eq 0 ] && [ -n "$quick" ]; then
  suites=(applets applets:busybox shell scripts)
elif [ ${#suites[@]} -eq 0 ]; then
  suites=(applets applets:busybox applets:busybox-musl applets:busybox-musl-dynamic debian shell scripts tools
    bash perl compile jvm_node)
  for module in $python_modules; do suites+=("python:$module"); done
fi

for suite in "${suites[@]}"; do
  began=$SECONDS
  run_suite runc "$suite"
  native=$((SECONDS - began)) began=$SECONDS
  run_suite runhl "$suite"
  compare_suite "$suite" >"$userland_dir/said"
  grep -v "^$suite: " "$userland_dir/said"
  echo "$(tail -n 1 "$userland_dir/said") ($native s, $((SECONDS - began)) s)" | tee -a "$userland_dir/summary"
done
[ -z "${RUNHL_COUNTS:-}" ] || echo "$suite_passed $suite_failed $suite_skipped" >>"$RUNHL_COUNTS"
last="userland: $suite_passed passed, $suite_failed failed, $suite_skipped skipped"
if [ -n "$out" ]; then
  {
    echo '<!-- SPDX-License-Identifier: Apache-2.0 -->'
    echo "# $(date +%F): real programs, guest against Linux (\`cell\`)"
    echo
    echo "\`test/full/userland.sh\`, Debian 12, Linux $(uname -r | cut -d. -f1,2), $(nproc) CPUs; seconds on Linux and in the guest, of a shared machine."
    echo
    sed 's/^/    /' "$userland_dir/summary"
    echo "    $last"
  } >"$out"
fi
echo "$last"
[ "$suite_failed" -eq 0 ]
