# SPDX-License-Identifier: Apache-2.0
# gcc builds zlib and lua from Debian's sources and their test programs run; once against glibc, once
# against musl, static and dynamic. lua's tests are lua5.1's and lpeg's, which Debian packages.
. /suite/prelude.sh
mkdir -p /tmp/build
export TMPDIR=/tmp
build_zlib() {  # dir compiler options
  cp -a /src/zlib-* "$1" && cd "$1" && CC="$2" CFLAGS="-O2 $3" ./configure --static >/dev/null && make -s -j2 example minigzip libz.a 2>&1 | grep -i error
  ./example | sed 's/0x[0-9a-f]*/ADDRESS/' && seq 10000 | ./minigzip | ./minigzip -d | cksum && make -s teststatic 2>&1 | tail -n 1
}
lua_sources() { for f in /src/lua5.4-*/src/*.c; do case $f in */luac.c) ;; *) echo "$f" ;; esac; done; }
build_lua() {  # program compiler options
  mkdir -p "$(dirname "$1")" && cd "$(dirname "$1")" || return
  # shellcheck disable=SC2046,SC2086
  $2 $3 -O2 -w -DLUA_USE_LINUX -o "$1" $(lua_sources) -lm -ldl && "$1" -v
}
lua_tests() {  # program
  local script
  cd /src/lua5.1-*/test || return
  for script in bisect cf factorial fib fibfor hello printf readonly sieve sort; do
    echo "== $script"
    echo 12 | timeout 60 "$1" -e 'unpack = table.unpack; table.getn = function(t) return #t end; loadstring = load; math.mod = math.fmod' "$script.lua" 2>&1 |
      sed 's/0x[0-9a-f]*/ADDRESS/g; s/[0-9.]* *msec/msec/' | grep -v "clock\|Elapsed\|evals"
  done
  "$1" -e 'local n = 0; for l in io.popen("seq 1000"):lines() do n = n + l end; print(n); local f = os.tmpname(); local h = io.open(f, "w"); h:write(("x"):rep(1e6)); h:close(); print(#io.open(f):read("a")); os.remove(f); print(os.execute("exit 3"))'
  "$1" -e 'local t = {} for i = 1, 2e5 do t[i] = {i, tostring(i)} end; collectgarbage(); local co = coroutine.wrap(function() for i = 1, 1e5 do coroutine.yield(i) end end); local s = 0; for i = 1, 1e5 do s = s + co() end; print(s)'
}
for libc in 'glibc|gcc|' 'glibc-static|gcc|-static' 'musl|musl-gcc|' 'musl-static|musl-gcc|-static'; do
  IFS='|' read -r name compiler options <<<"$libc"
  case_of "zlib $name" build_zlib "/tmp/build/zlib-$name" "$compiler" "$options"
  case_of "lua $name" build_lua "/tmp/build/lua-$name/lua" "$compiler" "$options"
  case_of "lua's tests, $name" lua_tests "/tmp/build/lua-$name/lua"
done
lpeg() {
  cp -a /src/lua-lpeg-* /tmp/build/lpeg && cd /tmp/build/lpeg && gcc -O2 -w -shared -fPIC -I/src/lua5.4-*/src -o lpeg.so lp*.c || return
  mkdir -p /tmp/build/lua-e && gcc -w -O2 -DLUA_USE_LINUX -Wl,-E -o /tmp/build/lua-e/lua $(lua_sources) -lm -ldl && LUA_CPATH='./?.so' /tmp/build/lua-e/lua test.lua
}
t 'lpeg'
cat >/tmp/t.c <<'C'
#include <pthread.h>
#include <stdio.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long sum;
static void* work(void* n) { for (int i = 0; i < 10000; i++) { pthread_mutex_lock(&lock); sum += (long)n; pthread_mutex_unlock(&lock); } return n; }
int main(void) { pthread_t t[8]; for (long i = 0; i < 8; i++) pthread_create(t + i, 0, work, (void*)i); for (int i = 0; i < 8; i++) pthread_join(t[i], 0); printf("%ld\n", sum); return 0; }
C
t 'cd /tmp; for c in "gcc" "gcc -static" "gcc -m64 -fsanitize=undefined" "musl-gcc" "musl-gcc -static"; do $c -O2 -pthread -o t t.c 2>&1 && ./t; done'
t 'cd /tmp; gcc -c t.c && nm t.o | sort -k3 && objdump -h t.o | wc -l && ar rcs t.a t.o && ar t t.a && strip t.o && size t.a | head -n 1; make -v | head -n 1; gcc -x c - <<<"int main( {" 2>&1 | head -n 2'
