# SPDX-License-Identifier: Apache-2.0
# What a suite counts; to be sourced. $suite is its name in what it prints.
passed=0 failed=0 skipped=0

skip() {
  echo "SKIPPED: $suite: $*"
  skipped=$((skipped + 1))
}
# The whole suite, for this reason.
skip_all() {
  skip "$@"
  finish
}
# The last line, the gate's count (test/run.sh), and the end.
finish() {
  [ -z "${RUNHL_COUNTS:-}" ] || echo "$passed $failed $skipped" >>"$RUNHL_COUNTS"
  echo "$suite: $passed passed, $failed failed, $skipped skipped"
  [ "$failed" -eq 0 ]
  exit
}
