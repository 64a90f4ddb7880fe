// SPDX-License-Identifier: Apache-2.0
// The C library's start in a static program reads /proc/self/exe: where $ORIGIN is, for names of
// libraries that the program might load. This one loads none, and the path walk is one hundredth of
// a container's start. The linker takes this definition instead of the library's, which lies in an
// object of its own there.

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the C library's own name
extern "C" const char* _dl_get_origin();

/// What the library's own says where there is no /proc.
extern "C" const char* _dl_get_origin() {
  // SAFETY: the library compares it and never follows it.
  return reinterpret_cast<const char*>(-1);
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)
