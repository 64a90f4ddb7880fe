# SPDX-License-Identifier: Apache-2.0
# What a suite stands on; it runs inside, on Linux and in the guest alike.
#
#   t COMMAND                 one case, named by its command line: what it prints, and its status
#   case_of NAME COMMAND…     the same with a name of its own, in this shell
#   verdict NAME WORD         a case that another program has judged
#
# A case is a line of the record separator and its name, then its output up to the next one.
# test/support/userland.sh compares them with the ones of Linux, byte for byte.
set -u
export LC_ALL=C.UTF-8 TZ=UTC
umask 022

case_of() {
  printf '\036%s\n' "$1"
  shift
  "$@" </dev/null 2>&1
  printf '[status %s]\n' "$?"
}

t() { case_of "${1//$'\n'/ }" in_subshell "$1"; }
in_subshell() { (eval "$1"); }

verdict() { printf '\036%s\n%s\n' "$1" "$2"; }

# The nth state of a work tree: kind, mode, owner, size or target and time of everything below.
# Directories' own sizes are the file system's business.
tree_of() {
  find "$@" \( -type d -printf 'd %m %U:%G %T@ %p\n' \) -o \( -type l -printf 'l %l %U:%G %T@ %p\n' \) \
    -o -printf '%y %m %n %U:%G %s %T@ %p\n' | LC_ALL=C sort
}
