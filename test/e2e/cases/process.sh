# SPDX-License-Identifier: Apache-2.0
# What config.json says of the process: args, env, cwd, user.

case_arguments_arrive_unchanged() {
  make_bundle
  program show
  args /bin/show '' ' two  spaces ' $'tab\tand\nnewline' 'grüße 日本語 🦀' '--option=x y' '"quoted" \back'"'"
  run_it
  expect_status 0
  expect_in out 'arg 1 <>'
  expect_in out 'arg 2 < two  spaces >'
  expect_in out $'arg 3 <tab\tand'
  expect_in out 'arg 4 <grüße 日本語 🦀>'
  expect_in out 'arg 5 <--option=x y>'
  expect_in out 'arg 6 <"quoted" \back'"'"'>'
}

case_many_arguments() {
  make_bundle
  edit '.process.args = ["sh", "-c", "echo $#; echo ${1000}", "x"] + [range(1; 2001) | tostring]'
  run_it
  expect_status 0
  expect_out $'2000\n1000'
}

case_environment_is_exactly_that() {
  make_bundle
  program show
  args /bin/show
  edit '.process.env = ["PATH=/bin", "EMPTY=", "SPACES=a  b", "EQ=a=b=c", "UTF=grün", "HOME=/h"]'
  run_it
  expect_status 0
  expect_eq "$(grep '^env' "$dir/out" | LC_ALL=C sort)" "$(printf 'env <%s>\n' EMPTY= EQ=a=b=c HOME=/h PATH=/bin 'SPACES=a  b' UTF=grün | LC_ALL=C sort)"
}

case_home_comes_from_passwd() {
  make_bundle
  program show
  args /bin/show
  edit '.process.env = ["PATH=/bin"] | .process.user = {uid: 1000, gid: 1000}'
  run_it
  expect_in out 'env <HOME=/home/app>'
}

case_working_directory() {
  make_bundle
  program show
  args /bin/show
  mkdir -p "$bundle/rootfs/a dir/b"
  edit '.process.cwd = "/a dir/b"'
  run_it
  expect_status 0
  expect_in out 'cwd </a dir/b>'
}

# runc makes a missing working directory.
case_missing_working_directory() {
  only runhl runc "crun: the same, but refuses on some versions"
  make_bundle
  program show
  args /bin/show
  edit '.process.cwd = "/made/by/runtime"'
  run_it
  expect_status 0
  expect_in out 'cwd </made/by/runtime>'
}

case_user() {
  make_bundle
  program show
  args /bin/show
  edit '.process.user = {uid: 1000, gid: 1001, additionalGids: [7, 8]}'
  run_it
  expect_status 0
  expect_in out 'uid 1000 1000 gid 1001 1001'
  expect_in out 'groups 7 8'
}

case_user_may_not_write_what_is_roots() {
  make_bundle
  steps 'write /etc/passwd x' 'write /root/y y' 'write /home/app/f mine' 'cat /home/app/f'
  edit '.process.user = {uid: 1000, gid: 1000}'
  chmod 700 "$bundle/rootfs/root"
  run_it
  expect_out $'refused\nrefused\nmine'
  expect_eq "$(stat -c '%u:%g' "$bundle/rootfs/home/app/f")" 1000:1000
  [ ! -e "$bundle/rootfs/root/y" ] || fail "wrote a root-owned directory"
  grep -q '^root:x' "$bundle/rootfs/etc/passwd" || fail "wrote a root-owned file"
}

case_limits_are_those_given_or_the_callers() {
  make_bundle '.process.rlimits = [{type: "RLIMIT_FSIZE", hard: 4096000, soft: 2048000}]'
  args sh -c 'ulimit -Sc; ulimit -Hc; ulimit -Ss; ulimit -Sf; ulimit -Hf'
  ulimit -Ss 4096  # of this case's own shell
  run_it
  expect_eq "$(tr '\n' ' ' <"$dir/out")" "$(ulimit -Sc) $(ulimit -Hc) 4096 4000 8000 " "limits:"
}

case_niceness_and_oom_score_are_those_given_or_the_callers() {
  make_bundle '.process.oomScoreAdj = 321'
  args sh -c 'cut -d" " -f18,19 /proc/self/stat; cat /proc/self/oom_score_adj'
  renice -n 7 -p "$BASHPID" >/dev/null  # of this case's own shell
  run_it
  expect_out $'27 7\n321'
}

case_no_file_may_grow() {
  only runhl runc "crun's own start fails under that limit, without a word"
  make_bundle '.process.rlimits = [{type: "RLIMIT_FSIZE", hard: 0, soft: 0}]'
  args sh -c 'trap "" XFSZ; echo x >/file; ls -s /file; exit 7'
  run_it
  expect_status 7
  expect_in err 'File too large'
}

case_path_search() {
  make_bundle '.process.env = ["PATH=/nowhere:/opt:/bin"]'
  mkdir "$bundle/rootfs/opt"
  program exit_code
  mv "$bundle/rootfs/bin/exit_code" "$bundle/rootfs/opt/tool"
  args tool 9
  run_it
  expect_status 9
}

case_script_with_interpreter_line() {
  make_bundle
  printf '#!/bin/sh -e\necho "script $0 $1"\n' >"$bundle/rootfs/script"
  chmod +x "$bundle/rootfs/script"
  args /script arg
  run_it
  expect_status 0
  expect_out "script /script arg"
}
