# SPDX-License-Identifier: Apache-2.0
# What job scripts in bash do.
. /suite/prelude.sh
cd /tmp || exit 1
t 'seq 100000 | cat | cat | cat | tr 0-9 a-j | rev | sort | uniq | cat | wc -l'
t 'yes | head -n 100000 | cat | cat | cat | cat | cat | cat | cat | sha256sum; echo "${PIPESTATUS[@]}"'
t 'for i in {1..10}; do echo "$i"; done | while read -r n; do echo $((n * n)); done | paste -s -d+ | { read -r e; echo $((e)); }'
t 'cat <<A; cat <<-"B"; cat <<<"word $((1 + 2))"
first $HOME
A
	second $HOME
	B'
t 'big=$(seq 20000); cat <<E | sha256sum
$big
E'
t 'trap "echo exit" EXIT; trap "echo usr1" USR1; kill -USR1 $BASHPID; echo after'
t '(trap "echo term; exit 3" TERM; kill -TERM $BASHPID; sleep 5); echo $?'
t '(trap "" INT; kill -INT $BASHPID; echo survives); (kill -INT $BASHPID; echo not) ; echo $?'
t 'trap "echo \$LINENO \$BASH_COMMAND >/dev/null; echo err" ERR; false; true; false || true'
t 'trap "echo child" CHLD; sleep 0.05 & wait $!; true; trap - CHLD'
t 'trap "echo got \$?" RETURN DEBUG; f() { return 4; }; f >/dev/null; trap - DEBUG RETURN'
t 'for i in 1 2 3 4 5; do (sleep 0.0$i; exit $i) & done; for j in 1 2 3 4 5; do wait -n; echo $?; done | sort; wait; echo done'
t '(exit 7) & p=$!; wait $p; echo $?; wait $p; echo $?; wait 99999; echo $?'
t 'for i in $(seq 50); do (exit $((i % 7))) & pids+=" $!"; done; for p in $pids; do wait $p; echo -n "$? "; done'
t 'diff <(seq 1 10) <(seq 2 11); cat <(echo a) <(echo b) <(cat <(echo c)); paste <(seq 3) <(seq 4 6)'
t 'seq 5 | tee >(wc -l >/tmp/w) >(cat >/tmp/c) >/dev/null; for i in $(seq 100); do [ -s /tmp/w ] && [ -s /tmp/c ] && break; sleep 0.02; done; cat /tmp/w /tmp/c'
t 'coproc C { while read -r l; do echo "<$l>"; done; }; echo one >&"${C[1]}"; read -r a <&"${C[0]}"; echo "$a"; exec {C[1]}>&-; wait $C_PID; echo $?'
t 'ulimit -n; ulimit -Sn 100; ulimit -n; (ulimit -n 10; for i in $(seq 20); do eval "exec {f$i}</dev/null" 2>/dev/null || { echo full; break; }; done)'
t '(ulimit -f 1; head -c 5000 /dev/zero >/tmp/limit) 2>/dev/null; echo $?; stat -c %s /tmp/limit'
t '(ulimit -t 1; sh -c "while :; do :; done"; echo $?) 2>/dev/null'
t '(ulimit -v 50000; python3 -c "x = bytearray(200 << 20)" 2>&1 | tail -n 1); (ulimit -s 256; ulimit -s); ulimit -c; ulimit -Hn'
t 'n=0; for i in $(seq 1000); do /bin/true && n=$((n + 1)); done; echo $n'
t 'n=0; for i in $(seq 1000); do (exit 0) && n=$((n + 1)); done; echo $n'
t 'f() { [ $1 -eq 0 ] && echo bottom && return; (f $(($1 - 1))); }; f 40'
t 'echo $$ | grep -c .; [ $$ = $BASHPID ] || echo differs; echo $SHLVL; echo $((16#ff)) $RANDOM | wc -w'
t 'mkfifo p; (while read -r l; do echo "got $l"; done <p) & for i in 1 2 3; do echo $i; done >p; wait; rm p'
t 'exec 5<>/tmp/rw; echo hello >&5; exec 5<&-; cat /tmp/rw; exec 6>/tmp/o; echo x >&6; exec 6>&-; cat /tmp/o; cat 3</dev/null <&3'
t 'set -o pipefail; false | true; echo $?; set +o pipefail; ! true; echo $?; set -e; false; echo never'
t 'read -t 0.1 x </dev/zero; echo $(($? > 128)); read -n 3 y <<<abcdef; echo $y; read -r -d: a b <<<"p q:r"; echo "$b $a"; mapfile -t m < <(seq 3); echo "${m[@]}"'
t 'printf "%(%Y)T\n" 0; printf "%q\n" "a b"; printf "%s\n" {a..e}{1..3} | wc -l; shopt -s globstar nullglob; cd /usr/share/zoneinfo; echo **/P* | wc -w; echo /nothing/*'
t 'for s in SEGV PIPE ABRT QUIT TERM USR1 RTMIN+3; do (ulimit -c 0; exec sh -c "kill -$s \$\$") & wait $! 2>/dev/null; echo $?; done'
t 'timeout 0.3 bash -c "trap \"\" TERM; sleep 0.1; echo alive; trap - TERM; sleep 5"; echo $?'
t 'set -m; sleep 30 & kill -STOP %1; jobs | cut -c1-20; kill -CONT %1; kill %1; wait %1; echo $?'
t 'dash -c "for i in 1 2 3; do echo \$i; done | cat; echo \${x:-unset}"; exec -a name bash -c "echo \$0"; command -v ls; hash -t ls; type -a echo'
t 'cd /tmp; mkdir -p a/b; cd a/b; rmdir ../../a/b ../../a; pwd; ls; cd .. 2>/dev/null; echo $?; /bin/pwd; cd /; echo back'
t 'export -f t; env | grep -c BASH_FUNC; bash -c "type t >/dev/null && echo inherited"; (exec env -i /bin/echo clean)'
t 'echo "echo from stdin; exit 9" | bash; echo $?; bash -c "exit 256"; echo $?; bash -n <<<"if"; echo $?; /nonexistent; echo $?; /etc/passwd; echo $?; /tmp; echo $?'
t 'seq 1 2000 | xargs -P 8 -n 10 sh -c "echo \$#" sh | sort | uniq -c; find /usr/share/perl* -name "*.pm" | head -n 200 | xargs -P 4 -n 5 cat | wc -c'
