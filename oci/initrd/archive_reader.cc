// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/archive_reader.h"

#include <linux/limits.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "runhl/abi/initrd.h"
#include "runhl/base/unique_fd.h"
#include "runhl/initrd/tree.h"

namespace runhl::initrd {
namespace {

namespace format = abi::initrd;

tl::unexpected<Error> damaged() {
  return runhl::fail(ErrorCode::InvalidArgument, "the archive contradicts itself");
}

class Reader {
 public:
  static Result<Reader> open(int fd) {
    Reader reader(fd);
    struct stat info{};
    if (::fstat(fd, &info) < 0) {
      return fail_errno("the archive");
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (size < sizeof(format::Tail) + format::kTrailerSize) {
      return damaged();
    }
    TRY(reader.read(size - format::kTrailerSize - sizeof(format::Tail), &reader.tail_,
                    sizeof reader.tail_));
    if (reader.tail_.magic != format::kMagic || reader.tail_.version != format::kVersion ||
        reader.tail_.hash_bits > 32) {
      return damaged();
    }
    return reader;
  }

  Result<format::Inode> inode(std::uint32_t number) const {
    format::Inode inode{};
    if (number == 0 || number > tail_.inode_count) {
      return damaged();
    }
    TRY(read(tail_.inodes + (number - 1) * sizeof inode, &inode, sizeof inode));
    return inode;
  }

  /// 0: there is no such name.
  Result<std::uint32_t> lookup(std::uint32_t directory, std::string_view name) const {
    const std::uint64_t slots = std::uint64_t{1} << tail_.hash_bits;
    std::uint64_t slot = format::name_slot(directory, name, tail_.hash_bits);
    for (std::uint64_t looked = 0; looked < slots; ++looked, slot = (slot + 1) & (slots - 1)) {
      std::uint32_t index = 0;
      TRY(read(tail_.hash + slot * sizeof index, &index, sizeof index));
      if (index == 0) {
        return 0U;
      }
      format::Name row{};
      TRY(read(tail_.names + (index - 1) * sizeof row, &row, sizeof row));
      if (row.parent == directory && row.length == name.size()) {
        std::string text(name.size(), '\0');
        TRY(read(tail_.strings + row.text, text.data(), text.size()));
        if (text == name) {
          return row.inode;
        }
      }
    }
    return 0U;
  }

  Result<std::string> bytes(const format::Inode& inode, std::size_t most) const {
    if (inode.size > most) {
      return runhl::fail(ErrorCode::InvalidArgument, "is too large");
    }
    std::string text(inode.size, '\0');
    TRY(read(inode.data, text.data(), text.size()));
    return text;
  }

 private:
  explicit Reader(int fd) : fd_(fd) {}
  Result<void> read(std::uint64_t at, void* to, std::size_t size) const {
    const ssize_t got = ::pread(fd_, to, size, static_cast<off_t>(at));
    return got == static_cast<ssize_t>(size) ? Result<void>{} : damaged();
  }

  int fd_;
  format::Tail tail_{};
};

/// In front of what is left to walk: a path's names, the next one at the end.
void push(std::string_view path, std::vector<std::string>* rest) {
  const std::size_t before = rest->size();
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (!name.empty() && name != ".") {
      rest->emplace_back(name);
    }
  }
  std::reverse(rest->begin() + static_cast<std::ptrdiff_t>(before), rest->end());
}

Result<format::Inode> walk(const Reader& archive, std::string_view path) {
  constexpr int kMaxSymlinks = 40;
  std::vector<std::string> rest;
  push(path, &rest);
  std::uint32_t at = 1;
  format::Inode inode = TRY(archive.inode(at));
  for (int symlinks = 0; !rest.empty();) {
    const std::string name = std::move(rest.back());
    rest.pop_back();
    const std::uint32_t next = name == ".." ? inode.parent : TRY(archive.lookup(at, name));
    if (next == 0) {
      return runhl::fail(ErrorCode::NotFound, "is not there");
    }
    const format::Inode found = TRY(archive.inode(next));
    if (S_ISLNK(found.mode)) {
      if (++symlinks > kMaxSymlinks) {
        return runhl::fail(ErrorCode::InvalidArgument, "too many symlinks");
      }
      const std::string target = TRY(archive.bytes(found, PATH_MAX));
      push(target, &rest);
      if (target.starts_with('/')) {
        at = 1;
        inode = TRY(archive.inode(at));
      }
      continue;
    }
    if (!rest.empty() && !S_ISDIR(found.mode)) {
      return runhl::fail(ErrorCode::NotFound, "is not there");
    }
    at = next;
    inode = found;
  }
  return inode;
}

}  // namespace

Result<std::string> read_archived_file(int archive, std::string_view path, std::size_t most) {
  const auto read = [&]() -> Result<std::string> {
    const Reader reader = TRY(Reader::open(archive));
    const format::Inode inode = TRY(walk(reader, path));
    if (!S_ISREG(inode.mode)) {
      return runhl::fail(ErrorCode::InvalidArgument, "is no regular file");
    }
    return reader.bytes(inode, most);
  };
  return with_context(path, read());
}

}  // namespace runhl::initrd
