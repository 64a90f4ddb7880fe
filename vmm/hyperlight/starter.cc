// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/hyperlight/starter.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <string>
#include <utility>

#include "runhl/base/file_io.h"
#include "runhl/core/units.h"

// The program's file (starter/start.c), from the generated starter.S.
extern "C" const char runhl_starter_start[], runhl_starter_end[];

namespace runhl::vmm::hyperlight {
namespace {

/// An entry of a newc archive that begins at `at` in it.
std::string entry(std::uint64_t at, std::string_view name, std::uint32_t mode,
                  std::string_view contents, std::uint32_t number = 0) {
  std::array<char, 111> header{};
  // cpio(5): ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize
  // check. The trailer's numbers but its name's size are zero.
  (void)std::snprintf(header.data(), header.size(),
                      "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
                      mode == 0 ? 0U : 0xffff'fff0U - number, mode, 0U, 0U, 1U, 0U, contents.size(),
                      0U, 0U, 0U, 0U, name.size() + 1, 0U);
  const auto pad = [at](std::string* text) {
    text->resize(align_up(at + text->size(), 4) - at, '\0');
  };
  std::string text(header.data());
  text.append(name).push_back('\0');
  pad(&text);
  text.append(contents);
  pad(&text);
  return text;
}

}  // namespace

Result<Starter> add_starter(const RootfsArchive& rootfs, std::span<const AddedFile> files) {
  const std::string name(kStarterPath.substr(1));
  if (rootfs.contains(name)) {
    return fail(ErrorCode::InvalidArgument, "the archive has a file " + name +
                                                ", where the program belongs that starts others");
  }
  const std::uint64_t at = align_down(rootfs.end(), kPageSize);
  std::string bytes = TRY(rootfs.read(at, rootfs.end() - at));
  std::uint32_t number = 0;
  for (const AddedFile& file : files) {
    bytes += entry(at + bytes.size(), file.name, file.mode, file.contents, ++number);
  }
  bytes += entry(
      at + bytes.size(), name, S_IFREG | 0755,
      {runhl_starter_start, static_cast<std::size_t>(runhl_starter_end - runhl_starter_start)});
  bytes += entry(at + bytes.size(), "TRAILER!!!", 0, "");
  UniqueFd fd(::memfd_create("runhl-starter", MFD_CLOEXEC));
  if (!fd) {
    return fail_errno("memory for the archive's end");
  }
  const std::uint64_t size = bytes.size();
  bytes.resize(align_up(size, kPageSize), '\0');
  TRY(write_all(fd.get(), bytes, "memory for the archive's end"));
  return Starter(std::move(fd), at, size);
}

}  // namespace runhl::vmm::hyperlight
