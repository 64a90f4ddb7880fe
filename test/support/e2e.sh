# SPDX-License-Identifier: Apache-2.0
# What the end-to-end cases stand on. test/e2e/run.sh sources it, then a file of cases.
#
#   case_echo() {                      # one behaviour; runs in a subshell with a world of its own
#     make_bundle '.process.args = ["echo", "hi"]'
#     run_it
#     expect_status 0
#     expect_out "hi"
#   }
#
# A case may use:   $dir (its directory)  $bundle  $root (runtime's state)  $id  $RUNTIME (runhl, runc, crun)
#
#   make_bundle [JQ…]      busybox rootfs and config.json from support/config.json, edited by jq
#   edit JQ…               edits $bundle/config.json again
#   args PROGRAM ARG…      what runs;   steps STEP…  the same for programs/steps.c
#   program NAME           puts test/programs/NAME.c, static, into the rootfs as /bin/NAME
#   rt ARGS…               the runtime under test with our --root
#   run_it [ARGS…]         `run` to its end: $status, $dir/out, $dir/err; stdin is /dev/null or $stdin
#   try ARGS…              rt ARGS with $status, $dir/out, $dir/err
#   create_it / start_it   two halves of a life; streams go to $dir/c.out, $dir/c.err
#   wait_until CMD…        polls; a failure after 10 s is a failure, never a way to wait
#   expect_status N · expect_out TEXT · expect_in FILE TEXT · expect_eq GOT WANTED · fail TEXT
#   only RUNTIME… REASON   the case is about these runtimes; others skip, silently
#   needs_root, needs_cgroup CONTROLLER, not_yet WHAT
#   skip_case REASON       cannot run on this machine: counted and printed
#
# After each case nothing may be left: see leftovers below.

: "${RUNHL_TOP:?}" "${RUNTIME:?}" "${runtime_bin:?}" "${e2e_tag:?}" "${e2e_dir:?}"

make_bundle() {
  bundle=${bundle:-$dir/bundle}
  mkdir -p "$bundle"
  cp -a "$e2e_dir/rootfs" "$bundle/rootfs"
  cp "$RUNHL_TOP/test/support/config.json" "$bundle/config.json"
  [ $# -eq 0 ] || edit "$@"
}

edit() {
  jq "$@" <"$bundle/config.json" >"$bundle/config.new" || fail "jq cannot edit: $*"
  mv "$bundle/config.new" "$bundle/config.json"
}

# The program and its arguments, byte for byte (but \1, which separates them here).
args() {
  edit --argjson args "$(printf '%s\1' "$@" | jq -Rsc 'split("\u0001")[:-1]')" '.process.args = $args'
}

program() {
  local name
  for name; do
    cp "$e2e_dir/programs/$name" "$bundle/rootfs/bin/$name" || fail "no program $name"
  done
}

# Steps done in one process inside (test/programs/steps.c).
steps() {
  program steps
  args /bin/steps "$@"
}

# What the guest kernel does not have yet: counted, never silent.
not_yet() { [ "$RUNTIME" != runhl ] || skip_case "the guest has no $1 yet"; }

rt() { "$runtime_bin" --root "$root" "$@"; }

try() {
  status=0
  rt "$@" >"$dir/out" 2>"$dir/err" <"${stdin:-/dev/null}" || status=$?
}

run_it() { try run --bundle "$bundle" "$@" "$id"; }

create_it() {
  rt create --bundle "$bundle" --pid-file "$dir/pid" "$@" "$id" \
    </dev/null >"$dir/c.out" 2>"$dir/c.err" || fail "create: $(cat "$dir/c.err")"
}

start_it() { rt start "$id" >"$dir/s.out" 2>&1 </dev/null || fail "start: $(cat "$dir/s.out")"; }

state_of() { rt state "${1:-$id}" 2>/dev/null | jq -r .status; }

is_state() { [ "$(state_of)" = "$1" ]; }

force_delete() { rt delete --force "${1:-$id}" >/dev/null 2>&1 </dev/null || true; }

wait_until() {
  local tries=0
  until "$@" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 500 ] || fail "never became true: $*"
    sleep .02
  done
}

fail() {
  echo "      $*"
  local f
  for f in out err c.out c.err; do
    [ -s "$dir/$f" ] && echo "      $f: $(head -c 600 "$dir/$f" | tr '\n\0' '|?')"
  done
  exit 1
}

expect_status() { [ "$status" = "$1" ] || fail "exit status $status, wanted $1"; }
expect_out() { [ "$(cat "$dir/out")" = "$1" ] || fail "stdout is not: $1"; }
expect_in() { grep -qF -- "$2" "$dir/$1" || fail "$1 lacks: $2"; }
expect_eq() { [ "$1" = "$2" ] || fail "${3:-got} $1, wanted $2"; }

# One line, on stderr, that names all of the given words.
expect_one_line_error() {
  local word
  [ "$(grep -c . "$dir/err")" -eq 1 ] || fail "the error is not one line"
  for word; do expect_in err "$word"; done
}

only() {
  local last=${*: -1} name
  for name in "${@:1:$#-1}"; do
    [ "$name" = "$RUNTIME" ] && return 0
  done
  exit 77
}

skip_case() {
  echo "$*" >"$dir/skipped"
  exit 78
}

needs_root() { [ "$(id -u)" -eq 0 ] || skip_case "needs root"; }
needs_cgroup() { [ -w "/sys/fs/cgroup/$1" ] || skip_case "no writable cgroup v1 controller $1"; }

# Everything of ours that the machine holds: processes by executable, by arguments and by cgroup,
# mounts, cgroup directories, state, network namespaces, memfds. Sorted lines; two calls are compared.
leftovers() {
  find /proc -maxdepth 2 -name exe -path '/proc/[0-9]*' -printf 'process %p %l\n' 2>/dev/null |
    grep -F " $runtime_real" | sed 's|/exe | |'
  grep -sl "[/]${dir#/}" /proc/[0-9]*/cmdline | sed 's/^/of the case: /'  # [/]: not grep itself
  # A zombie is its reaper's, and still named by its cgroup.
  grep -slE ":/(.*/)?$e2e_tag" /proc/[0-9]*/cgroup | while IFS=/ read -r _ _ pid _; do
    grep -qs '^State:.[ZX]' "/proc/$pid/status" || echo "in our cgroup: $pid"
  done
  sed 's/^[0-9]* [0-9]* /mount /' /proc/self/mountinfo
  find /sys/fs/cgroup -mindepth 2 -type d -name "$e2e_tag-*" ${hidden_cgroups:+! -path "$hidden_cgroups/*"} 2>/dev/null | sed 's/^/cgroup /'
  find "$root" -mindepth 1 2>/dev/null | sed 's/^/state /'
  find "/run/$RUNTIME" -mindepth 1 -maxdepth 1 ! -name uids 2>/dev/null | sed 's/^/run /'
  find /run/netns /dev/shm -mindepth 1 -maxdepth 1 2>/dev/null | sed 's/^/run /'
}
