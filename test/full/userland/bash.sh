# SPDX-License-Identifier: Apache-2.0
# bash's own test suite (source package bash): a case a run-* script, its output as it is.
. /suite/prelude.sh
cp -a /src/bash-*/tests /tmp/tests && cd /tmp/tests || exit 1
export THIS_SH=/bin/bash BASH_TSTOUT=/tmp/tstout TMPDIR=/tmp PATH=/tmp/tests:$PATH
printf '#define HAVE_%s_H 1\n' UNISTD STRING STDLIB >/tmp/config.h
for program in recho zecho xcase; do
  (cd /src/bash-*/support && cc -w -I/tmp -I.. -I../include -o "/tmp/tests/$program" "$program.c") || echo "no $program"
done
unset BASH_ENV
ulimit -t 60
for script in run-*; do
  case $script in
    # run-all and run-minimal are the others; jobs and read want a terminal or tell the time of day.
    run-all | run-minimal | run-jobs | run-gprof) continue ;;
  esac
  # Process numbers and temporary names in messages are not the same twice, on Linux either.
  case_of "$script" eval "timeout 60 sh ./$script 2>&1 | sed -E 's/line ([0-9]+): +[0-9]+ /line \1: PID /; s/process group \([0-9]+\)/process group (PID)/; s,/tmp/[A-Za-z._-]*[0-9][0-9]+,/tmp/NAME,g; s/\b[0-9]{2,7} (Killed|Terminated|Hangup|Segmentation)/PID \1/'"
done
