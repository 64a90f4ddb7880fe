#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who may include whom (docs/architecture.md). The build forbids most of it by include paths; this
# says it in words, and sees what an accidental link dependency would allow.
status=0
forbid() {  # pattern of includes, reason, files…
  local pattern=$1 reason=$2 hits
  shift 2
  hits=$(git ls-files -co --exclude-standard -- "$@" | grep -E '\.(h|c|cc|S)$' |
    xargs -r grep -nE "^ *# *include *[<\"]($pattern)" 2>/dev/null)
  if [ -n "$hits" ]; then
    echo "$reason:"
    echo "$hits"
    status=1
  fi
}
forbid 'runhl/(vmm|shim|abi)/' 'oci/ knows only base and core' oci ':!:oci/initrd'
forbid 'runhl/(vmm|shim|abi/[^i]|oci)/?' 'oci/initrd knows base, core and the format of the index' oci/initrd
forbid 'runhl/(oci|shim)/' 'vmm/ never knows oci/ or shim/' vmm
forbid 'runhl/(oci|vmm|shim|abi)/' 'src/base and src/core stand below all others' src/base src/core
forbid 'runhl/(oci|vmm|shim|base)/' 'the guest sees core and abi only' guest
forbid '(nlohmann|spdlog|fmt|CLI|curl|archive|flatbuffers|openssl|google)/' \
  'third-party headers stay in .cc files' '*.h' ':!:*_test.h' ':!:test/support/*'
forbid '(iostream|fstream|regex)>' 'not on a start path: costs static constructors' src oci vmm shim ':!:*_test.cc'
forbid '\.\./' 'no relative include paths' '*.h' '*.cc'
forbid 'unicorn/' 'the engine is known to emu/ alone: it is under another licence' '*.h' '*.cc' '*.c' ':!:emu'
forbid 'runhl/(core|base|abi|vmm|oci|shim)/' 'emu/ includes nothing that is under Apache-2.0 alone' emu
# Generated or not, no root include path: "oci/…", "vmm/…" from another folder.
forbid '(guest|oci|vmm|shim|src)/' 'includes go through runhl/<folder>/' '*.h' '*.cc'
exit $status
