# SPDX-License-Identifier: Apache-2.0
# runhl pull: Debian's docker-registry on the loopback device, and one of the tests' own that imitates
# GHCR and fails in the ways that registries do.

. "$RUNHL_TOP/test/support/images.sh"
. "$RUNHL_TOP/test/support/registry.sh"

# An image with a layer that is worth a second connection.
make_large_image() {
  make_image
  head -c 3000000 /dev/urandom >"$dir/unpacked/rootfs/random"
  layer
  config_image --config.cmd /bin/echo --config.cmd pulled
}

case_pulls_and_runs_from_debians_registry() {
  needs_umoci
  make_large_image
  debians_registry
  local at=$registry
  skopeo_push test/large:1
  pull "$at/test/large:1"
  expect_status 0
  expect_in out ": done, "
  run_image "$at/test/large:1"
  expect_out pulled
  pull -q "$at/test/large:1"
  expect_out "$at/test/large:1 $(jq -r '.manifests[0].digest' "$layout/index.json")"
  pull "$at/test/missing:1"
  expect_status 1
  expect_one_line_error "$at/test/missing:1" 'is not there'
}

case_debians_registry_with_passwords() {
  needs_umoci
  make_image
  command -v python3 >/dev/null || skip_case "no python3"
  python3 -W ignore -c 'import crypt; print("me:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' >"$dir/htpasswd"
  auth="auth: {htpasswd: {realm: tests, path: $dir/htpasswd}}" debians_registry
  skopeo_push test/private:1 --dest-creds me:secret
  mkdir -p "$dir/docker"
  export DOCKER_CONFIG=$dir/docker
  pull "$registry/test/private:1"
  expect_status 1
  expect_one_line_error 'runhl login' '401'
  printf secret >"$dir/password"
  stdin=$dir/password try login -u me --password-stdin "$registry"
  expect_status 0
  pull "$registry/test/private:1"
  expect_status 0
  # What we wrote is docker's own format: another reader of it gets in too.
  skopeo inspect --tls-verify=false --authfile "$DOCKER_CONFIG/config.json" "docker://$registry/test/private:1" >/dev/null || fail "skopeo does not read what login wrote"
}

# make_certificate: cert.pem and key.pem of this machine.
make_certificate() {
  command -v openssl >/dev/null || skip_case "no openssl"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tests -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" >"$dir/openssl.log" 2>&1 || fail "openssl: $(cat "$dir/openssl.log")"
}

# make_certificate_for FROM TO: the same, for a day that is over or to come: what a clock that is wrong
# sees.
make_certificate_for() {
  (
    cd "$dir" && : >database &&
      printf '%s\n' '[ca]' 'default_ca=d' '[d]' 'database=database' 'rand_serial=yes' 'default_md=sha256' 'policy=p' \
        'x509_extensions=e' '[p]' 'commonName=supplied' '[e]' 'subjectAltName=IP:127.0.0.1' >ca.conf &&
      openssl req -new -key key.pem -subj /CN=tests -out old.csr &&
      openssl ca -batch -selfsign -notext -config ca.conf -keyfile key.pem -in old.csr -out cert.pem -outdir . \
        -startdate "$1" -enddate "$2"
  ) >"$dir/openssl.log" 2>&1 || fail "openssl: $(cat "$dir/openssl.log")"
}

# hosts_toml LINE…: of $registry, with TLS.
hosts_toml() {
  mkdir -p "$dir/hosts/$registry"
  printf '%s\n' "server = 'https://$registry'" "$@" >"$dir/hosts/$registry/hosts.toml"
}

case_tls_is_not_left_and_clocks_count() {
  needs_umoci
  make_image
  make_certificate
  cat "$dir/cert.pem" "$dir/key.pem" >"$dir/both.pem"
  REGISTRY_TLS=$dir/both.pem serve
  hosts_toml "ca = '$dir/cert.pem'"
  pull --hosts-dir "$dir/hosts" "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error 'redirects from https to http'
  local from to words
  while IFS='|' read -r from to words; do
    unserve
    make_certificate_for "$from" "$to"
    cat "$dir/cert.pem" "$dir/key.pem" >"$dir/both.pem"
    REGISTRY_TLS=$dir/both.pem serve
    hosts_toml "ca = '$dir/cert.pem'"
    pull --hosts-dir "$dir/hosts" "$registry/owner/image:tag"
    expect_status 1
    expect_one_line_error "$registry" "$words"
  done <<'DAYS'
20200101000000Z|20200102000000Z|certificate has expired
20480101000000Z|20480102000000Z|certificate is not yet valid
DAYS
}

case_debians_registry_with_a_certificate_of_its_own() {
  needs_umoci
  make_image
  make_certificate
  debians_registry "tls: {certificate: $dir/cert.pem, key: $dir/key.pem}"
  skopeo_push test/tls:1
  local hosts=$dir/hosts/${registry/:/_}_
  mkdir -p "$hosts"
  echo "server = 'https://$registry'" >"$hosts/hosts.toml"
  pull --hosts-dir "$dir/hosts" "$registry/test/tls:1"
  expect_status 1
  expect_one_line_error certificate
  cp "$dir/cert.pem" "$hosts/own.crt"
  printf "server = 'https://%s'\nca = 'own.crt'\n" "$registry" >"$hosts/hosts.toml"
  pull --hosts-dir "$dir/hosts" "$registry/test/tls:1"
  expect_status 0
  # Its name is not localhost's: the authority is known, the certificate is for somebody else.
  local other=localhost:${registry#*:}
  mkdir "$dir/hosts/$other"
  printf "server = 'https://%s'\nca = '%s'\n" "$other" "$dir/cert.pem" >"$dir/hosts/$other/hosts.toml"
  pull --hosts-dir "$dir/hosts" "$other/test/tls:1"
  expect_status 1
  printf "server = 'https://%s'\nskip_verify = true\n" "$other" >"$dir/hosts/$other/hosts.toml"
  store=$dir/second
  pull --hosts-dir "$dir/hosts" "$other/test/tls:1"
  expect_status 0
}

case_mirrors_are_asked_first() {
  needs_umoci
  make_large_image
  mkdir -p "$dir/hosts/registry.invalid"
  serve
  cat >"$dir/hosts/registry.invalid/hosts.toml" <<TOML
server = "http://$registry"
[host."http://127.0.0.1:1"]
[host."http://$registry/mirror"]
  capabilities = ["pull"]
  [host."http://$registry/mirror".header]
    x-team = "tests"
TOML
  pull --hosts-dir "$dir/hosts" registry.invalid/owner/image:tag
  expect_status 0
  # The first is dead and the second is not asked what a tag is.
  expect_in requests "registry /v2/owner/image/manifests/tag"
  expect_in requests "registry /mirror/v2/owner/image/blobs/"
  expect_in requests "?ns=registry.invalid"
  grep -q 'x-team' "$dir/requests" && fail "another host was told a header that is not its own"
  run_image registry.invalid/owner/image:tag
  expect_out pulled
  echo "server = 1" >"$dir/hosts/registry.invalid/hosts.toml"
  pull --hosts-dir "$dir/hosts" registry.invalid/owner/image:tag
  expect_status 1
  expect_one_line_error "hosts.toml: line 1"
}

# Wrong bytes are a mirror's fault, not the image's: whole ones, and the end of ones that began well.
case_a_mirror_with_wrong_bytes_is_left() {
  needs_umoci
  make_large_image
  serve other-content
  local wrong=$registry
  wrong_pid=$registry_pid  # for the trap, which does not see what is local
  rm "$dir/requests"
  python3 "$RUNHL_TOP/test/support/fake_registry.py" "$layout" "$dir/requests.2" </dev/null >"$dir/registry.log" 2>&1 &
  registry_pid=$!
  trap 'kill "$registry_pid" "$wrong_pid" 2>/dev/null' EXIT
  wait_until [ -s "$dir/requests.2" ]
  registry=$(head -n 1 "$dir/requests.2")
  mkdir -p "$dir/hosts/registry.invalid"
  printf 'server = "http://%s"\n[host."http://%s"]\n' "$registry" "$wrong" >"$dir/hosts/registry.invalid/hosts.toml"
  pull --hosts-dir "$dir/hosts" registry.invalid/owner/image:tag
  expect_status 0
  expect_in requests.2 storage
  run_image registry.invalid/owner/image:tag
  expect_out pulled
  store=$dir/second cache=$dir/second-cache
  local layer
  layer=$(rt inspect --store "$dir/store" registry.invalid/owner/image:tag | jq -r '.manifest.layers[1].digest')
  rt images --store "$store" >/dev/null
  head -c 100000 /dev/zero >"$store/partial/${layer#sha256:}"
  printf 'server = "http://%s"\n' "$registry" >"$dir/hosts/registry.invalid/hosts.toml"
  pull --hosts-dir "$dir/hosts" registry.invalid/owner/image:tag
  expect_status 0
  expect_in requests.2 " range"
  run_image registry.invalid/owner/image:tag
  expect_out pulled
}

case_tokens_and_signed_addresses() {
  needs_umoci
  make_large_image
  serve
  pull "$registry/owner/image:tag"
  expect_status 0
  grep -q LEAK "$dir/requests" && fail "another host was told who we are"
  expect_in requests "/token?"
  run_image "$registry/owner/image:tag"
  expect_out pulled
  cp "$dir/requests" "$dir/before"
  pull --json "$registry/owner/image:tag"
  expect_status 0
  expect_eq "$(jq -rs '[.[] | select(.state == "present")] | length' "$dir/out")" 2 "layers that were there:"
  expect_eq "$(grep -c storage "$dir/requests")" "$(grep -c storage "$dir/before")" "blobs fetched again:"
}

case_bars_are_for_terminals() {
  needs_umoci
  command -v script >/dev/null || skip_case "no script"
  make_large_image
  serve
  TERM=xterm script -qec "$(declare -p runtime_bin root | sed 's/^declare [^ ]* //' | tr '\n' ';') \"\$runtime_bin\" --root \"\$root\" pull --store '$store' --cache '$cache' '$registry/owner/image:tag'" "$dir/typescript" </dev/null >/dev/null
  expect_in typescript " of 3.0 MB"
  grep -q $'\e\[[0-9]A' "$dir/typescript" || fail "no line is written over"
  expect_in typescript ": done, 3.0 MB"
  store=$dir/second pull "$registry/owner/image:tag"
  grep -q $'\e' "$dir/out" && fail "bars in a file"
  expect_eq "$(grep -c ': done' "$dir/out")" 2 "plain lines:"
  store=$dir/third pull --quiet "$registry/owner/image:tag"
  expect_eq "$(wc -l <"$dir/out")" 1 "quiet lines:"
}

# A host that takes no connection: its backlog is full.
case_a_host_that_does_not_answer_has_its_dial_timeout() {
  needs_umoci
  command -v python3 >/dev/null || skip_case "no python3"
  store=$dir/store cache=$dir/cache
  cat >"$dir/deaf.py" <<'DEAF'
import socket, time
server = socket.create_server(("127.0.0.1", 0), backlog=0)
waiting = []
for _ in range(4):
    waiting.append(socket.socket())
    waiting[-1].setblocking(False)
    waiting[-1].connect_ex(server.getsockname())
print(server.getsockname()[1], flush=True)
time.sleep(1000)
DEAF
  python3 "$dir/deaf.py" </dev/null >"$dir/deaf" 2>&1 &
  registry_pid=$!
  trap 'kill "$registry_pid" 2>/dev/null' EXIT
  wait_until [ -s "$dir/deaf" ]
  registry=127.0.0.1:$(cat "$dir/deaf")
  mkdir -p "$dir/hosts/$registry"
  printf 'server = "http://%s"\ndial_timeout = "200ms"\n' "$registry" >"$dir/hosts/$registry/hosts.toml"
  local began=$SECONDS
  pull --hosts-dir "$dir/hosts" "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error "$registry/owner/image:tag"
  # libcurl says the one or the other, as its clock happens to stand when it looks.
  grep -qE 'Failed to connect .* Timeout was reached|Connection timeout after [0-9]+ ms' "$dir/err" || fail "err: $(cat "$dir/err")"
  [ $((SECONDS - began)) -lt 60 ] || fail "five tries took $((SECONDS - began)) seconds"
}

# As one would do behind a company's: nobody else knows where the registry is.
case_a_proxy_is_gone_through() {
  needs_umoci
  make_image
  config_image --config.cmd /bin/echo --config.cmd pulled
  serve
  cat >"$dir/proxy.py" <<'PROXY'
import http.server, sys, urllib.request
class Proxy(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_GET(self):
        print(self.path, file=sys.stderr, flush=True)
        class Stay(urllib.request.HTTPErrorProcessor):
            def http_response(self, request, response): return response
        url = self.path.replace("http://registry.invalid/", "http://%s/" % sys.argv[1])
        headers = {name: self.headers[name] for name in ("Authorization", "Range", "Accept") if name in self.headers}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
        answer = opener.open(urllib.request.Request(url, headers=headers))
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
print(server.server_port, flush=True)
server.serve_forever()
PROXY
  python3 "$dir/proxy.py" "$registry" </dev/null >"$dir/proxy" 2>"$dir/proxied" &
  proxy_pid=$!
  trap 'kill "$registry_pid" "$proxy_pid" 2>/dev/null' EXIT
  wait_until [ -s "$dir/proxy" ]
  http_proxy=http://127.0.0.1:$(cat "$dir/proxy") pull --plain-http registry.invalid/owner/image:tag
  expect_status 0
  expect_in proxied http://registry.invalid/v2/owner/image/manifests/tag
  run_image registry.invalid/owner/image:tag
  expect_out pulled
}

# run pulls what is missing: bars for a person, on standard error, and nothing at all for a log.
case_run_shows_how_far_a_pull_is() {
  needs_umoci
  command -v script >/dev/null || skip_case "no script"
  make_large_image
  serve
  run_image "$registry/owner/image:tag"
  expect_status 0
  expect_out pulled
  expect_eq "$(cat "$dir/err")" "" "standard error of a log:"
  store=$dir/second cache=$dir/second-cache
  run_image --timings "$registry/owner/image:tag"
  expect_out pulled
  expect_in err 'layers, downloaded and unpacked'
  expect_in err 'archive in the cache'
  store=$dir/third cache=$dir/third-cache
  TERM=xterm script -qec "$(declare -p runtime_bin root | sed 's/^declare [^ ]* //' | tr '\n' ';') \"\$runtime_bin\" --root \"\$root\" run --store '$store' --cache '$cache' '$registry/owner/image:tag' >'$dir/program'" "$dir/typescript" </dev/null >/dev/null
  expect_in typescript ": done, 3.0 MB"
  expect_eq "$(cat "$dir/program")" pulled "standard output of the program:"
}

case_a_cut_connection_goes_on() {
  needs_umoci
  make_large_image
  serve closing
  pull "$registry/owner/image:tag"
  expect_status 0
  expect_in requests " range"
  unserve
  store=$dir/second
  serve no-range
  pull "$registry/owner/image:tag"
  expect_status 0
  try images --store "$store" --verify
  expect_status 0
}

case_a_busy_registry_is_asked_again() {
  needs_umoci
  make_image
  serve busy
  pull "$registry/owner/image:tag"
  expect_status 0
}

# Each fault: one line with these words, exit code 1, and a store that has nothing of it by name.
case_faults_are_named() {
  needs_umoci
  make_large_image
  local fault words
  while IFS='|' read -r fault words; do
    serve "$fault"
    pull "$registry/owner/image:tag"
    expect_eq "$status" 1 "$fault: status"
    expect_one_line_error "$words"
    try images --store "$store" -q
    expect_out ""
    try images --store "$store" --verify
    expect_status 0
    unserve
  done <<'FAULTS'
other-content|came with other content
longer|came with more than the
html|invalid
to-file|redirects from http to file
to-ftp|redirects from http to ftp
for-ever|redirects without end
loop401|is not for us
shorter|ends before its size
hangs-up|transfer closed
FAULTS
}

# One that sends a byte now and then: it is left after as many tries as any other that does not answer.
case_a_trickle_is_not_waited_for() {
  needs_umoci
  make_large_image
  serve trickles
  pull --stall-timeout 1 "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error 'too slow'
  try images --store "$store" -q
  expect_out ""
  pull --stall-timeout 0 "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error '--stall-timeout'
}

# Two pulls of one image, killed at different points: while layers come, are unpacked, the archive is
# written. What is there is good each time, and the next pull completes.
case_killed_pulls_complete_later() {
  needs_umoci
  make_large_image
  serve
  local delay
  for delay in .01 .03 .06 .1 .15 .2 .3; do
    rt pull --store "$store" --cache "$cache" "$registry/owner/image:tag" >/dev/null 2>&1 </dev/null &
    local one=$!
    rt pull --store "$store" --cache "$cache" "$registry/owner/image:other" >/dev/null 2>&1 </dev/null &
    sleep "$delay"
    kill -KILL "$one" 2>/dev/null
    sleep "$delay"
    kill -KILL $! 2>/dev/null
    wait "$one" $! 2>/dev/null
    try images --store "$store" --verify
    expect_status 0
    if [ "$delay" = .1 ]; then
      rm -rf "$cache"  # and once more for the archive alone, with all blobs there
    fi
  done
  pull "$registry/owner/image:tag"
  expect_status 0
  try images --store "$store" --verify
  expect_status 0
  run_image "$registry/owner/image:tag"
  expect_out pulled
  try prune --store "$store" --cache "$cache"
  expect_status 0
  expect_eq "$(find "$store/partial" "$cache" -type f)" "" "left after prune:"
}

case_credentials_stay_with_their_registry() {
  needs_umoci
  make_image
  mkdir -p "$dir/docker" "$dir/bin"
  printf '#!/bin/sh\nsleep 1000\n' >"$dir/bin/docker-credential-hangs"
  chmod 755 "$dir/bin/docker-credential-hangs"
  serve
  echo "{\"credHelpers\":{\"$registry\":\"hangs\"}}" >"$dir/docker/config.json"
  DOCKER_CONFIG=$dir/docker PATH=$dir/bin:$PATH pull "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error docker-credential-hangs 'did not answer'
  echo "{\"auths\":{\"$registry\":{\"auth\":\"$(printf 'me:secret' | base64)\"}}}" >"$dir/docker/config.json"
  DOCKER_CONFIG=$dir/docker pull "$registry/owner/image:tag"
  expect_status 0
  grep -q LEAK "$dir/requests" && fail "another host was told who we are"
  return 0
}

case_login_keeps_what_works() {
  needs_umoci
  make_image
  mkdir -p "$dir/docker"
  export DOCKER_CONFIG=$dir/docker
  echo '{"psFormat":"x"}' >"$DOCKER_CONFIG/config.json"
  serve password
  pull "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error '401'
  echo wrong >"$dir/password"
  stdin=$dir/password try login -u me --password-stdin "$registry"
  expect_status 1
  expect_one_line_error "$registry" '401'
  expect_eq "$(jq -c . "$DOCKER_CONFIG/config.json")" '{"psFormat":"x"}' "after a refused login:"
  echo secret >"$dir/password"
  stdin=$dir/password try login -u me --password-stdin "$registry"
  expect_status 0
  expect_eq "$(stat -c %a "$DOCKER_CONFIG/config.json")" 600 "mode:"
  expect_eq "$(jq -r ".psFormat, .auths[\"$registry\"].auth" "$DOCKER_CONFIG/config.json")" "$(printf 'x\n%s' "$(printf me:secret | base64)")" "config.json:"
  pull "$registry/owner/image:tag"
  expect_status 0
  try logout "$registry"
  expect_out "logged out of $registry"
  grep -q auth\" "$DOCKER_CONFIG/config.json" && fail "credentials stay"
  pull "$registry/owner/image:tag"
  expect_status 1
  try logout "$registry"
  expect_status 0
  expect_out "was not logged in to $registry"
}

# As docker's: the name is asked for, then the password, which nobody sees.
case_login_asks_at_a_terminal() {
  needs_umoci
  make_image
  mkdir -p "$dir/docker"
  serve password
  cat >"$dir/person.py" <<'PERSON'
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b""
def until(text):
    global said
    while not said.endswith(text):
        said += os.read(terminal, 1)
until(b"Username: ")
os.write(terminal, b"me\n")
until(b"Password: ")
os.write(terminal, b"secret\n")
try:
    while piece := os.read(terminal, 1000):
        said += piece
except OSError:
    pass
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PERSON
  DOCKER_CONFIG=$dir/docker python3 "$dir/person.py" "$runtime_bin" --root "$root" login "$registry" >"$dir/out" 2>"$dir/err" || fail "$(cat "$dir/out")"
  expect_in out "logged in to $registry"
  grep -q secret "$dir/out" && fail "the password is to be seen"
  DOCKER_CONFIG=$dir/docker pull "$registry/owner/image:tag"
  expect_status 0
  try login "$registry"
  expect_status 1
  expect_one_line_error 'give the name by -u'
  try login -u me "$registry"
  expect_status 1
  expect_one_line_error '--password-stdin'
}

case_an_identity_token_instead_of_the_password() {
  needs_umoci
  make_image
  mkdir -p "$dir/docker"
  export DOCKER_CONFIG=$dir/docker
  serve identity
  printf secret >"$dir/password"
  stdin=$dir/password try login -u me --password-stdin "$registry"
  expect_status 0
  expect_eq "$(jq -r ".auths[\"$registry\"] | .identitytoken, .auth" "$DOCKER_CONFIG/config.json")" "$(printf '1d/3nt+ty\n%s' "$(printf me: | base64)")" "config.json:"
  pull "$registry/owner/image:tag"
  expect_status 0
  expect_in requests "registry POST /token refresh_token"
  run_image "$registry/owner/image:tag" /bin/true
  expect_status 0
}

case_login_leaves_it_to_the_helper() {
  needs_umoci
  make_image
  mkdir -p "$dir/docker" "$dir/bin"
  export DOCKER_CONFIG=$dir/docker PATH=$dir/bin:$PATH
  cat >"$dir/bin/docker-credential-file" <<'HELPER'
#!/bin/sh
case $1 in
  store) cat >"${0%/*}/secret" ;;
  get) cat "${0%/*}/secret" 2>/dev/null || { echo 'credentials not found'; exit 1; } ;;
  erase) rm "${0%/*}/secret" ;;
esac
HELPER
  chmod 755 "$dir/bin/docker-credential-file"
  echo '{"credsStore":"file"}' >"$DOCKER_CONFIG/config.json"
  serve password
  printf secret >"$dir/password"
  stdin=$dir/password try login -u me --password-stdin "$registry"
  expect_status 0
  expect_in out docker-credential-file
  expect_eq "$(jq -c .auths "$DOCKER_CONFIG/config.json")" "{\"$registry\":{}}" "config.json:"
  pull "$registry/owner/image:tag"
  expect_status 0
  try logout "$registry"
  expect_out "logged out of $registry"
  [ ! -e "$dir/bin/secret" ] || fail "the helper still has it"
}

case_pushes_to_debians_registry() {
  needs_umoci
  make_large_image
  load_image
  debians_registry
  try push --store "$store" test/base "$registry/test/pushed:1"
  expect_status 0
  expect_in out ": done, "
  local digest
  digest=$(jq -r '.manifests[0].digest' "$layout/index.json")
  expect_in out "$registry/test/pushed:1 $digest"
  store=$dir/second pull -q "$registry/test/pushed:1"
  expect_out "$registry/test/pushed:1 $digest"
  try push --store "$store" test/base "$registry/test/pushed:2"
  expect_eq "$(grep -c ': present' "$dir/out")" 3 "blobs that were there:"
  # The registry has them in another repository, and takes them from there.
  pull -q "$registry/test/pushed:1"
  try push --store "$store" "$registry/test/pushed:1" "$registry/test/other:1"
  expect_status 0
  expect_eq "$(grep -c ': mounted' "$dir/out")" 3 "blobs that were mounted:"
  try push --store "$store" --piece 700K test/base "$registry/test2/in-pieces:1"
  expect_status 0
  store=$dir/third pull -q "$registry/test2/in-pieces:1"
  expect_out "$registry/test2/in-pieces:1 $digest"
  try images --store "$dir/third" --verify
  expect_status 0
  try push --store "$store" test/base "$registry/test/pushed@sha256:$(printf '0%.0s' {1..64})"
  expect_status 1
  expect_one_line_error "$digest"
}

# umoci's image twice, as two platforms: the index goes as it is, and each platform gets its own.
case_pushes_an_index_of_platforms() {
  needs_umoci
  make_image
  debians_registry
  local manifest size other
  config_image --architecture arm64 --config.cmd arm
  other=$(jq -c '.manifests[0] | {mediaType, digest, size}' "$layout/index.json")
  config_image --architecture amd64 --config.cmd /bin/echo --config.cmd ours
  jq -c --argjson other "$other" '{schemaVersion, mediaType: "application/vnd.oci.image.index.v1+json", manifests:
    [(.manifests[0] | {mediaType, digest, size, platform: {os: "linux", architecture: "amd64"}}), $other + {platform: {os: "linux", architecture: "arm64"}}]}' \
    "$layout/index.json" >"$dir/index"
  manifest=$(sha256sum <"$dir/index") size=$(stat -c %s "$dir/index")
  cp "$dir/index" "$layout/blobs/sha256/${manifest%% *}"
  echo "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"digest\":\"sha256:${manifest%% *}\",\"size\":$size}]}" >"$layout/index.json"
  try push --store "$store" "oci:$layout" "$registry/test/both:1"
  expect_status 0
  expect_in out "$registry/test/both:1 sha256:${manifest%% *}"
  run_image "$registry/test/both:1"
  expect_out ours
  pull -q --platform linux/arm64 "$registry/test/both:1"
  expect_status 0
  try inspect --store "$store" "$registry/test/both:1"
  expect_eq "$(jq -r .config.architecture "$dir/out")" arm64
  pull --platform linux/riscv64 "$registry/test/both:1"
  expect_status 1
  expect_one_line_error 'linux/riscv64' 'linux/amd64' 'linux/arm64'
}

case_an_upload_that_was_cut_goes_on() {
  needs_umoci
  make_large_image
  load_image
  serve cuts-upload
  try push --store "$store" --piece 1M test/base "$registry/owner/image:tag"
  expect_status 0
  grep -q LEAK "$dir/requests" && fail "another host was told who we are"
  # One piece was cut in the middle, and the upload went on there.
  grep PATCH "$dir/requests" | grep -qvE 'PATCH (0|1048576|2097152)-' || fail "$(grep PATCH "$dir/requests")"
  unserve
  serve mounts
  pull -q "$registry/owner/image:tag"
  try push --store "$store" "$registry/owner/image:tag" "$registry/owner/other:tag"
  expect_status 0
  expect_in requests "from=owner%2Fimage"
  unserve
  serve denies
  try push --store "$store" test/base "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error "403: not yours"
}

# Spoiled images whose digests agree: what is wrong is said by one line, and the store does not know them.
case_spoiled_images_are_named() {
  needs_umoci
  command -v python3 >/dev/null || skip_case "no python3"
  make_image
  head -c 20000 /dev/urandom >"$dir/unpacked/rootfs/random"
  layer
  config_image --config.cmd /bin/echo --config.cmd pulled
  load_image test/good
  local good=$layout kind words
  while IFS='|' read -r kind words; do
    layout=$dir/bad-$kind
    python3 "$RUNHL_TOP/test/support/bad_image.py" "$good" "$layout" "$kind" || fail "bad_image.py $kind"
    serve
    pull -q "$registry/owner/image:tag"
    expect_eq "$status" 1 "$kind: status"
    expect_one_line_error "$words"
    try images --store "$store" -q
    expect_out docker.io/test/good:latest
    try images --store "$store" --verify
    expect_status 0
    unserve
  done <<'KINDS'
diff_id|0000000000
truncated_gzip|truncated
damaged_gzip|sha256:
no_tar|sha256:
foreign|is foreign
encrypted|is encrypted
unknown|is of an unknown type (application/vnd.example.layer)
no_layers|the image has no layers
no_rootfs|has no /rootfs
many_layers|has 10000 items, more than 1000
fewer_diff_ids|the manifest has 2 layers, the configuration 1
size|ends before its size
schema1|docker's old schema 1
nested|index
KINDS
  run_image test/good
  expect_out pulled
  expect_eq "$(find "$cache" -name '*.cpio' | wc -l)" 1 "archives:"
}

case_a_tag_or_name_that_leads_elsewhere() {
  needs_umoci
  local name
  for name in 127.0.0.1:1/a:.. 127.0.0.1:1/../a 127.0.0.1:1/a/../../b:1 '127.0.0.1:1/a@sha256:../../../etc/passwd' 127.0.0.1:1/a:x/../y; do
    store=$dir/store cache=$dir/cache pull "$name"
    expect_status 1
    expect_one_line_error 'is no image'
  done
}

# A store on a small file system: the pull fails by one line, what was there is whole, and the next pull
# with room goes on.
case_a_full_disk_leaves_a_good_store() {
  needs_umoci
  make_image
  load_image test/small
  mkdir "$dir/disk"
  mount -t tmpfs -o size=5m,mode=755 none "$dir/disk" || skip_case "no mounts"
  trap 'umount "$dir/disk"; kill "$registry_pid" 2>/dev/null' EXIT
  rt load --store "$dir/disk/store" "oci:$layout:base" test/small >/dev/null || fail "load"
  make_room() { mount -o remount,size=50m "$dir/disk"; }
  head -c 6000000 /dev/urandom >"$dir/unpacked/rootfs/random"
  layer
  store=$dir/disk/store
  serve
  trap 'kill "$registry_pid" 2>/dev/null; umount "$dir/disk"' EXIT
  pull "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error 'No space left on device'
  try images --store "$store" --verify
  expect_status 0
  expect_out "docker.io/test/small:latest: good"
  try load --store "$store" "oci:$layout:base" test/large
  expect_status 1
  expect_one_line_error 'No space left on device'
  try images --store "$store" -q
  expect_out docker.io/test/small:latest
  make_room
  cache=$dir/disk/cache
  pull --no-archive "$registry/owner/image:tag"
  expect_status 0
  mount -o remount,size=14m "$dir/disk"
  run_image "$registry/owner/image:tag" /bin/true
  expect_status 1
  expect_one_line_error 'No space left on device'
  pull "$registry/owner/image:tag"
  expect_status 1
  expect_one_line_error 'No space left on device'
  make_room
  run_image "$registry/owner/image:tag" /bin/true
  expect_status 0
  try images --store "$store" --verify
  expect_status 0
}
