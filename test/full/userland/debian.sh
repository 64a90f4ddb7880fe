# SPDX-License-Identifier: Apache-2.0
# A distribution looks after itself: apt and dpkg with a repository in a directory, users, links.
. /suite/prelude.sh
export DEBIAN_FRONTEND=noninteractive
mkdir -p /tmp/pkg/usr/share/greeting /tmp/pkg/DEBIAN /tmp/repo /tmp/lists
cd /tmp || exit 1
quiet() { "$@" >/tmp/quiet 2>&1 || { echo "status $?" && tail -n 5 /tmp/quiet; }; }

make_package() {  # version
  printf 'Package: greeting\nVersion: %s\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: hello\nDepends: libc6\n' "$1" >pkg/DEBIAN/control
  printf '#!/bin/sh\necho "postinst $*"\n' >pkg/DEBIAN/postinst
  printf '#!/bin/sh\necho "prerm $*"\n' >pkg/DEBIAN/prerm
  chmod 755 pkg/DEBIAN/postinst pkg/DEBIAN/prerm
  echo "/etc/greeting.conf" >pkg/DEBIAN/conffiles
  mkdir -p pkg/etc
  echo "version=$1" | tee pkg/etc/greeting.conf >pkg/usr/share/greeting/text
  touch -d @1500000000 pkg/etc/greeting.conf pkg/usr/share/greeting/text
  dpkg-deb --root-owner-group -b pkg "repo/greeting_$1_all.deb" | sed 's/ in .*//'
}
t 'make_package 1.0; make_package 2.0'
t 'dpkg-deb -c repo/greeting_1.0_all.deb | cut -c1-30; dpkg-deb -f repo/greeting_1.0_all.deb Version'
make_index() { (cd repo && dpkg-scanpackages -m . 2>/dev/null >Packages && gzip -kf Packages && grep -c ^Package: Packages); }
t 'make_index'
echo 'deb [trusted=yes] file:/tmp/repo ./' >/tmp/sources.list
apt_options='-o Dir::Etc::SourceList=/tmp/sources.list -o Dir::Etc::SourceParts=- -o Dir::State::Lists=/tmp/lists -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 -qq'
t 'apt-get $apt_options update; ls /tmp/lists | sort'
t 'apt-get $apt_options -y install greeting=1.0 2>&1 | grep -v "^(Reading\|^Fetched\|^debconf"'
t 'cat /etc/greeting.conf; dpkg -l greeting | tail -n 1; dpkg --verify greeting; dpkg -L greeting'
t 'apt-get $apt_options -y install greeting 2>&1 | grep -v "^(Reading\|^Fetched\|^debconf"'
t 'echo more >>/etc/greeting.conf; rm /usr/share/greeting/text; dpkg --verify greeting'
t 'apt-get $apt_options -y --reinstall -o Dpkg::Options::=--force-confold install greeting 2>&1 | grep -v "^(Reading\|^Fetched\|^debconf"; dpkg --verify greeting'
t 'apt-cache $apt_options policy greeting | head -n 3'
t 'apt-get $apt_options -y remove greeting 2>&1 | grep -v "^(Reading"; ls /etc/greeting.conf; dpkg -l greeting | tail -n 1'
t 'apt-get $apt_options -y purge greeting 2>&1 | grep -v "^(Reading"; ls /etc/greeting.conf'
t 'dpkg --verify | sort'
t 'dpkg -l | wc -l; dpkg --audit; dpkg -S /bin/bash; dpkg-query -W -f "\${Package} \${Version}\n" | sort | sha256sum'
t 'useradd -m -u 1234 -s /bin/sh tester && id tester && ls -ld /home/tester | cut -c1-10; getent passwd tester; su tester -c "id -u; echo \$HOME"; userdel -r tester 2>/dev/null; id tester'
t 'ldconfig && ldconfig -p | wc -l; ldd /bin/bash | sed "s/ (.*//"'
t 'update-alternatives --install /usr/bin/greet greet /bin/echo 10; greet hi; update-alternatives --remove greet /bin/echo; ls -l /usr/bin/greet'
t 'getent hosts localhost; getent group root; locale; iconv -f latin1 -t utf8 <<<"x"; perl -MConfig -e "print \$Config{version}"'
t 'run-parts --list /etc/cron.daily; tempfile 2>/dev/null | wc -l; savelog -n /etc/nothing; start-stop-daemon --status --pidfile /run/none; echo $?'
