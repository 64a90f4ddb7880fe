# SPDX-License-Identifier: Apache-2.0
# BLAKE3 as its authors wrote it in C, with assembly for each size of vectors: a part of Debian's
# package of the Rust crate. No Rust is involved; what that package depends on is 1 MB of sources.

file(GLOB directories /usr/share/cargo/registry/blake3-*/c)
find_path(RUNHL_BLAKE3 blake3.h PATHS ${directories} NO_DEFAULT_PATH)
if(NOT RUNHL_BLAKE3)
  message(FATAL_ERROR "No BLAKE3 in C: install librust-blake3-dev (packaging/install-packages.sh)")
endif()

add_library(
  runhl_blake3 STATIC
  ${RUNHL_BLAKE3}/blake3.c
  ${RUNHL_BLAKE3}/blake3_avx2_x86-64_unix.S
  ${RUNHL_BLAKE3}/blake3_avx512_x86-64_unix.S
  ${RUNHL_BLAKE3}/blake3_dispatch.c
  ${RUNHL_BLAKE3}/blake3_portable.c
  ${RUNHL_BLAKE3}/blake3_sse2_x86-64_unix.S
  ${RUNHL_BLAKE3}/blake3_sse41_x86-64_unix.S)
target_include_directories(runhl_blake3 SYSTEM PUBLIC ${RUNHL_BLAKE3})
target_link_libraries(runhl_blake3 PRIVATE runhl_flags)
set_target_properties(runhl_blake3 PROPERTIES RUNHL_SERVES ON)
