// SPDX-License-Identifier: Apache-2.0
// Host directories for an upstream guest: each operation names a mount by index and a path relative
// to it, and never leaves that directory, through no link and over no mount point.
//
// Results are Linux's numbers: 0 or more, or -errno. Paths come from the guest as they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hyperlight/codec.h"
#include "hyperlight/host_functions.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/hyperlight/guest.h"

namespace runhl::vmm::hyperlight {

enum class StatFormat : std::uint8_t {
  Short,  ///< kernels before 0.19
  Times,  ///< since: with times and the host's permissions
};

struct SetTimes {
  std::int32_t which = 0;  ///< bit 0: access, bit 1: modification
  std::int64_t access_s = 0, modification_s = 0;
  std::int32_t access_ns = 0, modification_ns = 0;
};

class HostFiles {
 public:
  HostFiles(std::vector<HostMount> mounts, StatFormat stat_format)
      : mounts_(std::move(mounts)), stat_format_(stat_format) {}

  // Replies as bytes, the status first.
  [[nodiscard]] Bytes stat(int mount, const std::string& path) const;
  [[nodiscard]] Bytes read(int mount, const std::string& path, std::uint64_t offset,
                           std::uint64_t length) const;
  [[nodiscard]] Bytes list(int mount, const std::string& path) const;
  [[nodiscard]] Bytes read_link(int mount, const std::string& path) const;

  [[nodiscard]] std::int32_t write(int mount, const std::string& path, std::uint64_t offset,
                                   bool append, const Bytes& bytes) const;
  [[nodiscard]] std::int32_t truncate(int mount, const std::string& path, std::uint64_t size) const;
  [[nodiscard]] std::int32_t make_directory(int mount, const std::string& path) const;
  [[nodiscard]] std::int32_t unlink(int mount, const std::string& path) const;
  [[nodiscard]] std::int32_t rename(int mount, const std::string& from,
                                    const std::string& to) const;
  [[nodiscard]] std::int32_t link(int mount, const std::string& from, const std::string& to) const;
  [[nodiscard]] std::int32_t make_symlink(int mount, const std::string& path,
                                          const std::string& target) const;
  [[nodiscard]] std::int32_t change_mode(int mount, const std::string& path,
                                         std::int32_t mode) const;
  [[nodiscard]] std::int32_t set_times(int mount, const std::string& path,
                                       const SetTimes& times) const;

  /// The mounts as the kernel's command line has them, separated by blanks.
  [[nodiscard]] std::string table() const;

 private:
  enum class Use : std::uint8_t { Read, Write };
  /// The mount, or why not: -errno in `*error`.
  [[nodiscard]] const HostMount* mount_for(int mount, Use use, std::int32_t* error) const;
  /// A descriptor, or -errno.
  [[nodiscard]] std::int32_t open(int mount, Use use, const std::string& path, int flags,
                                  UniqueFd* fd) const;
  [[nodiscard]] std::int32_t open_for_attributes(int mount, const std::string& path,
                                                 UniqueFd* fd) const;
  struct Name {
    UniqueFd directory;
    std::string name;
  };
  /// The directory that `path` lies in, and its last name. 0 or -errno.
  [[nodiscard]] std::int32_t name_of(int mount, Use use, const std::string& path,
                                     Name* result) const;

  std::vector<HostMount> mounts_;
  StatFormat stat_format_;
};

/// The fs_* functions. `files` outlives them.
void add_file_functions(HostFunctions* functions, Generation generation, const HostFiles* files);

}  // namespace runhl::vmm::hyperlight
