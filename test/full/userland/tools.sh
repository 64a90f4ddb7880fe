# SPDX-License-Identifier: Apache-2.0
# What people run all day: git, make, ssh-keygen, sqlite3, rsync, vim, sort, xz and pipelines of them.
. /suite/prelude.sh
export HOME=/tmp/home GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE='1600000000 +0000' GIT_COMMITTER_DATE='1600000000 +0000' GIT_CONFIG_NOSYSTEM=1
mkdir -p /tmp/home /var/tmp/tools && cd /var/tmp/tools || exit 1
git config --global init.defaultBranch main

commits() {
  git init -q origin && cd origin || return
  for i in $(seq 40); do
    mkdir -p "d$((i % 7))"
    seq "$i" $((i * 20)) >"d$((i % 7))/f$i"
    echo "$i" >>log
    git add -A && git commit -q -m "commit $i"
  done
  git log --format=%H | sha256sum
}
t 'commits'
t 'git clone -q origin clone && cd clone && git fsck 2>&1 && git status --short && git ls-files -s | sha256sum; git log --oneline | wc -l'
t 'git clone -q --bare --no-local origin bare.git 2>&1; cd bare.git && git gc -q && git count-objects -v | grep -v size; git verify-pack -v objects/pack/*.idx | tail -n 1 | cut -d: -f1'
t 'cd clone && git checkout -q -b topic HEAD~10 && echo topic >d1/f1 && git commit -qam topic && git checkout -q main && git merge -q -m merge topic 2>&1; git log --format="%p %s" | head -n 3; git diff --stat HEAD~1 | tail -n 1'
t 'cd clone && git stash -q; echo dirty >>log && git stash && git stash pop 2>&1 | head -n 4; git checkout -q -- . && git rebase -q HEAD~3 2>&1; git rev-parse HEAD'
t 'cd clone && git push -q ../bare.git HEAD:refs/heads/pushed && git worktree add -q ../tree2 pushed 2>&1; git bundle create -q ../b.bundle main 2>&1 && git bundle verify -q ../b.bundle; git grep -c 7 -- d1 | sort'
t 'cd clone && git bisect start -q HEAD HEAD~20 2>&1 | grep -v Bisecting; git bisect run sh -c "! grep -qx 33 log" 2>&1 | grep "first bad"; git bisect reset -q; git archive HEAD | tar t | wc -l; git blame log | sha256sum'

many_targets() {
  rm -rf mk && mkdir mk && cd mk || return
  { echo "OUT := \$(patsubst %,o%,\$(shell seq 150))"; echo "all: sum"; echo "sum: \$(OUT); cat \$^ | sort -n | sha256sum | tee \$@"; echo "o%:; @sleep 0.01; echo \$* >\$@"; } >Makefile
  make -s -j4 && make -s -j4 -q && echo 'up to date' && touch o7 && make -j4 && rm o9 && make -s -j2
}
t 'many_targets'
t 'cd mk && printf "a b c d:\n\t@echo \$@; false\nall: a b c d\n" >bad && make -f bad -k -j4 all 2>&1 | sort; make -f bad a 2>&1; printf "all:\n\t@\$(MAKE) -f \$(firstword \$(MAKEFILE_LIST)) -j2 sub\nsub: x y\nx y:\n\t@echo sub \$@\n" >rec && make -f rec -j3 --no-print-directory 2>&1 | sort'

t 'for k in ed25519 "rsa -b 2048" "ecdsa -b 384"; do rm -f key key.pub; ssh-keygen -q -t $k -N "" -C me -f key && stat -c "%a %n" key key.pub && ssh-keygen -l -f key.pub | awk "{print \$1, \$NF}"; done; echo data >d && ssh-keygen -q -Y sign -f key -n file d 2>&1; ssh-keygen -Y check-novalidate -n file -s d.sig <d | cut -d" " -f1-5'
t 'openssl genrsa -out rsa.pem 2048 2>/dev/null && openssl req -x509 -key rsa.pem -subj /CN=x -days 10 -out c.pem && openssl verify -CAfile c.pem c.pem && openssl enc -aes-256-cbc -pbkdf2 -k pw -in rsa.pem | openssl enc -d -aes-256-cbc -pbkdf2 -k pw | cmp - rsa.pem && seq 100000 | openssl dgst -sha512'

big_inserts() {
  rm -f big.db*
  sqlite3 big.db "pragma journal_mode=$1" "create table t (a integer primary key, b text, c real)" \
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 150000) insert into t select i, hex(i * 7919), i / 3.0 from n" \
    "create index i on t (b)" "select count(*), sum(a), min(b), max(b) from t" "delete from t where a % 3 = 0" vacuum "pragma integrity_check" && sqlite3 big.db .dump | sha256sum
  (for i in 1 2 3; do sqlite3 -cmd ".timeout 20000" big.db "begin immediate" "insert into t (b) select 'x$i' from t limit 500" commit & done; wait)
  sqlite3 big.db "select b, count(*) from t where b like 'x%' group by b"
}
for mode in delete wal memory; do case_of "sqlite3 $mode" big_inserts $mode; done

lines() { seq 1 "$1" | awk '{ printf "%08x line %d\n", ($1 * 2654435761) % 4294967296, $1 }'; }
t 'lines 1500000 >big; wc -c big; sort -S 8M -T . big | sha256sum; sort --parallel=2 -S 64M -k3n big | cmp - big && echo same; sort -u -k1,1.2 big | wc -l; sort -R --random-source=big big | wc -l; shuf --random-source=big big | sha256sum'
t 'xz -T2 -1 --block-size=4MiB -k big && xz -dc -T2 big.xz | cmp - big && xz -l big.xz | wc -l; zstd -q -T2 big -o big.zst && zstd -q -t big.zst && zstd -dc big.zst | cksum; gzip -1c big | tee >(gzip -t && echo ok >t) | zcat | cksum; sleep 0.2; cat t; bzip2 -1c big | bzcat | cksum'
t 'mkdir in out; tar cf - -C /usr share/perl share/zoneinfo | tar xf - -C in; tar cf - in | gzip -1 | (cd out && gunzip | tar xf -); diff -r in out/in && tree_of in | sed "s/ [^ ]* in/ in/" | wc -l; find in -type f -exec cat {} + | cksum; find in -type f | head -n 300 | sort >few; xargs -a few -I{} sh -c "wc -c <{}" | awk "{s+=\$1} END {print s}"; find in/share/zoneinfo -maxdepth 1 -type f -exec sh -c "test -s \$1 && echo \$1" x {} \; | sort | sha256sum; rm -rf out'
t 'rsync -a in/ copy/ && diff -r in copy && echo more >>copy/share/perl/new; rsync -ai --delete in/ copy/ | sort; rsync -an --stats in/ copy/ | grep "Number of regular files transferred"; rsync -aH --link-dest=../in in/ linked/ && find linked -type f -links +1 | wc -l; rsync -a --inplace --partial --bwlimit=0 -c big in/big 2>&1; cmp big in/big; rm -rf copy linked in/big'
t 'cd /tmp && rm -rf rs && mkdir rs && rsync -a --include="*.pm" --include="*/" --exclude="*" /usr/share/perl/ rs/ && find rs -type f | wc -l; cp -a --reflink=auto --sparse=always rs rs2 && diff -r rs rs2 && echo copied; rm -rf rs rs2'
t 'seq 500 >v.txt; vim.tiny -u NONE -es -c "%s/9/nine/g" -c "g/5/d" -c "normal Gothe end" -c "wq" v.txt; echo $?; wc v.txt; tail -n 2 v.txt; vim.tiny -u NONE -es -c "%!sort -n -r" -c "w! v2.txt" -c "q!" v.txt; head -n 2 v2.txt; ls -a | grep swp'
t 'printf "%s\n" 1i "ed line" . "w e.txt" q | ed -s 2>/dev/null || echo "ed line" >e.txt; cat e.txt; sed -i.bak s/line/text/ e.txt; cat e.txt e.txt.bak; perl -pi -e "s/text/perl/" e.txt; cat e.txt; printf "x\ny\n" >p1; printf "x\nz\n" >p2; diff -u p1 p2 | sed "s/\t.*//" >p.diff; patch -s p1 p.diff && cmp p1 p2 && echo patched'
t 'perl -e '"'"'$| = 1; my %n; for my $round (1 .. 30) { my @p = map { my $n = $_; my $p = fork // die "fork: $!"; unless ($p) { exit $n } $p } 1 .. 10; $n{$? >> 8}++ while wait > 0 } print join(" ", map { "$_:$n{$_}" } sort { $a <=> $b } keys %n), "\n"'"'"
t 'perl -e '"'"'pipe my $r, my $w; for my $n (1 .. 200) { next if fork; syswrite $w, "$n\n"; exit } close $w; my $s = 0; $s += $_ while <$r>; print "$s\n"; 1 while wait > 0; $SIG{CHLD} = "IGNORE"; fork or exit for 1 .. 50; select undef, undef, undef, 0.2; print wait, "\n"'"'"
every_so_often() {
  local n=0
  rm -f ticks lock
  for n in 1 2 3; do
    for job in a b c; do (flock 9 && echo "$n $job begins" >>ticks && sleep 0.02 && echo "$n $job ends" >>ticks) 9>lock & done
    sleep 0.1
  done
  wait
  awk '$3 == "begins" { open = $1 $2 } $3 == "ends" && open != $1 $2 { print "torn" } END { print NR }' ticks
}
t 'every_so_often; flock -n lock true; echo $?; (flock -x 9; flock -n lock true; echo $?) 9>lock; flock -w 0.1 lock sleep 0.01; echo $?'
t 'timeout 0.2 sleep 5; echo $?; sh -c "timeout -s KILL 0.2 sleep 5; echo \$?" 2>/dev/null; timeout --foreground -k 0.1 0.1 sh -c "trap : TERM; while :; do sleep 0.05; done"; echo $?; nohup sh -c "echo nohup; kill -HUP \$\$; echo alive" 2>/dev/null; setsid -w sh -c "ps -o pid=,sid= -p \$\$ | awk \"{print \\\$1 == \\\$2}\""; nice -n 5 nice; ionice -c 3 ionice; chrt -o 0 chrt -p 0 2>&1 | sed "s,pid [0-9]*,pid PID,"; taskset -p 1 | wc -l; prlimit --nofile=100:200 sh -c "ulimit -Sn; ulimit -Hn"'
t 'script -qec "tty | sed s,[0-9]*$,N,; stty size; stty -a | head -n 3; echo hello >/dev/tty; exit 3" /dev/null; echo $?; script -qc "bash --norc --noprofile -ic \"jobs; sleep 0.1 & wait; echo job control\"" /dev/null | grep -v "^\[1\]"'
t 'sleep 30 & p=$!; pgrep -x sleep | grep -c "^$p$"; ps -o stat=,comm= -p $p; readlink /proc/$p/exe; tr "\0" " " </proc/$p/cmdline; echo; pkill -P $$ -x sleep; wait $p 2>/dev/null; echo $?; ps -p $p -o pid= | wc -l; pstree -A 1 | head -n 1 | cut -c1-4; (exec -a odd sleep 5) & sleep 0.1; pgrep -f ^odd | wc -l; kill %%'
t 'dd if=/dev/zero of=z bs=1M count=20 status=none; cksum z; dd if=big of=z bs=4k seek=3 skip=5 count=100 conv=notrunc status=none; cksum z; truncate -s 100M z; fallocate -p -o 1M -l 4M z; cksum z; cp --sparse=always z z2; cmp z z2; dd if=z of=z3 bs=64k conv=sparse iflag=fullblock status=none; cmp z z3; stat -c %s z z3; fallocate -d z3; fallocate -z -o 0 -l 8192 z3; cksum z3; split -n l/5 big part.; cat part.* | cmp - big; rm part.* z z2 z3'
t 'head -c 3000000 big | tee >(md5sum >s1) >(sha1sum >s2) >(wc -l >s3) | sha256sum; sleep 0.3; cat s1 s2 s3; yes | head -n 300000 | md5sum; cat big | cat | cat | cat | cat | cat | cat | cat | cat | cat | cksum; (seq 3 >&3) 3>&1 | cat -n'
t 'printf "%s\n" "dnl x" "define(\`f\'\'', \`\$1 \$1\'\'')f(a)" | m4; echo "scale=40; 4*a(1); 2^500" | bc -l; echo "20 k 2 v p" | dc; awk "BEGIN { cmd = \"sort -n\"; for (i = 20; i > 0; i--) print i | cmd; close(cmd); while ((\"seq 3\" | getline x) > 0) print x; system(\"exit 3\"); printf \"%.10f\n\", atan2(0, -1) }"; gawk "BEGIN { c = \"cat\"; print \"co\" |& c; close(c, \"to\"); c |& getline r; print r; print PROCINFO[\"pid\"] > 0, strftime(\"%Y\", 0, 1) }"'
t 'install -D -m 640 -o 1 -g 2 big i/j/k; stat -c "%a %u %g" i/j/k; mktemp -d ./tmp.XXXX | wc -c; ln -sr i/j/k i/l; readlink i/l; realpath --relative-to=i big; touch -h -d @5 i/l; stat -c %Y i/l; chmod -R u=rwX,go= i; find i -printf "%m %p\n" | sort; chown -R 7:8 i; find i -uid 7 | wc -l; mv -n big i/j/k; mv -T i i2; du -b i2/j/k | cut -f1; rm -rf i2; rmdir --ignore-fail-on-non-empty mk; shred -n 1 -u d; ls d 2>&1'
rm -rf /var/tmp/tools
