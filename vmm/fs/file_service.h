// SPDX-License-Identifier: Apache-2.0
// The host files of a container: every file request of a guest, whatever carried it, ends in
// handle(). One implementation for all kinds of machine.
//
//   FileService service = TRY(FileService::create(std::move(trees), ceiling));
//   // in the file-service thread, `slot` being a private copy of the guest's request slot:
//   FileAnswer answer = service.handle(slot, bounce);
//
// The request is hostile. Paths are copied out of the bounce buffer before they are looked at; file
// data goes straight between the kernel and the shared buffer, where its changing harms nobody but
// the guest. Every operation runs beneath a granted tree's descriptor and under the ceiling.
//
// One thread owns a service: credentials are that thread's.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "fs/credentials.h"
#include "fs/resolve.h"
#include "runhl/abi/ring.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::fs {

/// What goes back: the reply for the slot (its result is what the reserved call returns), and
/// perhaps a descriptor to place into the cells' table at `slot` first.
struct FileAnswer {
  abi::RequestReply reply{};
  int inject_fd = -1;  // borrowed from the service (or `owned`), valid until the next request
  int slot = -1;
  UniqueFd owned;  // keeps inject_fd alive when it is nobody's handle
};

struct XattrCall;  // xattrs.cc

class FileService {
 public:
  /// `trees` become handles 0..n-1. Errors: InvalidArgument (no tree; a tree of a kernel file
  /// system).
  static Result<FileService> create(std::vector<GrantedTree> trees, Ceiling ceiling);

  /// Answers one request. `bounce` is the slot's buffer, kBounceSize bytes, shared with the guest.
  FileAnswer handle(const abi::RequestSlot& request, std::span<std::byte> bounce);

  /// Open handles beyond the trees.
  [[nodiscard]] std::size_t open_handles() const { return open_count_; }

 private:
  struct Entry {
    UniqueFd fd;
    std::size_t tree = 0;
    int access = O_RDONLY;  // O_RDONLY, O_WRONLY, O_RDWR, or O_PATH
    bool directory = false;
    std::uint64_t next_cookie = 0;  // directory position of fd
    std::string path;               // beneath the tree's root, to reopen read-only
    std::uint64_t device = 0, inode = 0;
  };

  FileService(std::vector<GrantedTree> trees, Ceiling ceiling)
      : trees_(std::move(trees)), credentials_(std::move(ceiling)) {}

  // Each returns the result (>= 0 or -errno) and fills the answer's other fields.
  std::int64_t dispatch(const abi::RequestSlot& request, std::span<std::byte> bounce,
                        FileAnswer& answer);
  std::int64_t lookup(const abi::RequestSlot& request, std::span<std::byte> bounce,
                      FileAnswer& answer);
  std::int64_t walk(const abi::RequestSlot& request, std::span<std::byte> bounce,
                    FileAnswer& answer);
  std::int64_t open(const abi::RequestSlot& request, std::span<std::byte> bounce,
                    FileAnswer& answer);
  std::int64_t read(const abi::RequestSlot& request, std::span<std::byte> bounce);
  static void read_ahead(const Entry& entry, std::uint64_t size, std::span<std::byte> bounce,
                         abi::RequestReply& reply);
  std::int64_t write(const abi::RequestSlot& request, std::span<std::byte> bounce,
                     FileAnswer& answer);
  std::int64_t read_dir(const abi::RequestSlot& request, std::span<std::byte> bounce,
                        FileAnswer& answer);
  std::int64_t close(abi::Handle handle);
  std::int64_t inject(const abi::RequestSlot& request, FileAnswer& answer);
  std::int64_t attributes(abi::Handle handle, FileAnswer& answer);
  std::int64_t read_link(const abi::RequestSlot& request, std::span<std::byte> bounce,
                         FileAnswer& answer);
  std::int64_t truncate(const abi::RequestSlot& request, FileAnswer& answer);
  std::int64_t sync(const abi::RequestSlot& request);
  std::int64_t stat_fs(abi::Handle handle, std::span<std::byte> bounce, FileAnswer& answer);
  std::int64_t make_dir(const abi::RequestSlot& request, std::span<std::byte> bounce,
                        FileAnswer& answer);
  std::int64_t unlink(const abi::RequestSlot& request, std::span<std::byte> bounce,
                      FileAnswer& answer);
  std::int64_t rename_or_link(const abi::RequestSlot& request, std::span<std::byte> bounce,
                              FileAnswer& answer);
  std::int64_t symlink(const abi::RequestSlot& request, std::span<std::byte> bounce,
                       FileAnswer& answer);
  std::int64_t set_metadata(const abi::RequestSlot& request, std::span<std::byte> bounce,
                            FileAnswer& answer);
  std::int64_t make_node(const abi::RequestSlot& request, std::span<std::byte> bounce,
                         FileAnswer& answer);
  std::int64_t link_handle(const abi::RequestSlot& request, std::span<std::byte> bounce,
                           FileAnswer& answer);
  std::int64_t xattr(const abi::RequestSlot& request, std::span<std::byte> bounce,
                     FileAnswer& answer);
  std::int64_t allocate(const abi::RequestSlot& request, FileAnswer& answer);
  std::int64_t seek(const abi::RequestSlot& request);
  std::int64_t sync_range(const abi::RequestSlot& request);
  std::int64_t sync_fs(abi::Handle handle);
  std::int64_t record_lock(const abi::RequestSlot& request, FileAnswer& answer);
  std::int64_t file_lock(const abi::RequestSlot& request);
  std::int64_t copy_range(const abi::RequestSlot& request);

  /// A handle as a base for paths; negative errno where it is none.
  struct BaseOrErrno {
    Base base;
    std::size_t tree = 0;
    std::string prefix;  // path of the base beneath its tree's root
    int os_errno = 0;
  };
  /// Where a name is to be made or removed.
  struct Target {
    BaseOrErrno base;
    Parent parent;
  };
  std::int64_t locate(abi::Handle handle, std::span<std::byte> bounce, std::uint64_t offset,
                      std::uint32_t length, abi::RequestReply& reply, Target& target) const;
  enum class Change : std::uint8_t { Create, Remove };
  /// The request's first path as a name to create or remove, in a tree that may be written.
  std::int64_t locate_for_change(const abi::RequestSlot& request, std::span<std::byte> bounce,
                                 abi::RequestReply& reply, Change change, Target& target) const;
  /// What a request names by its first path or, where that is empty, by its handle.
  struct NamedFile {
    BaseOrErrno base;
    std::string path;
    UniqueFd owned;
    int fd = -1;  // O_PATH unless it is a handle's own
  };
  std::int64_t call_for(abi::Handle handle, const NamedFile& file, const XattrCall& call);
  std::int64_t find_named(const abi::RequestSlot& request, std::span<std::byte> bounce,
                          abi::RequestReply& reply, NamedFile& file) const;
  [[nodiscard]] BaseOrErrno base_of(abi::Handle handle) const;
  Entry* entry_of(abi::Handle handle);
  [[nodiscard]] bool read_only(std::size_t tree) const { return trees_[tree].read_only; }
  std::int64_t add_entry(Entry entry);

  std::vector<GrantedTree> trees_;
  OperationCredentials credentials_;
  std::vector<std::unique_ptr<Entry>> entries_;  // handle - trees_.size(); null: free
  std::size_t open_count_ = 0;
};

}  // namespace runhl::vmm::fs
