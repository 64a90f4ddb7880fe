# SPDX-License-Identifier: Apache-2.0
# What runhl says of the host, and that it remembers what KVM is.

case_info_tells_of_each_isolation() {
  only runhl "the others have no info"
  try info
  expect_status 0
  for isolation in cell vm emulated; do
    grep -Eq "^isolation $isolation: (not )?available" "$dir/out" || fail "nothing of $isolation: $(cat "$dir/out")"
  done
  try info --json
  expect_status 0
  jq -e '.cell.available and (.vm.available == (.vm.kvm == "hardware")) and (.vm.reason | length > 0)' <"$dir/out" >/dev/null ||
    fail "not as expected: $(cat "$dir/out")"
  expect_eq "$(jq -r .root <"$dir/out")" "$root"
}

case_info_remembers_what_holds_until_the_next_start() {
  only runhl "the others have no info"
  local kvm
  try info --json
  kvm=$(jq -r .vm.kvm <"$dir/out")
  try info --json
  expect_eq "$(jq -r .vm.kvm <"$dir/out")" "$kvm"
  case $kvm in
    hardware | absent | emulating) expect_eq "$(jq .vm.remembered <"$dir/out")" true ;;
    *) expect_eq "$(jq .vm.remembered <"$dir/out")" false ;;
  esac
  try list --quiet  # the file is no container
  expect_status 0
  expect_out ""
}
