// SPDX-License-Identifier: Apache-2.0
// The host files of a container: every file request of a guest, whatever carried it, ends in
// handle(). One implementation for all kinds of machine.
//
//   std::unique_ptr<FileService> service = TRY(FileService::create(std::move(trees), ceiling));
//   // in each thread that serves:
//   OperationCredentials credentials = service->credentials();
//   // `slot` being a private copy of the guest's request slot:
//   FileAnswer answer = service->handle(slot, bounce, credentials);
//
// The request is hostile. Paths are copied out of the bounce buffer before they are looked at; file
// data goes straight between the kernel and the shared buffer, where its changing harms nobody but
// the guest. Every operation runs beneath a granted tree's descriptor and under the ceiling.
//
// Any number of threads share a service; credentials are each thread's own. Only requests on one
// open directory wait for each other.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "fs/credentials.h"
#include "fs/resolve.h"
#include "runhl/abi/ring.h"
#include "runhl/base/result.h"
#include "runhl/base/unique_fd.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::fs {

constexpr std::uint64_t kMaxOffset = INT64_MAX;  // loff_t's

/// What goes back: the reply for the slot (its result is what the reserved call returns), and
/// perhaps a descriptor to place into the cells' table at `slot` first.
struct FileAnswer {
  abi::RequestReply reply{};
  int inject_fd = -1;  // borrowed from what `keep` or `owned` holds
  int slot = -1;
  std::shared_ptr<const void> keep;
  UniqueFd owned;  // when it is nobody's handle
};

struct XattrCall;  // xattrs.cc

class FileService {
 public:
  /// `trees` become handles 0..n-1. Errors: InvalidArgument (no tree; a tree of a kernel file
  /// system).
  static Result<std::unique_ptr<FileService>> create(std::vector<GrantedTree> trees,
                                                     Ceiling ceiling);

  /// For a thread that calls handle(); nobody else may use it.
  [[nodiscard]] OperationCredentials credentials() const { return OperationCredentials(ceiling_); }

  /// Answers one request. `bounce` is the slot's buffer, kBounceSize bytes, shared with the guest.
  FileAnswer handle(const abi::RequestSlot& request, std::span<std::byte> bounce,
                    OperationCredentials& credentials);

  /// Open handles beyond the trees.
  [[nodiscard]] std::size_t open_handles() const;

 private:
  struct Entry {
    UniqueFd fd;
    std::size_t tree = 0;
    int access = O_RDONLY;  // O_RDONLY, O_WRONLY, O_RDWR, or O_PATH
    bool directory = false;
    std::mutex reading;             // of a directory
    std::uint64_t next_cookie = 0;  // directory position of fd; guarded by reading
    std::string path;               // beneath the tree's root, to reopen read-only
    std::uint64_t device = 0, inode = 0;
  };

  /// Alive while somebody works on it, whoever closes the handle meanwhile.
  using EntryRef = std::shared_ptr<Entry>;

  FileService(std::vector<GrantedTree> trees, Ceiling ceiling)
      : trees_(std::move(trees)), ceiling_(std::move(ceiling)) {}

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
  struct Opening;
  std::int64_t copy_opening(const abi::RequestSlot& request, std::span<std::byte> bounce,
                            Opening& opening) const;
  [[nodiscard]] Opened open_on_host(const Opening& opening, const abi::RequestSlot& request) const;
  static std::int64_t check_opened(const Opening& opening, int fd, abi::FileAttr& attr);
  static EntryRef make_entry(const Opening& opening, UniqueFd fd, const abi::FileAttr& attr);
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
    EntryRef keep;
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
  [[nodiscard]] EntryRef entry_of(abi::Handle handle) const;
  [[nodiscard]] bool read_only(std::size_t tree) const { return trees_[tree].read_only; }
  std::int64_t add_entry(EntryRef entry);

  const std::vector<GrantedTree> trees_;
  const Ceiling ceiling_;
  mutable std::mutex mutex_;
  std::vector<EntryRef> entries_;  // handle - trees_.size(); null: free. Guarded by mutex_.
  std::size_t open_count_ = 0;     // the same
};

}  // namespace runhl::vmm::fs
