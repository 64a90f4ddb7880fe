# SPDX-License-Identifier: Apache-2.0
# Bad input: each a one-line error that names the field or path, runc's exit code, nothing left.
#
#   bad NAME 'HOW TO BREAK IT' WORD…         with runhl every WORD must be in the one error line
#   BAD_RUN='try create …' bad …             another command than `run`
#   PEERS=accept bad …                       runc takes it, hangs or fails later: a written difference
#
# runc runs the other rows too and must fail: that shows that the row breaks what it says. crun does
# not: it accepts a dozen of these (uid 2^32-1, a relative cwd, env without "=" …).

run_bounded() {
  status=0
  timeout -k 1 10 "$runtime_bin" --root "$root" "$@" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
  [ "$status" -ne 124 ] && [ "$status" -ne 137 ] || fail "hangs"
}
bounded_run() { run_bounded run --bundle "$bundle" "$id"; }

bad() {
  local name=$1 break=$2 words
  shift 2
  words=$(printf ' %q' "$@")
  eval "case_bad_$name() {
    only runhl $([ "${PEERS:-}" = accept ] || echo runc) 'written difference'
    make_bundle '.process.args = [\"true\"]'
    $break
    ${BAD_RUN:-bounded_run}
    expect_refused $words
  }"
}

expect_refused() {
  if [ "$RUNTIME" != runhl ]; then
    [ "$status" -ne 0 ] || fail "accepted"
    return 0
  fi
  expect_status 1
  expect_one_line_error "$@"
}

raw() { cat >"$bundle/config.json"; }

# --- the file ---------------------------------------------------------------------------------------
bad config_missing 'rm "$bundle/config.json"' config.json
PEERS=accept bad config_is_a_fifo 'rm "$bundle/config.json"; mkfifo "$bundle/config.json"' config.json
bad config_is_a_directory 'rm "$bundle/config.json"; mkdir "$bundle/config.json"' config.json
PEERS=accept bad config_of_300_mib 'head -c 314572800 /dev/zero | tr "\0" " " >>"$bundle/config.json"' config.json
PEERS=accept bad config_200000_deep '{ printf "{\"ociVersion\":\"1.0.2\",\"annotations\":{\"a\":"; head -c 200000 /dev/zero | tr "\0" "["; } | raw' config.json
PEERS=accept bad config_duplicate_key 'sed -i "0,/{/s//{ \"hostname\": \"first\",/" "$bundle/config.json"' hostname
PEERS=accept bad config_invalid_utf8 'edit ".hostname = \"XX\""; sed -i "s/XX/\xc3\x28/" "$bundle/config.json"' config.json
bad config_truncated 'head -c 300 "$bundle/config.json" >"$dir/half"; raw <"$dir/half"' config.json
bad config_empty 'raw </dev/null' config.json
bad config_is_an_array 'echo "[]" | raw' config.json
bad config_unreadable 'rm "$bundle/config.json"; ln -s config.json "$bundle/config.json"' config.json

# --- fields -----------------------------------------------------------------------------------------
PEERS=accept bad oci_version_missing 'edit "del(.ociVersion)"' /ociVersion
PEERS=accept bad oci_version_2 'edit ".ociVersion = \"2.0.0\""' /ociVersion
bad oci_version_no_string 'edit ".ociVersion = 1"' /ociVersion
PEERS=accept bad oci_version_no_number 'edit ".ociVersion = \"banana\""' /ociVersion
bad process_missing 'edit "del(.process)"' /process
bad args_missing 'edit "del(.process.args)"' /process/args
bad args_empty 'edit ".process.args = []"' /process/args
bad args_a_string 'edit ".process.args = \"true\""' /process/args
bad args_a_number 'edit ".process.args = [\"true\", 7]"' /process/args/1
bad args_2_mib 'head -c 2097152 /dev/zero | tr "\0" a >"$dir/long"; edit --rawfile long "$dir/long" ".process.args = [\"true\", \$long]"' /process/args
bad args_with_nul 'edit ".process.args = [\"true\", \"a\\u0000b\"]"' /process/args/1
bad env_without_equals 'edit ".process.env += [\"NOTHING\"]"' /process/env
bad env_with_nul 'edit ".process.env = [\"A=b\\u0000c\"]"' /process/env/0
bad cwd_relative 'edit ".process.cwd = \"tmp\""' /process/cwd
bad cwd_missing 'edit "del(.process.cwd)"' /process/cwd
bad cwd_a_file 'edit ".process.cwd = \"/etc/passwd\""' /etc/passwd
PEERS=accept bad cwd_forbidden 'edit ".process.cwd = \"/root/in\" | .process.user = {uid: 1000, gid: 1000}"; mkdir "$bundle/rootfs/root/in"; chmod 700 "$bundle/rootfs/root"' /root/in
bad uid_4294967295 'edit ".process.user.uid = 4294967295"' /process/user/uid
bad uid_negative 'edit ".process.user.uid = -1"' /process/user/uid
bad uid_a_string 'edit ".process.user.uid = \"root\""' /process/user/uid
bad gid_too_big 'edit ".process.user.gid = 99999999999"' /process/user/gid
bad rootfs_missing 'rm -r "$bundle/rootfs"' rootfs
bad rootfs_a_symlink 'mv "$bundle/rootfs" "$bundle/real"; ln -s real "$bundle/rootfs"' rootfs
bad rootfs_a_file 'rm -r "$bundle/rootfs"; echo x >"$bundle/rootfs"' rootfs
bad root_missing 'edit "del(.root)"' /root
PEERS=accept bad cgroups_path_with_dots 'edit --arg p "/../../$id" ".linux.cgroupsPath = \$p"' /linux/cgroupsPath
bad rlimit_unknown 'edit ".process.rlimits = [{type: \"RLIMIT_NOSUCH\", hard: 1, soft: 1}]"' /process/rlimits/0
bad namespace_unknown 'edit ".linux.namespaces += [{type: \"nosuch\"}]"' /linux/namespaces
bad namespace_twice 'edit ".linux.namespaces += [{type: \"pid\"}]"' /linux/namespaces
bad mount_without_destination 'edit ".mounts += [{type: \"tmpfs\", source: \"tmpfs\"}]"' /mounts
bad mount_option_unknown 'edit ".mounts += [{destination: \"/x\", type: \"tmpfs\", source: \"tmpfs\", options: [\"nosuchoption=1\"]}]"' nosuchoption
PEERS=accept bad memory_limit_negative 'edit ".linux.resources.memory.limit = \"a lot\""' /linux/resources/memory/limit
bad hooks_relative 'edit ".hooks.prestart = [{path: \"bin/true\"}]"' /hooks/prestart/0/path

# --- the command line -------------------------------------------------------------------------------
BAD_RUN='run_bounded run --bundle "$dir/no-such-bundle" "$id"' bad bundle_missing : no-such-bundle
BAD_RUN='run_bounded run --bundle "$(printf "/%.0sa" {1..2100})" "$id"' bad bundle_path_too_long : long
BAD_RUN='run_bounded run --bundle "$bundle" a/b' bad id_with_slash : a/b
BAD_RUN='run_bounded run --bundle "$bundle" ..' bad id_dots : id
BAD_RUN='run_bounded run --bundle "$bundle" ""' bad id_empty : id
BAD_RUN='run_bounded run --bundle "$bundle" "a b"' bad id_with_space : id
PEERS=accept BAD_RUN='run_bounded run --bundle "$bundle" "$(printf "a%.0s" {1..256})"' bad id_too_long : id
BAD_RUN='run_bounded run --bundle "$bundle" --pid-file "$dir/none/pid" "$id"' bad pid_file_directory_missing : "none/pid"
BAD_RUN='run_bounded create --bundle "$bundle" "$id"' bad terminal_without_console_socket 'edit ".process.terminal = true"' console
PEERS=accept BAD_RUN='run_bounded create --bundle "$bundle" --console-socket "$dir/sock" "$id"' bad console_socket_without_terminal : console
PEERS=accept BAD_RUN='run_bounded --no-such-option run "$id"' bad option_unknown : no-such-option
PEERS=accept BAD_RUN='run_bounded nosuchverb' bad verb_unknown : nosuchverb
PEERS=accept BAD_RUN='run_bounded run --bundle "$bundle"' bad id_not_given : id

# --- the program ------------------------------------------------------------------------------------
patched() {  # offset bytes… of a copy of busybox, as /bin/patched
  local offset=$1
  cp "$bundle/rootfs/bin/busybox" "$bundle/rootfs/bin/patched"
  printf "$2" | dd of="$bundle/rootfs/bin/patched" bs=1 seek="$offset" conv=notrunc status=none
  args /bin/patched true
}
bad not_an_elf 'echo garbage >"$bundle/rootfs/bin/patched"; chmod +x "$bundle/rootfs/bin/patched"; args /bin/patched' /bin/patched
bad elf_truncated 'head -c 60 "$bundle/rootfs/bin/busybox" >"$bundle/rootfs/bin/patched"; chmod +x "$bundle/rootfs/bin/patched"; args /bin/patched' /bin/patched
PEERS=accept bad elf_32_bit 'patched 4 "\1"' /bin/patched
bad elf_other_machine 'patched 18 "\267"' /bin/patched
PEERS=accept bad elf_segments_overlap 'overlap' /bin/patched
PEERS=accept bad elf_segment_beyond_the_file 'beyond' /bin/patched
bad elf_headers_beyond_the_file 'patched 32 "\377\377\377\177"' /bin/patched
bad elf_empty ': >"$bundle/rootfs/bin/patched"; chmod +x "$bundle/rootfs/bin/patched"; args /bin/patched' /bin/patched
bad interpreter_missing 'printf "#!/no/such/interpreter\n" >"$bundle/rootfs/bin/patched"; chmod +x "$bundle/rootfs/bin/patched"; args /bin/patched' /bin/patched
bad interpreter_of_itself 'printf "#!/bin/patched\n" >"$bundle/rootfs/bin/patched"; chmod +x "$bundle/rootfs/bin/patched"; args /bin/patched' /bin/patched

# The first two PT_LOAD of busybox: program headers at 64, 56 bytes each; p_vaddr at +16, p_offset at +8.
load_header() {  # n → offset of the n-th PT_LOAD header
  local at type n=$1
  for ((at = 64; at < 64 + 56 * 12; at += 56)); do
    type=$(od -An -tu4 -j "$at" -N 4 "$bundle/rootfs/bin/busybox" | tr -d ' ')
    if [ "$type" = 1 ]; then
      n=$((n - 1))
      [ "$n" -gt 0 ] || { echo "$at" && return; }
    fi
  done
}
overlap() {  # the second segment at the address of the first
  local first
  first=$(od -An -tx1 -j $(($(load_header 1) + 16)) -N 8 "$bundle/rootfs/bin/busybox" | sed 's/ /\\x/g')
  patched $(($(load_header 2) + 16)) "$first"
}
beyond() { patched $(($(load_header 2) + 8)) '\0\0\0\0\1\0\0\0'; }

# --- paths that are unusual and right -------------------------------------------------------------------
odd_bundle() {
  bundle=$dir/$1
  make_bundle
  args echo fine
  run_it
  expect_status 0
  expect_out fine
}
case_bundle_path_with_spaces() { odd_bundle '  a bundle '; }
case_bundle_path_with_newline() { odd_bundle $'new\nline'; }
case_bundle_path_with_utf8_and_quotes() { odd_bundle 'bündel "x" \y'; }
case_newer_oci_version() {
  make_bundle '.ociVersion = "1.2.1" | .futureField = {"x": 1}'
  args echo fine
  run_it
  if [ "$RUNTIME" != crun ]; then
    expect_status 0
    expect_out fine
  fi
}

# --- the state directory -------------------------------------------------------------------------------
case_state_truncated() {
  only runhl "other runtimes' files have other names"
  make_bundle
  args sleep 1000
  create_it
  local pid
  pid=$(cat "$dir/pid")
  truncate -s 20 "$root/$id/state.json"
  run_bounded state "$id"
  expect_status 1
  expect_one_line_error state.json
  run_bounded delete --force "$id"
  expect_status 0
  [ ! -d "/proc/$pid" ] || wait_until test ! -d "/proc/$pid"
}

case_state_of_another_version() {
  only runhl "other runtimes' files have other names"
  make_bundle
  args sleep 1000
  create_it
  jq '.version = 99' "$root/$id/state.json" >"$dir/s" && cat "$dir/s" >"$root/$id/state.json"
  run_bounded state "$id"
  expect_status 1
  expect_one_line_error state.json version
  jq '.version = 1' "$root/$id/state.json" >"$dir/s" && cat "$dir/s" >"$root/$id/state.json"
  run_bounded delete --force "$id"
  expect_status 0
}

start_tick() { sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20; }

# A process that begins now begins in a later clock tick than $1.
later_than_tick() { [ "$(bash -c "sed 's/.*) //' /proc/\$\$/stat" | cut -d' ' -f20)" -gt "$1" ]; }

# The pid of a dead monitor now belongs to somebody else: never signalled, and the state is stopped.
case_recycled_pid() {
  only runhl "other runtimes' files have other names"
  make_bundle
  args sleep 1000
  create_it && start_it
  # A pid comes back after all others were used, in a later clock tick than its first owner's.
  local began other
  began=$(start_tick "$(cat "$dir/pid")")
  kill -KILL "$(cat "$dir/pid")"
  wait_until later_than_tick "$began"
  sleep 1000 &
  other=$!
  wait_until is_state stopped
  sed -i "s/\"pid\": *$(cat "$dir/pid")\b/\"pid\": $other/" "$root/$id/state.json"
  grep -q "$other" "$root/$id/state.json" || fail "the state has no such pid"
  expect_eq "$(state_of)" stopped state
  run_bounded kill "$id" KILL
  expect_status 1
  run_bounded delete --force "$id"
  expect_status 0
  kill -0 "$other" || fail "killed a stranger"
  kill "$other"
  wait "$other" 2>/dev/null || true
}

case_state_directory_unwritable() {
  make_bundle
  args true
  root=/proc/no-such
  run_bounded run --bundle "$bundle" "$id"
  expect_status 1
  if [ "$RUNTIME" = runhl ]; then expect_one_line_error /proc/no-such; fi
}

case_state_directory_is_a_file() {
  make_bundle
  args true
  echo x >"$root"
  run_bounded run --bundle "$bundle" "$id"
  expect_status 1
  if [ "$RUNTIME" = runhl ]; then expect_one_line_error root; fi
  rm "$root"
}

case_disk_full() {
  needs_root
  make_bundle
  args true
  mkdir -p "$root"
  mount -n -t tmpfs -o size=16k,nr_inodes=20 none "$root" || skip_case "cannot mount a tmpfs"
  head -c 16384 /dev/zero >"$root/filler" 2>/dev/null
  run_bounded create --bundle "$bundle" "$id"
  local made=$status
  run_bounded delete --force "$id"
  rm "$root/filler"
  [ -z "$(ls -A "$root")" ] || { ls -A "$root" >"$dir/out" && umount -n "$root" && fail "left in the full directory"; }
  umount -n "$root"
  [ "$RUNTIME" != runhl ] || expect_eq "$made" 1 status
}

case_relative_root() {
  make_bundle
  args echo fine
  cd "$dir" || fail cd
  root=relative
  run_bounded run --bundle "$bundle" "$id"
  # Taken as of the working directory, like runc; never of another one.
  expect_status 0
  expect_out fine
  [ -z "$(ls -A "$dir/relative" 2>/dev/null)" ] || fail "left state"
}
