# SPDX-License-Identifier: Apache-2.0
# Small static programs that check from inside what a kernel owes them. They pass on Linux first.

inside() {  # program args…
  make_bundle
  program "$1"
  "$e2e_dir/programs/$1" "${@:2}" >/dev/null || fail "$1 fails on this machine's own kernel"
  args "/bin/$1" "${@:2}"
  run_it
  expect_status 0
}
case_system_calls_keep_registers() { inside registers; }
case_memory_is_there() { inside touch_pages 64; }
case_hot_calls() { inside hot_calls 1; }

case_auxiliary_vector() {
  local first
  inside auxv
  first=$(cat "$dir/out")
  run_it
  [ "$(cat "$dir/out")" != "$first" ] || fail "AT_RANDOM is the same twice"
}

case_addresses_are_randomised() {
  local n
  make_bundle
  program show_addresses
  args /bin/show_addresses
  for n in 1 2 3; do
    run_it
    expect_status 0
    cat "$dir/out" >>"$dir/seen"
  done
  expect_eq "$(grep -c stack "$dir/seen")" 3
  [ "$(sort -u "$dir/seen" | grep -c '^stack')" -gt 1 ] || fail "stack"
  [ "$(sort -u "$dir/seen" | grep -c '^mmap')" -gt 1 ] || fail "mmap"
}
