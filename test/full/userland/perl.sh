# SPDX-License-Identifier: Apache-2.0
# perl's own tests of the core (source package perl) with Debian's perl: a case a file, the verdicts
# of its tests in order.
. /suite/prelude.sh
mkdir -p /tmp/p && cd /tmp/p || exit 1
cp -a /src/perl-*/t t
ln -s /usr/share/perl/5.36 lib
ln -s /usr/bin/perl t/perl
ln -s /usr/bin/perl perl
cd t || exit 1
export PERL_CORE=1 PERL_SKIP_TTY_TEST=1
for file in base/*.t cmd/*.t io/*.t op/exec.t op/fork.t op/die*.t op/glob.t op/stat.t op/alarm.t op/kill0.t op/sleep.t op/time*.t \
  op/getpid.t op/getppid.t op/groups.t op/chdir.t op/chown.t op/chroot.t op/filetest*.t op/lfs.t op/magic.t op/mkdir.t op/readline.t op/select.t \
  op/sselect.t op/sysio.t op/system_tests op/threads*.t op/umask.t op/unlink.t op/utf8*.t op/sort.t op/sprintf*.t op/pack.t op/symbolcache.t re/pat.t re/regexp.t; do
  [ -f "$file" ] || continue
  case_of "$file" eval "timeout 120 ./perl -I../lib $file 2>/dev/null | grep -oE '^(not )?ok [0-9]+|^1\.\.[0-9]+' | sort | uniq -c | sort -k2 | sha256sum"
done
