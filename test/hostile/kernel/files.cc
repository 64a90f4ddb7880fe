// SPDX-License-Identifier: Apache-2.0
// Attacks on the operations of files: names, handles, ranges, what changes while it is read. The
// tree is that of requests.cc; open/ is a directory that anybody may write. Tree 1, where there is
// one, is "volume": read-only, with file and dir.
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "kernel/attacks.h"
#include "kernel/file_calls.h"

namespace hostile {

namespace {

using runhl::abi::kBounceSize;

// Each with its first text as a name to be found, made or removed.
constexpr HostOp kNameOps[] = {
    HostOp::Walk,     HostOp::Open,        HostOp::ReadLink, HostOp::MakeDir,  HostOp::Unlink,
    HostOp::Rename,   HostOp::Symlink,     HostOp::Link,     HostOp::SetMode,  HostOp::SetOwner,
    HostOp::SetTimes, HostOp::MakeNode,    HostOp::GetXattr, HostOp::SetXattr, HostOp::ListXattr,
    HostOp::Lookup,   HostOp::RemoveXattr,
};
// Each with a handle that has to be an open file's.
constexpr HostOp kHandleOps[] = {
    HostOp::Read,      HostOp::Write,  HostOp::ReadDir,    HostOp::Close,    HostOp::Inject,
    HostOp::Truncate,  HostOp::Sync,   HostOp::Allocate,   HostOp::Seek,     HostOp::SyncRange,
    HostOp::CopyRange, HostOp::SyncFs, HostOp::RecordLock, HostOp::TestLock, HostOp::FileLock,
};

/// A slot of nothing wrong but what the caller changes: `name` in both places.
RequestSlot& sound(HostOp op, const char* name) {
  const char* const second =
      op == HostOp::SetXattr || op == HostOp::GetXattr || op == HostOp::RemoveXattr ? "user.a"
                                                                                    : "open/new";
  RequestSlot& out = two_texts(op, name, op == HostOp::Lookup ? "" : second);
  out.mode = op == HostOp::MakeNode ? S_IFIFO | 0600 : 0600;
  if (op == HostOp::GetXattr || op == HostOp::SetXattr || op == HostOp::RemoveXattr ||
      op == HostOp::ListXattr) {
    out.mode = 0;
  }
  out.uid = out.gid = ~0U;
  return out;
}

void try_names() {
  for (const HostOp op : kNameOps) {
    const auto number = static_cast<std::int64_t>(op);
    for (const char* name : {"..", "../outside/file", "dir/../../outside/file", "/etc/passwd", ".",
                             "open/.", "open/..", "open//x", "open/x/", "/"}) {
      sound(op, name);
      check(ask() == -EINVAL, name, number);
    }
    for (const char* name : {"escape/etc/passwd", "escape/tmp/x", "dir/up/outside/file"}) {
      sound(op, name);
      check(ask() == -ELOOP, name, number);
    }
    for (const std::uint32_t size : {4096U, 8193U, 65535U, 65536U, 65537U, 0x7fff'ffffU, ~0U}) {
      sound(op, "").path_length = size;
      __builtin_memset(bounce(0), 'a', kBounceSize);
      check(ask() < 0, "a path beyond PATH_MAX", number);
    }
    RequestSlot& nul = sound(op, "open/ax");
    bounce(0)[6] = '\0';
    nul.path_length = 7;
    check(ask() == -EINVAL, "a path with a NUL", number);
  }
}

void try_second_names() {
  for (const HostOp op : {HostOp::Rename, HostOp::Link}) {
    for (const char* name : {"..", "../outside/new", "open/../../outside/new", "/tmp/new", ".", "",
                             "open//new", "open/new/"}) {
      two_texts(op, "file", name);
      check(ask() == -EINVAL, name, static_cast<std::int64_t>(op));
    }
    two_texts(op, "file", "escape/tmp/new");
    check(ask() == -ELOOP, "a second path through a symlink");
    for (const std::uint32_t size : {4096U, 65533U, 0x7fff'ffffU, ~0U}) {
      __builtin_memset(bounce(0), 'a', kBounceSize);
      two_texts(op, "file", "").path2_length = size;
      check(ask() < 0, "a second path beyond PATH_MAX", size);
    }
  }
  const Handle file = must_open("file", O_RDONLY);
  for (const char* name : {"..", "../outside/new", "/tmp/new", "", ".", "dir/up/outside/new"}) {
    RequestSlot& out = two_texts(HostOp::LinkHandle, "", name);
    out.handle = file;
    out.handle2 = kTree;
    check(ask() < 0, name);
  }
  two_texts(HostOp::LinkHandle, "file", "open/new").handle = file;
  check(ask() == -EINVAL, "a path beside the handle that is linked");
  for (const std::uint32_t size : {0U, 4096U, 65536U, ~0U}) {
    two_texts(HostOp::Symlink, "open/new", "").path2_length = size;
    __builtin_memset(bounce(0) + 8, 'a', 8192);
    check(ask() < 0, "a symlink's text of impossible length", size);
  }
  two_texts(HostOp::Symlink, "open/new", "ab");
  bounce(0)[9] = '\0';
  check(ask() == -EINVAL, "a symlink's text with a NUL");
  check(walk("open/new") == -ENOENT, "something was made");
}

void try_lookups() {
  for (const char* name : {"..", ".", "", "dir/file", "/etc", "../outside/file"}) {
    RequestSlot& out = two_texts(HostOp::Lookup, "", name);
    ++out.path2_length;  // its NUL
    out.length = 1;
    check(ask() == -EINVAL, name);
  }
  RequestSlot& open_end = two_texts(HostOp::Lookup, "", "file");
  open_end.length = 1;
  bounce(0)[4] = 'x';
  check(ask() == -EINVAL, "a name without an end");
  two_texts(HostOp::Lookup, "", "file").length = 2;
  slot(0).path2_length = 5;
  check(ask() == -EINVAL, "more names than there are");
  for (const std::uint64_t count : {257ULL, 1ULL << 32, kTooFar, ~0ULL}) {
    two_texts(HostOp::Lookup, "", "file").length = count;
    check(ask() == -EINVAL, "too many names");
  }
  for (const std::uint32_t size : {4096U, 65536U, ~0U}) {
    two_texts(HostOp::Lookup, "", "file").path2_length = size;
    slot(0).length = 1;
    check(ask() == -EINVAL, "names beyond the buffer", size);
  }
}

}  // namespace

void bad_names() {
  boot_done();
  try_names();
  try_second_names();
  try_lookups();
  for (const char* name : {"trusted.overlay.opaque", "trusted.a", "security.selinux",
                           "security.ima", "system.nfs4_acl", "raw", ".", "user"}) {
    for (const HostOp op : {HostOp::SetXattr, HostOp::GetXattr, HostOp::RemoveXattr}) {
      two_texts(op, "file", name);
      check(ask() < 0, name, static_cast<std::int64_t>(op));
    }
  }
  for (const std::uint32_t size : {0U, 256U, 4096U, 65536U, ~0U}) {
    two_texts(HostOp::SetXattr, "file", "").path2_length = size;
    check(ask() < 0, "an attribute's name of impossible length", size);
  }
  for (const std::uint64_t size : {65527ULL, 65536ULL, 65537ULL, 1ULL << 32, kTooFar, ~0ULL}) {
    two_texts(HostOp::SetXattr, "file", "user.a").length = size;
    check(ask() < 0, "a value beyond the buffer");
    two_texts(HostOp::GetXattr, "file", "user.a").length = size;
    check(ask() < 0, "room beyond the buffer");
  }
  two_texts(HostOp::GetXattr, "file", "user.a");
  check(ask() == -ENODATA || ask() == -EOPNOTSUPP, "an attribute was set");
}

void bad_handles() {
  boot_done();
  const Handle closed = must_open("file", O_RDWR);
  check(close(closed) == 0, "close");
  for (const HostOp op : kHandleOps) {
    const auto number = static_cast<std::int64_t>(op);
    for (const std::int64_t handle :
         {std::int64_t{closed}, std::int64_t{-1}, std::int64_t{-100}, std::int64_t{kTree},
          std::int64_t{closed + 1}, std::int64_t{1024}, std::int64_t{2000},
          std::int64_t{0x7fff'ffff}, std::int64_t{-0x8000'0000LL}}) {
      RequestSlot& out = on_handle(op, handle);
      out.handle2 = out.handle;
      out.length = 1;
      out.slot = 64;
      check(ask() == -EBADF, "a handle that is none", number);
    }
  }
  // What each kind of open file refuses. Handles are numbered anew: these are live.
  const Handle place = must_open("file", O_PATH);
  const Handle reader = must_open("file", O_RDONLY);
  const Handle writer = must_open("file", O_WRONLY);
  const Handle directory = must_open("dir", O_RDONLY | O_DIRECTORY);
  for (const HostOp op : {HostOp::Read, HostOp::Write, HostOp::Allocate, HostOp::Seek,
                          HostOp::SyncRange, HostOp::SyncFs, HostOp::RecordLock, HostOp::TestLock,
                          HostOp::FileLock, HostOp::CopyRange}) {
    on_handle(op, place).handle2 = writer;
    check(ask() == -EBADF, "done with a mere place", static_cast<std::int64_t>(op));
  }
  for (const HostOp op : {HostOp::Write, HostOp::Allocate}) {
    on_handle(op, reader).length = 1;
    check(ask() == -EBADF, "written through a reader", static_cast<std::int64_t>(op));
  }
  on_handle(HostOp::Truncate, reader);
  check(ask() < 0, "truncated through a reader");
  on_handle(HostOp::Read, writer).length = 1;
  check(ask() == -EBADF, "read through a writer");
  on_handle(HostOp::CopyRange, writer).handle2 = writer;
  check(ask() == -EBADF, "copied out of a writer");
  on_handle(HostOp::CopyRange, reader).handle2 = reader;
  check(ask() == -EBADF, "copied into a reader");
  on_handle(HostOp::RecordLock, reader).mode = F_WRLCK;
  check(ask() == -EBADF, "a writer's lock through a reader");
  on_handle(HostOp::RecordLock, writer).mode = F_RDLCK;
  check(ask() == -EBADF, "a reader's lock through a writer");
  on_handle(HostOp::ReadDir, reader);
  check(ask() == -ENOTDIR, "listed a file");
  for (const HostOp op : {HostOp::Read, HostOp::CopyRange}) {
    RequestSlot& out = on_handle(op, directory);
    out.handle2 = writer;
    out.length = 1;
    check(ask() == -EISDIR, "read a directory");
  }
  check(walk("file") == 0, "the monitor answers no more");
}

void bad_ranges() {
  boot_done();
  const Handle file = must_open("file", O_RDWR);
  const Handle directory = must_open("dir", O_RDONLY | O_DIRECTORY);
  for (const std::uint64_t far : {kTooFar, kTooFar + 1, ~0ULL, ~0ULL - 4095}) {
    for (const HostOp op : {HostOp::Read, HostOp::Write, HostOp::Allocate, HostOp::SyncRange,
                            HostOp::RecordLock, HostOp::TestLock, HostOp::CopyRange}) {
      const auto number = static_cast<std::int64_t>(op);
      RequestSlot& offset = on_handle(op, file);
      offset.handle2 = file;
      offset.offset = far;
      offset.length = 1;
      check(ask() == -EINVAL, "an offset beyond any file", number);
      RequestSlot& length = on_handle(op, file);
      length.handle2 = file;
      length.length = far;
      check(ask() == -EINVAL, "a length beyond any file", number);
      RequestSlot& sum = on_handle(op, file);
      sum.handle2 = file;
      sum.offset = sum.offset2 = kTooFar - 1;
      sum.length = kTooFar - 1;
      check(ask() < 0, "a sum beyond any file", number);
    }
    on_handle(HostOp::Seek, file).offset = far;
    slot(0).mode = 3;  // SEEK_DATA
    check(ask() == -ENXIO, "data beyond any file");
    on_handle(HostOp::Truncate, file).length = far;
    check(ask() == -EINVAL, "a size beyond any file");
    on_handle(HostOp::ReadDir, directory).offset = far;
    slot(0).length = ~0ULL;
    check(ask() < 0, "a position beyond any directory");
    RequestSlot& out = on_handle(HostOp::CopyRange, file);
    out.handle2 = file;
    out.offset2 = far;
    out.length = 1;
    check(ask() == -EINVAL, "copied beyond any file");
  }
  for (const std::uint64_t size : {kBounceSize + 1, std::uint64_t{1} << 32}) {
    for (const HostOp op : {HostOp::Read, HostOp::Write}) {
      on_handle(op, file).length = size;
      check(ask() == -EINVAL, "more than the buffer", static_cast<std::int64_t>(op));
    }
  }
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    const std::uint32_t mode = 1U << bit;
    if ((mode & 0x7f) == 0 || mode == FALLOC_FL_NO_HIDE_STALE) {
      on_handle(HostOp::Allocate, file).mode = mode;
      slot(0).length = 1;
      check(ask() == -EOPNOTSUPP, "an unknown way to allocate", bit);
    }
    if (mode > 2) {
      on_handle(HostOp::RecordLock, file).mode = mode;
      check(ask() == -EINVAL, "an unknown lock", bit);
    }
    if (mode != LOCK_SH && mode != LOCK_EX && mode != LOCK_UN) {
      on_handle(HostOp::FileLock, file).mode = mode;
      check(ask() == -EINVAL, "an unknown lock of a file", bit);
    }
    if (mode > 7) {
      on_handle(HostOp::SyncRange, file).mode = mode;
      check(ask() == -EINVAL, "an unknown way to write back", bit);
      two_texts(HostOp::Rename, "open/a", "open/b").flags = mode;
      check(ask() == -EINVAL, "an unknown way to rename", bit);
    }
    if (mode > 2) {
      two_texts(HostOp::SetXattr, "file", "user.a").mode = mode;
      check(ask() == -EINVAL, "an unknown way to set an attribute", bit);
    }
  }
  for (const std::uint32_t type : {0U, 0U + S_IFDIR, 0U + S_IFLNK, 0170000U, 0030000U, 0050000U}) {
    request(0, HostOp::MakeNode, "open/node").mode = type | 0600;
    check(ask() == -EINVAL || ask() == -EPERM, "a node of no kind", type);
  }
  RequestSlot& times = request(0, HostOp::SetTimes, "file");
  times.times[0].nanoseconds = times.times[1].nanoseconds = 1'000'000'000;
  check(ask() < 0, "a time that is none");
  for (const std::uint32_t flags : {0x2000U, 0x0100'0000U, 0x0080'0000U, 0x1000'0000U}) {
    check(open("file", flags | O_CREAT) < 0, "an open of unknown kind", flags);
  }
  // Linux knows an access of 3: it gives a descriptor that neither reads nor writes.
  const Handle neither = must_open("file", 3);
  for (const HostOp op : {HostOp::Read, HostOp::Write, HostOp::Allocate}) {
    on_handle(op, neither).length = 1;
    check(ask() == -EBADF, "read or written without that access", static_cast<std::int64_t>(op));
  }
  check(inject(neither, 64, runhl::abi::kInjectWritable) == -EACCES, "the same by a mapping");
  check(walk("file") == 0, "the monitor answers no more");
}

void across_trees() {
  boot_done();
  constexpr Handle kVolume = 1;
  for (const HostOp op : {HostOp::Rename, HostOp::Link}) {
    RequestSlot& into = two_texts(op, "file", "new");
    into.handle2 = kVolume;
    check(ask() == -EXDEV, "into the other tree", static_cast<std::int64_t>(op));
    RequestSlot& out = two_texts(op, "file", "open/new");
    out.handle = kVolume;
    check(ask() == -EXDEV, "out of the other tree", static_cast<std::int64_t>(op));
    RequestSlot& within = two_texts(op, "file", "new");
    within.handle = within.handle2 = kVolume;
    check(ask() == -EROFS, "in a read-only tree", static_cast<std::int64_t>(op));
  }
  RequestSlot& linked = two_texts(HostOp::LinkHandle, "", "open/new");
  linked.handle = kVolume;
  check(ask() == -EXDEV, "a handle into the other tree");
  for (const HostOp op : {HostOp::MakeDir, HostOp::MakeNode, HostOp::Symlink}) {
    RequestSlot& out = two_texts(op, "new", "text");
    out.handle = kVolume;
    out.mode = op == HostOp::MakeNode ? S_IFIFO | 0600 : 0700;
    check(ask() == -EROFS, "made in a read-only tree", static_cast<std::int64_t>(op));
  }
  for (const HostOp op : {HostOp::Unlink, HostOp::SetMode, HostOp::SetOwner, HostOp::SetTimes,
                          HostOp::SetXattr, HostOp::RemoveXattr}) {
    RequestSlot& out = two_texts(op, "file", "user.a");
    out.handle = kVolume;
    check(ask() == -EROFS, "changed in a read-only tree", static_cast<std::int64_t>(op));
  }
  for (const std::uint32_t flags : {0U + O_WRONLY, 0U + O_RDWR, 0U + (O_RDONLY | O_TRUNC)}) {
    RequestSlot& out = request(0, HostOp::Open, "file");
    out.handle = kVolume;
    out.flags = flags;
    check(ask() == -EROFS, "opened for writing in a read-only tree", flags);
  }
  RequestSlot& nameless = request(0, HostOp::Open, "dir");
  nameless.handle = kVolume;
  nameless.flags = O_TMPFILE | O_RDWR;
  check(ask() == -EROFS, "a nameless file in a read-only tree");
  RequestSlot& read = request(0, HostOp::Open, "file");
  read.handle = kVolume;
  const std::int64_t reader = ask();
  check(reader > kVolume, "open", reader);
  check(inject(reader, 70, runhl::abi::kInjectWritable) == -EACCES,
        "writable from a read-only tree");
  check(inject(reader, 70) == 70, "inject");
  check(map(70, 3) == -EACCES, "a read-only tree mapped for writing");
  const Handle writer = must_open("file", O_RDWR);
  RequestSlot& copy = on_handle(HostOp::CopyRange, writer);
  copy.handle2 = static_cast<Handle>(reader);
  copy.length = 6;
  check(ask() == -EBADF, "copied into a read-only tree");
  for (const HostOp op : {HostOp::SetMode, HostOp::SetOwner, HostOp::SetTimes}) {
    on_handle(op, reader).uid = ~0U;
    slot(0).gid = ~0U;
    check(ask() == -EROFS, "changed through a handle", static_cast<std::int64_t>(op));
  }
}

void lying_closes() {
  boot_done();
  // As many as there may be, then closed by lists that repeat, name trees, and name nothing.
  std::int64_t last = 0;
  std::uint32_t count = 0;
  for (std::int64_t handle = 0; (handle = open("file", O_RDONLY)) > 0; last = handle) {
    check(++count < 5000, "handles without end");
  }
  check(count > 100, "so few handles", count);
  for (std::int64_t first = 1; first <= last; first += 2) {
    RequestSlot& out = request(0, HostOp::Walk, "file");
    const auto handle = static_cast<Handle>(first);
    out.close = {handle, static_cast<Handle>(handle + 1), handle, static_cast<Handle>(-handle)};
    check(ask() == 0, "walk");
  }
  RequestSlot& nonsense = request(0, HostOp::Walk, "file");
  nonsense.close = {0x7fff'ffff, static_cast<Handle>(0x8000'0000), -1, 1024};
  check(ask() == 0, "a tree was closed");
  check(open("file", O_RDONLY) == 1, "handles are lost");
  // A lock goes with its handle, and a great many of them are no more than that.
  const Handle locker = must_open("file", O_RDWR);
  for (std::uint64_t at = 0; at < 20'000; at += 2) {
    RequestSlot& out = on_handle(HostOp::RecordLock, locker);
    out.mode = F_WRLCK;
    out.offset = at;
    out.length = 1;
    check(ask() == 0, "lock", static_cast<std::int64_t>(at));
  }
  check(close(locker) == 0, "close");
  const Handle other = must_open("file", O_RDWR);
  RequestSlot& out = on_handle(HostOp::RecordLock, other);
  out.mode = F_WRLCK;
  check(ask() == 0, "a lock outlived its handle");
}

namespace {

constinit std::uint32_t g_stop = 0;

/// A second host process that writes both texts, their lengths and the rest while they are read.
void flip_texts(std::uint64_t index) {
  auto& out = slot(static_cast<std::uint32_t>(index));
  char* const text = bounce(static_cast<std::uint32_t>(index));
  constexpr const char* kTexts[] = {
      "open/a\0open/b\0\0\0",
      "../outside/new\0/",
      "escape/tmp/fl/aaa",
      "open/../../o/new",
  };
  for (std::uint32_t round = 0; __atomic_load_n(&g_stop, __ATOMIC_RELAXED) == 0; ++round) {
    __builtin_memcpy(text, kTexts[round / 32 % 4], 16);
    __atomic_store_n(&out.path_length, (round & 1) != 0 ? 6U : 14U, __ATOMIC_RELAXED);
    __atomic_store_n(&out.path2_length, (round & 2) != 0 ? 6U : ~0U, __ATOMIC_RELAXED);
    __atomic_store_n(&out.length, (round & 4) != 0 ? 2ULL : ~0ULL, __ATOMIC_RELAXED);
    __atomic_store_n(&out.handle2, (round & 8) != 0 ? 0 : 0x7fff'fff0, __ATOMIC_RELAXED);
    __atomic_store_n(&out.mode, (round & 16) != 0 ? S_IFIFO | 0600U : ~0U, __ATOMIC_RELAXED);
  }
}

}  // namespace

void flip_texts_while_read() {
  boot_done();
  constexpr std::uint32_t kSlot = 7;
  check(spawn(flip_texts, kSlot) > 0, "clone");
  std::uint32_t done = 0;
  for (int round = 0; round < 400 || (done == 0 && round < 100'000); ++round) {
    for (const HostOp op :
         {HostOp::Open, HostOp::Rename, HostOp::Link, HostOp::Symlink, HostOp::MakeNode,
          HostOp::MakeDir, HostOp::Unlink, HostOp::Lookup, HostOp::SetXattr, HostOp::SetTimes}) {
      RequestSlot& out = slot(kSlot);
      out.op = op;
      out.handle = kTree;
      out.flags = op == HostOp::Open ? O_RDWR | O_CREAT : 0;
      out.credentials = config().credentials;
      const std::int64_t result = reserved_call(kSlot);
      done += result >= 0 ? 1 : 0;
      if (op == HostOp::Open && result > 0) {
        check(close(result) == 0, "close", result);
      }
    }
  }
  __atomic_store_n(&g_stop, 1, __ATOMIC_RELAXED);
  check(done > 0, "nothing ever succeeded: nothing was tried");
  check(walk("file") == 0, "the monitor answers no more");
}

namespace {

/// Injects and closes slot 80 as fast as it can.
void inject_and_close(std::uint64_t index) {
  const auto own = static_cast<std::uint32_t>(index);
  for (int round = 0; round < 500; ++round) {
    RequestSlot& out = request(own, HostOp::Open, "file");
    out.slot = 80;
    const std::int64_t handle = reserved_call(own);
    if (handle > 0) {
      request(own, HostOp::Close, "").handle = static_cast<Handle>(handle);
      (void)reserved_call(own);
    }
    (void)call(__NR_close, 80);
  }
}

}  // namespace

void contend_for_slot() {
  boot_done();
  for (std::uint64_t index = 1; index <= 3; ++index) {
    check(spawn(inject_and_close, index) > 0, "clone");
  }
  for (int round = 0; round < 500; ++round) {
    const std::int64_t place = map(80, 1);
    check(place > 0 || place == -EBADF, "map", place);
    check(map(80, 3) < 0, "what was opened for reading is writable");
  }
  for (int i = 0; i < 3; ++i) {
    check(reap() == 0, "a cell died");
  }
  // What is mapped outlives handle, slot and name.
  const std::int64_t handle = open("open", O_TMPFILE | O_RDWR);
  check(handle > 0, "open a nameless file", handle);
  on_handle(HostOp::Write, handle).length = 6;
  __builtin_memcpy(bounce(0), "nobody", 6);
  check(ask() == 6, "write");
  check(inject(handle, 81) == -ENODEV, "a writer's descriptor was injected for reading");
  check(inject(handle, 81, runhl::abi::kInjectWritable) == 81 && map(81, 3) > 0, "map it");
  check(close(handle) == 0 && call(__NR_close, 81) == 0, "close");
  check(*reinterpret_cast<const char*>(runhl::abi::kFileWindows) == 'n',
        "the mapping is another's");
  check(map(81, 1) == -EBADF, "a closed slot can be mapped");
}

namespace {

std::int32_t ask_by_ring(std::uint32_t index) {
  submit({RingOp::File, 7, 0, index, 0, 0, 0});
  const auto completion = wait_completion();
  check(completion.tag == 7, "another's completion", completion.tag);
  return completion.result;
}

}  // namespace

void requests_by_ring() {
  boot_done();
  for (const std::uint32_t index : {64U, 65U, 0x7fff'ffffU, ~0U}) {
    check(ask_by_ring(index) == -EINVAL, "a slot that is none", index);
  }
  for (std::uint32_t op = 0; op < 64; ++op) {
    RequestSlot& out = request(0, HostOp{op}, "..");
    __builtin_memset(&out, 0xff, sizeof(out));
    out.op = HostOp{op};
    check(ask_by_ring(0) < 0, "nonsense succeeded", op);
  }
  // Nothing can be placed from there, whatever is asked.
  request(0, HostOp::Open, "file").slot = 90;
  const std::int32_t handle = ask_by_ring(0);
  check(handle > 0, "open", handle);
  on_handle(HostOp::Inject, handle).slot = 90;
  check(ask_by_ring(0) == -ENODEV, "injected");
  check(map(90, 1) == -EBADF, "a descriptor was placed");
  // One slot many times over, while it is in use, and more than there is room for.
  constexpr std::uint32_t kMany = 4 * runhl::abi::kRingEntries;
  request(0, HostOp::Walk, "dir/file");
  for (std::uint32_t i = 0; i < kMany; ++i) {
    submit({RingOp::File, i, 0, 0, 0, 0, 0});
    while (ring().submit_taken + 8 < ring().submit_head) {
      doorbell();
    }
  }
  for (std::uint32_t i = 0; i < 100; ++i) {
    const auto completion = wait_completion();
    check(completion.result == 0 || completion.result == -EBUSY, "walk", completion.result);
  }
  check(walk("file") == 0, "the monitor answers no more");
}

namespace {

void call_the_monitor(std::uint64_t index) {
  (void)reserved_call(index);
}

}  // namespace

void unheard_call() {
  boot_done();
  constexpr int kSigsys = 31;
  request(0, HostOp::Walk, "file");
  for (const std::uint64_t index : {0UL, 64UL, ~0UL}) {
    check(signal_of(status_of(call_the_monitor, index)) == kSigsys, "a call that nobody hears");
  }
  check(ask_by_ring(0) == 0, "walk");
  request(0, HostOp::Open, "file").slot = 90;
  const std::int32_t handle = ask_by_ring(0);
  check(handle > 0, "open", handle);
  on_handle(HostOp::Inject, handle).slot = 90;
  check(ask_by_ring(0) == -ENODEV, "injected");
  for (std::uint64_t fd = runhl::abi::kFdInjectedFirst; fd <= runhl::abi::kFdInjectedLast; ++fd) {
    check(map(fd, 1) == -EBADF, "a descriptor was placed", static_cast<std::int64_t>(fd));
  }
}

}  // namespace hostile
