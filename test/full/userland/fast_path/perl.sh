# SPDX-License-Identifier: Apache-2.0
exec perl -e 'while (1) { for my $i (1 .. 50) { open my $f, ">", "/tmp/x$i"; print $f "x" x 9000; close $f; open $f, "<", "/tmp/x$i"; my @l = <$f>; seek $f, 0, 0; close $f; stat "/tmp/x$i"; rename "/tmp/x$i", "/tmp/y"; unlink "/tmp/y"; opendir my $d, "/usr/share/perl"; my @e = readdir $d; closedir $d; pipe my $r, my $w; syswrite $w, "a"; sysread $r, my $b, 1; select undef, undef, undef, 0; kill 0, $$; getppid; }
  unless (fork) { for (1 .. 20) { stat "/etc/passwd" } exit } wait }'
