// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/hyperlight/rootfs_archive.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "runhl/base/number.h"
#include "runhl/core/units.h"

namespace runhl::vmm::hyperlight {
namespace {

// cpio(5), "new ASCII format": magic, then 13 numbers of 8 hexadecimal digits.
constexpr std::string_view kMagic = "070701";
constexpr std::string_view kMagicWithSums = "070702";
constexpr std::size_t kHeader = 110;
constexpr std::size_t kMode = 1, kFileSize = 6, kNameSize = 11;
constexpr std::string_view kTrailer = "TRAILER!!!";
constexpr std::size_t kMaxName = 4096 + 8192;  // ours pad names up to a page
constexpr std::size_t kMaxLink = 4096;
constexpr int kMaxLinks = 40;

tl::unexpected<Error> bad(std::string why) {
  return fail(ErrorCode::InvalidArgument, std::move(why));
}

tl::unexpected<Error> truncated() {
  return bad("a truncated archive");
}

Result<std::string> read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got == 0) {
      return truncated();
    }
    if (got < 0 && errno != EINTR) {
      return fail_errno("archive");
    }
    done += got < 0 ? 0 : static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<std::uint32_t> number(std::string_view header, std::size_t index) {
  const auto value = whole_number<std::uint32_t>(header.substr(kMagic.size() + 8 * index, 8), 16);
  return value ? Result<std::uint32_t>(*value) : bad("an archive with a broken header");
}

Result<void> check_magic(std::string_view header) {
  if (header.starts_with(kMagic) || header.starts_with(kMagicWithSums)) {
    return {};
  }
  if (header.starts_with("\x1f\x8b") || header.starts_with("\x28\xb5\x2f\xfd") ||
      header.starts_with("\xfd"
                         "7zXZ")) {
    return bad("a compressed archive; upstream kernels read plain newc CPIO");
  }
  return bad("not a newc CPIO archive");
}

/// "./a//b/" as "a/b".
std::string plain(std::string_view path) {
  std::string result;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (!name.empty() && name != ".") {
      result.append(result.empty() ? "" : "/").append(name);
    }
  }
  return result;
}

std::string joined(std::string directory, std::string_view name) {
  if (!directory.empty() && !name.empty()) {
    directory += '/';
  }
  return directory.append(name);
}

std::string_view parent(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace

/// The entry whose header is at `at`. The result: where the next one is.
Result<std::uint64_t> RootfsArchive::add(std::uint64_t at, std::uint64_t size, bool* last) {
  if (size < kHeader || at > size - kHeader) {
    return truncated();
  }
  const std::string header = TRY(read_at(fd_, at, kHeader));
  TRY(check_magic(header));
  Entry entry;
  entry.mode = TRY(number(header, kMode));
  entry.size = TRY(number(header, kFileSize));
  const std::uint32_t name_size = TRY(number(header, kNameSize));
  if (name_size < 2 || name_size > kMaxName) {
    return bad("an archive with a broken name");
  }
  std::string name = TRY(read_at(fd_, at + kHeader, name_size));
  name.resize(::strnlen(name.data(), name.size()));  // padding may follow its NUL
  entry.offset = align_up(at + kHeader + name_size, 4);
  if (entry.offset > size || entry.size > size - entry.offset) {
    return truncated();
  }
  *last = name == kTrailer;
  const std::uint64_t next = align_up(entry.offset + entry.size, 4);
  if (S_ISLNK(entry.mode) && entry.size <= kMaxLink) {
    entry.link = TRY(read_at(fd_, entry.offset, entry.size));
  }
  entries_.insert_or_assign(plain(name), std::move(entry));
  return next;
}

Result<RootfsArchive> RootfsArchive::open(int fd, std::uint64_t size) {
  if (size == 0) {
    return bad("an empty file");
  }
  RootfsArchive archive(fd);
  bool last = false;
  for (std::uint64_t at = 0; !last;) {
    archive.end_ = at;
    at = TRY(archive.add(at, size, &last));
  }
  return archive;
}

/// Follows links as the guest will.
const RootfsArchive::Entry* RootfsArchive::find(std::string_view path) const {
  std::string rest = plain(path), done;
  int links = 0;
  const Entry* entry = nullptr;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string name = rest.substr(0, end);
    rest.erase(0, std::min(end + 1, rest.size()));
    if (name == "..") {
      done = parent(done);
      continue;
    }
    const std::string here = joined(done, name);
    const auto found = entries_.find(here);
    entry = found == entries_.end() ? nullptr : &found->second;
    if (entry == nullptr) {
      return nullptr;
    }
    if (!S_ISLNK(entry->mode)) {
      done = here;
      continue;
    }
    if (++links > kMaxLinks) {
      return nullptr;
    }
    if (entry->link.starts_with('/')) {
      done.clear();
    }
    rest = plain(joined(entry->link, rest));
    entry = nullptr;
  }
  return entry;
}

Result<std::string> RootfsArchive::read(std::uint64_t offset, std::size_t size) const {
  return read_at(fd_, offset, size);
}

Result<void> RootfsArchive::check_program(std::string_view path) const {
  const std::string name(path);
  const Entry* const entry = find(path);
  if (entry == nullptr) {
    return fail(ErrorCode::NotFound, name + ": No such file or directory");
  }
  const auto refuse = [&name](const char* why) {
    return fail(ErrorCode::Permission, name + ": " + why);
  };
  if (!S_ISREG(entry->mode)) {
    return refuse("not a file");
  }
  Elf64_Ehdr header{};
  if (entry->size < sizeof header) {
    return refuse("no program that the kernel can load: not an ELF file");
  }
  const std::string bytes = TRY(read_at(fd_, entry->offset, sizeof header));
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return refuse("no program that the kernel can load: not an ELF file");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
    return refuse("a program for another machine");
  }
  if (header.e_type != ET_DYN) {
    return refuse("not position-independent; upstream kernels load PIE programs alone");
  }
  return {};
}

}  // namespace runhl::vmm::hyperlight
