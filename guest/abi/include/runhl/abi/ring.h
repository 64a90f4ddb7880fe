// SPDX-License-Identifier: Apache-2.0
// How our guest kernel and the monitor talk: the host-call area, shared and writable by both.
//
//   guest kernel                                             monitor
//   ------------                                             -------
//   reserved call (short, synchronous; all that returns a descriptor):
//     fill RequestSlot[i], payload in bounce[i]
//     syscall kReservedCall(i)          ---- notification --->  file service thread: copy slot and
//                                                               payload, check, do, write the reply
//     returns RequestReply.result       <--- NOTIF_SEND/ADDFD --
//
//   ring (posted work and what may sleep: streams, files that may wait, log, exit):
//     submit[head % N] = entry; head++
//     if monitor_sleeping: write(doorbell) ------------------>  main thread: copy entry, check, do
//     complete[tail % N]; event_word changed  <-- FUTEX_WAKE --  completion {tag, result}
//
//   events (signals to the container, start, quiesce):
//     pending bits, then event_word++   <-- FUTEX_WAKE ---------
//     a guest that runs user code is interrupted by cell 0, woken through cell0_word
//
// Trust: the monitor copies every entry, slot, path and buffer to private memory before it looks,
// and treats each field as hostile. Queue indices run freely and are masked; the monitor keeps its
// own copies of its indices and only publishes them here. The guest trusts what it reads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runhl/abi/layout.h"

namespace runhl::abi {

inline constexpr std::uint32_t kMaxVcpus = 16;  // one ring each; run time starts with one
inline constexpr std::uint32_t kRingEntries = 128;
inline constexpr std::uint32_t kRequestSlotCount = 64;
inline constexpr std::uint64_t kBounceSize = 64 * kKiB;
inline constexpr std::uint32_t kMaxGroups = 64;  // supplementary groups of a guest task
inline constexpr std::uint32_t kMaxPath = 4096;  // bytes with the NUL, Linux PATH_MAX

// ---- ring ------------------------------------------------------------------------------------

enum class RingOp : std::uint32_t {
  StreamRead = 1,   // stream, bounce, length -> bytes read (0: end of file), -errno
  StreamWrite = 2,  // stream, bounce, length -> bytes written (may be fewer), -errno
  StreamClose = 3,  // stream: the guest's last descriptor of it is gone. No completion.
  StreamPoll = 4,   // stream, value = POLLIN|POLLOUT wanted -> revents, completes when ready; with
                    // kPollNow at once, 0: not ready
  Cancel = 5,       // tag of an unfinished StreamRead/Write/Poll -> it completes with -EINTR
                    // unless it completed already. No completion of its own.
  Log = 6,          // bounce, length: one line for the runtime's log. Completion: 0.
  BootDone = 7,     // value 0: stands before the first instruction; else errno, and bounce/length
                    // hold the message for the user. No completion.
  Exit = 8,   // value: wait status as of waitpid(2) (exit code << 8, or signal). Completion: none.
  Panic = 9,  // bounce, length: a PanicReport (panic.h). No completion; the cells are ended.
  File = 10,  // bounce: index of a request slot. What it asks for, done by a thread that may wait;
              // -> the reply's result, cut to 32 bits. Nothing is injected.
  Started = 11,  // of a guest with start hooks: as BootDone, behind them. No completion.
};

inline constexpr std::uint64_t kPollNow = 1ULL << 32;  // in the value of StreamPoll

struct RingEntry {
  RingOp op;
  std::uint32_t tag;     // chosen by the guest, returned in the completion; Cancel names it
  std::uint32_t stream;  // 0, 1, 2
  std::uint32_t bounce;  // index of a bounce buffer, < kRequestSlotCount
  std::uint32_t length;  // bytes, <= kBounceSize
  std::uint32_t reserved;
  std::uint64_t value;
};
static_assert(sizeof(RingEntry) == 32);

struct RingCompletion {
  std::uint32_t tag;
  std::int32_t result;
};

struct Ring {
  // Written by the guest:
  std::uint32_t submit_head;  // entries ever submitted
  std::uint32_t complete_taken;
  std::array<std::uint32_t, 14> pad0;
  // Written by the monitor:
  std::uint32_t submit_taken;
  std::uint32_t complete_head;  // completions ever posted; outstanding entries never exceed
                                // kRingEntries, so completions never overflow
  std::array<std::uint32_t, 14> pad1;
  std::array<RingEntry, kRingEntries> submit;
  std::array<RingCompletion, kRingEntries> complete;
};

// ---- reserved call -----------------------------------------------------------------------------

enum class HostOp : std::uint32_t {
  // Paths are relative to `handle`, have no leading '/', no empty, "." or ".." component (the
  // guest resolves those), and are not NUL-terminated: `path_length` bytes at bounce[0]. An empty
  // path names the handle itself. Operations with two paths have the second one behind the first.
  //
  // A symlink on the way (or at the end, unless kNoFollow): result -ELOOP, reply.link_start and
  // link_end = the component's byte range in the path, reply.length bytes of its target in the
  // bounce buffer. The guest resolves it against its own root and mounts. The monitor never
  // follows one. Of an operation with two paths the second one is meant when link_start has
  // kSecondPath.
  Walk = 1,     // -> 0, attr
  Open = 2,     // flags = kOpen* | O_*, mode; slot >= 0: inject too -> handle (>= 0), attr. A file
                // that is neither regular nor a directory: result -ENXIO with attr valid. With
                // kReadAhead, of a regular file opened to be read: reply.length bytes of its
                // beginning at kDataOffset; link_end = 1: that is the whole file
  Read = 3,     // handle, offset, length <= kBounceSize -> bytes, in the bounce buffer
  Write = 4,    // handle, offset (or flags kAppend), length -> bytes; attr.size afterwards
  ReadDir = 5,  // handle, offset = cookie (0 first), length = room in linux_dirent64s -> bytes of
                // DirRecords; reply.cookie = next; reply.count = 1: the directory ends there;
                // attr = the directory's, from before its entries were read
  Close = 6,    // handle -> 0
  Inject = 7,   // handle, slot, flags kInjectWritable -> slot, by ADDFD into the cells' table
  Attributes = 8,  // handle -> 0, attr
  ReadLink = 9,    // path -> bytes of target in the bounce buffer
  Truncate = 10,   // handle, length
  Sync = 11,       // handle, flags kDataOnly
  MakeDir = 12,    // path, mode
  Unlink = 13,     // path, flags kRemoveDir
  Rename = 14,     // handle, path -> handle2, path2; flags = RENAME_NOREPLACE|RENAME_EXCHANGE
  Symlink = 15,    // path = the new link, path2 = target as given
  Link = 16,       // handle, path -> handle2, path2
  SetMode = 17,    // path or handle, mode
  SetOwner = 18,   // path or handle, uid, gid (~0: keep)
  SetTimes = 19,   // path or handle, times[2]
  StatFs = 20,     // handle -> StatFsReply in the bounce buffer
  MakeNode = 22,   // path, mode with its type (FIFO, socket, regular, device), rdev
  Allocate = 23,   // handle, mode = FALLOC_FL_*, offset, length -> attr
  Seek = 24,       // handle, offset, mode = SEEK_DATA or SEEK_HOLE -> position
  // Extended attributes of a path or, where that is empty, a handle. path2 is the name: user.*,
  // security.capability or system.posix_acl_*; others answer as a file system without them.
  GetXattr = 25,     // length = room (0: only the size is asked) -> bytes, in the bounce buffer
  SetXattr = 26,     // `length` bytes of value behind path2; mode = XATTR_CREATE, XATTR_REPLACE
  ListXattr = 27,    // length = room -> bytes of names, each with its NUL
  RemoveXattr = 28,  // path2
  LinkHandle = 29,   // handle of a file -> handle2, path2: linkat(AT_EMPTY_PATH)
  SyncRange = 30,    // handle, offset, length, mode = SYNC_FILE_RANGE_*
  SyncFs = 31,       // handle: the file system it lies on
  CopyRange = 32,    // handle, offset -> handle2, offset2, length: bytes copied on the host
  // Attributes of many names of one directory (the path, or the handle): path2 is `length` names,
  // each with a NUL behind it. reply.count FileAttr at kAttributesOffset, in their order; mode 0
  // where there is none to tell (missing, a mount point). -ENOSYS: ask one by one.
  Lookup = 33,
  // Locks of an open handle. They never wait: -EAGAIN, and the guest asks again.
  RecordLock = 34,  // offset, length (0: to the end), mode = F_RDLCK, F_WRLCK, F_UNLCK; OFD locks
  TestLock = 35,    // the same -> what is in the way: reply.count = F_*, cookie = offset,
                    // attr.size = length (0: to the end)
  FileLock = 36,    // mode = LOCK_SH, LOCK_EX, LOCK_UN: flock
};

/// Where a reply's array of FileAttr begins in the bounce buffer, behind path and link target.
inline constexpr std::uint64_t kAttributesOffset = 8192;
inline constexpr std::uint32_t kMaxAttributes = 256;
/// Where the data of an Open with kReadAhead begins: behind attributes that are few enough.
inline constexpr std::uint64_t kDataOffset = 12288;
inline constexpr std::uint64_t kMaxReadAhead = kBounceSize - kDataOffset;

// RequestSlot::flags beside the O_* bits of Open (all above them).
inline constexpr std::uint32_t kReadAhead = 1U << 25;  // Open
// Walk, Open: the attributes of handle and of each component up to the last one that was found, in
// this order, at kAttributesOffset; reply.count of them. Paths of kMaxAttributes components or
// more: none.
inline constexpr std::uint32_t kAllAttributes = 1U << 26;
inline constexpr std::uint32_t kNoFollow = 1U << 27;
inline constexpr std::uint32_t kAppend = 1U << 28;
inline constexpr std::uint32_t kInjectWritable = 1U << 29;
inline constexpr std::uint32_t kDataOnly = 1U << 30;
inline constexpr std::uint32_t kRemoveDir = 1U << 31;
inline constexpr std::uint32_t kSecondPath = 1U << 31;  // in RequestReply::link_start

/// Handles below the number of granted trees name the trees' roots and are never closed.
using Handle = std::int32_t;

struct Timestamp {
  std::int64_t seconds;
  std::uint32_t nanoseconds;  // or UTIME_NOW, UTIME_OMIT in SetTimes
  std::uint32_t reserved;
};

struct FileAttr {
  std::uint64_t inode;
  std::uint64_t device;
  std::uint64_t size;
  std::uint64_t blocks;  // of 512 bytes
  std::uint32_t mode;    // type and permissions, st_mode
  std::uint32_t links;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint32_t rdev_major;
  std::uint32_t rdev_minor;
  std::uint32_t block_size;
  std::uint32_t attributes;       // STATX_ATTR_* that hold
  std::uint32_t attributes_mask;  // and which the file system knows
  std::uint32_t may_wait;         // of Open: 1: a network or a program is behind the file
  Timestamp accessed;
  Timestamp modified;
  Timestamp changed;
  Timestamp born;
};

/// The guest task's file credentials. The monitor limits them to the ceiling.
struct FsCredentials {
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint64_t capabilities;  // effective, bit n = CAP n
  std::uint32_t group_count;
  std::uint32_t reserved;
  std::array<std::uint32_t, kMaxGroups> groups;
};

struct RequestReply {
  std::int64_t result;  // >= 0, or -errno; the same number that the reserved call returns
  std::uint64_t cookie;
  std::uint32_t link_start;
  std::uint32_t link_end;
  std::uint32_t length;  // bytes in the bounce buffer
  std::uint32_t count;   // of attributes; ReadDir: 1 at the end
  FileAttr attr;
};

struct alignas(1024) RequestSlot {
  HostOp op;
  std::uint32_t flags;
  Handle handle;
  Handle handle2;
  std::int32_t slot;  // injection, kFdInjectedFirst..kFdInjectedLast, -1: none
  std::uint32_t mode;
  std::uint32_t path_length;
  std::uint32_t path2_length;
  std::uint64_t offset;
  std::uint64_t length;
  std::uint32_t uid;
  std::uint32_t gid;
  std::uint64_t offset2;
  std::uint32_t rdev_major;
  std::uint32_t rdev_minor;
  std::uint32_t masked;  // bits that the umask took from `mode` of what is made: a default ACL of
                         // the directory wants them back
  std::uint32_t reserved;
  std::array<Handle, 4> close;  // handles the guest is done with, closed on the way; 0: none
  std::array<Timestamp, 2> times;
  FsCredentials credentials;
  RequestReply reply;
};
static_assert(sizeof(RequestSlot) == 1024);

/// One entry of ReadDir, 8-byte aligned, `record_length` bytes to the next; the name follows.
struct DirRecord {
  std::uint64_t inode;
  std::uint64_t cookie;  // position behind this entry
  std::uint16_t record_length;
  std::uint16_t name_length;
  std::uint8_t type;  // DT_*
  std::uint8_t reserved[3];
};
static_assert(sizeof(DirRecord) == 24);

struct StatFsReply {
  std::uint64_t type, block_size, blocks, blocks_free, blocks_available, files, files_free;
  std::uint64_t name_length, fragment_size, flags;
};

// ---- the area
// ------------------------------------------------------------------------------------

enum EventBits : std::uint32_t {
  kEventStart = 1U << 0,    // release the container's process
  kEventSignal = 1U << 1,   // signals_pending changed
  kEventQuiesce = 1U << 2,  // come to rest (snapshots)
};

/// Facts about the host that the launcher found; the guest may read them once at boot.
struct LaunchInfo {
  std::uint64_t vvar_address, vvar_size;  // moved into the window; 0: absent
  std::uint64_t vdso_address, vdso_size;
  std::uint64_t hwcap, hwcap2, minsigstksz, clock_ticks;  // AT_HWCAP, AT_HWCAP2, ...
};

struct GuestStats {  // free-running counters for `runhl events --stats`
  std::uint64_t fast_syscalls, trapped_syscalls, rewritten_sites, reserved_calls, ring_entries;
  std::uint64_t unimplemented_syscalls, faults, ticks, context_switches, rewinds;
  std::array<std::uint32_t, 512> unimplemented;  // per syscall number
};

struct HostCallHeader {
  // Futex words. event_word: bumped by the monitor for completions and events; vCPU 0 idles on it.
  std::uint32_t event_word;
  std::uint32_t cell0_word;        // bumped to make cell 0 interrupt what runs
  std::uint32_t monitor_sleeping;  // 1: ring the doorbell after a submission
  std::uint32_t events;            // EventBits, set by the monitor, taken by the guest (atomic and)
  std::uint64_t signals_pending;   // bit n-1: signal n for the container's init
  std::uint64_t signals_for_all;   // the same for every process
  LaunchInfo launch;
  GuestStats stats;
};
static_assert(sizeof(HostCallHeader) <= 4096);

// Offsets in the host-call area.
inline constexpr std::uint64_t kHeaderOffset = 0;
inline constexpr std::uint64_t kRingsOffset = 0x1'0000;
inline constexpr std::uint64_t kRingStride = 0x2000;
inline constexpr std::uint64_t kSlotsOffset = 0x10'0000;
inline constexpr std::uint64_t kBounceOffset = 0x20'0000;
static_assert(sizeof(Ring) <= kRingStride);
static_assert(kRingsOffset + kMaxVcpus * kRingStride <= kSlotsOffset);
static_assert(kSlotsOffset + kRequestSlotCount * sizeof(RequestSlot) <= kBounceOffset);
static_assert(kBounceOffset + kRequestSlotCount * kBounceSize <= kHostCallAreaSize);

/// How much of the area is mapped (the rest is reserved).
inline constexpr std::uint64_t kHostCallMappedSize =
    kBounceOffset + kRequestSlotCount * kBounceSize;

}  // namespace runhl::abi
