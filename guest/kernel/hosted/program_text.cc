// SPDX-License-Identifier: Apache-2.0
#include "hosted/program_text.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>

namespace runhl::kernel::hosted {
namespace {

Program load(const std::string& path) {
  Program program;
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  Elf64_Ehdr header{};
  if (bytes.size() < sizeof header) {
    return program;
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    std::memcpy(&segment, bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0) {
      const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(segment.p_offset);
      program.path = path;
      program.address = segment.p_vaddr;
      program.bytes.assign(begin, begin + static_cast<std::ptrdiff_t>(segment.p_filesz));
    }
  }
  return program;
}

}  // namespace

std::vector<Program> installed_programs() {
  std::vector<Program> found;
  for (const char* const path :
       {"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2", "/bin/busybox",
        "/usr/local/go/bin/go", "/usr/lib/go/bin/go", "/lib/ld-musl-x86_64.so.1"}) {
    Program program = load(path);
    if (!program.bytes.empty()) {
      found.push_back(std::move(program));
    }
  }
  return found;
}

}  // namespace runhl::kernel::hosted
