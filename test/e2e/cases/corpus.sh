# SPDX-License-Identifier: Apache-2.0
# Every config.json of test/corpus, as the engines wrote it but for what names another machine
# (root, sources of binds, hooks' programs, namespaces by path, the groups' parent) and for the
# terminal, which needs an engine's console socket: it makes a container, or one line says by JSON pointer why not.

# Bind sources that exist, by their destinations: a file where engines bind files.
sources() {
  local at destination
  while IFS=$'\t' read -r at destination; do
    case $destination in
      /etc/* | */.containerenv | /sbin/* | /dev/termination-log | *.sock) touch "$dir/source-$at" ;;
      *) mkdir -p "$dir/source-$at" ;;
    esac
  done < <(jq -r '.mounts | to_entries[] | select(.value.type == "bind" or ((.value.options // []) | any(. == "bind" or . == "rbind")))
    | [.key, .value.destination] | @tsv' "$1")
}

adapted() {  # file
  jq --arg rootfs "$e2e_dir/rootfs" --arg dir "$dir" --arg group "/$e2e_tag/$id" --arg proc "/proc/$BASHPID/ns" '
    .root.path = $rootfs
    | .mounts |= (to_entries | map(
        if .value.type == "bind" or ((.value.options // []) | any(. == "bind" or . == "rbind"))
        then (if .value.source | startswith("/sys") then . else .value.source = "\($dir)/source-\(.key)" end) else . end | .value))
    | .hooks |= (if . then map_values(map(.path = "/bin/true")) else . end)
    | .process.args = ["/bin/busybox", "true"]
    | .process.cwd = "/" | del(.process.terminal)
    | if .linux.cgroupsPath then .linux.cgroupsPath = $group else . end
    | .linux.namespaces |= (if . then map(
        if .path then .path = "\($proc)/\({network: "net", mount: "mnt"}[.type] // .type)" else . end) else . end)
    ' "$1"
}

case_each_creates_or_is_refused_by_pointer() {
  local file name wanted made=0 refused=0
  only runhl "what it accepts and refuses is its own"
  needs_root
  needs_cgroup memory
  mkdir -p "$dir/bundle"
  bundle=$dir/bundle
  trap force_delete EXIT
  for file in test/corpus/config/*.json; do
    name=$(basename "$file" .json)
    wanted=$(sed -n "s/^$name\t//p" test/corpus/config/expected.txt)
    rm -rf "$dir"/source-*
    sources "$file"
    adapted "$file" >"$bundle/config.json" || fail "$name: jq"
    rm -f "$dir/err"
    if rt create --bundle "$bundle" "$id" </dev/null >/dev/null 2>"$dir/err"; then
      made=$((made + 1))
      [ "$wanted" = ok ] || fail "$name: created, and not refused with $wanted"
      rt start "$id" </dev/null >/dev/null 2>"$dir/err" || fail "$name: start"
      wait_until is_state stopped
      rt delete "$id" || fail "$name: delete"
    else
      refused=$((refused + 1))
      [ "$wanted" != ok ] || fail "$name is refused"
      [ "$(grep -vc ' level=warning ' "$dir/err")" -eq 1 ] || fail "$name: the error is not one line"
      expect_in err ": config.json: $wanted"
    fi
  done
  [ "$made" -ge 35 ] && [ "$refused" -ge 19 ] || fail "made $made, refused $refused"
}
