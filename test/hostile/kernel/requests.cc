// SPDX-License-Identifier: Apache-2.0
// Attacks on what the monitor parses: request slots, paths, ring entries. The tree (made by the
// test) holds
//   file       "inside"           0666      link     -> file
//   dir/file   "inside"           0666      escape   -> /
//   root-only  root's, 0600                 dir/up   -> ../..
//   fifo       a FIFO             device    /dev/zero's numbers, where mknod was permitted
// and beside it lies ../outside/file with "secret".
#include "kernel/attacks.h"
#include "kernel/file_calls.h"

namespace hostile {

namespace {

constexpr std::uint64_t kBounce = runhl::abi::kBounceSize;
constexpr std::int64_t kNotAnswered = -1234567;

}  // namespace

void bad_requests() {
  boot_done();
  for (std::uint64_t index = 64; index < 200; ++index) {
    check(reserved_call(index) == -EINVAL, "slot beyond the table", static_cast<int>(index));
  }
  for (const std::uint64_t index : {1ULL << 31, 1ULL << 32, (1ULL << 32) + 1, 1ULL << 63, ~0ULL}) {
    check(reserved_call(index) == -EINVAL, "slot beyond the table");
  }
  // Every operation with nonsense in every field: answered by the monitor, and no handle of it.
  for (std::uint32_t op = 0; op < 64; ++op) {
    for (const std::uint64_t value :
         {0ULL, 1ULL, ~0ULL, 0x8000'0000'8000'0000ULL, 0xffff'ffffULL}) {
      RequestSlot& out = request(1, HostOp{op}, "");
      const auto word = static_cast<std::uint32_t>(value);
      __builtin_memset(&out, static_cast<int>(value & 0xff), sizeof(out));
      out.op = HostOp{op};
      out.handle = static_cast<Handle>(word | 0x4000'0000);
      out.handle2 = static_cast<Handle>(word);
      out.path_length = word;
      out.path2_length = word;
      out.offset = value;
      out.length = value;
      out.reply.result = kNotAnswered;
      const std::int64_t result = reserved_call(1);
      check(result < 0, "nonsense succeeded", op);
      check(out.reply.result == result, "not the monitor's answer", op);
    }
  }
}

void bad_paths() {
  boot_done();
  check(walk("file") == 0, "the tree is not there");
  check(walk("dir/file") == 0, "the tree is not there");
  for (const char* path :
       {"..", "../outside/file", "dir/..", "dir/../file", "dir/../../outside/file", "/", "/file",
        "/etc/passwd", ".", "./file", "dir/./file", "dir//file", "file/", "dir/", "//"}) {
    check(walk(path) == -EINVAL, path, walk(path));
    check(open(path, O_RDONLY) == -EINVAL, path);
  }
  for (const char* path : {"escape/etc", "dir/up/outside/file", "link/x", "escape", "link"}) {
    check(walk(path) == -ELOOP, path, walk(path));
    check(open(path, O_RDONLY) == -ELOOP, path);
  }
  for (const std::uint32_t size : {4096U, 4097U, 65535U, 65536U, 65537U, 0x7fff'ffffU, ~0U}) {
    RequestSlot& out = request(0, HostOp::Open, "");
    __builtin_memset(bounce(0), 'a', kBounce);
    out.path_length = size;
    check(reserved_call(0) < 0, "a path beyond PATH_MAX", size);
    RequestSlot& two = request(0, HostOp::Rename, "file");
    two.path2_length = size;
    check(reserved_call(0) < 0, "a second path beyond PATH_MAX", size);
  }
  RequestSlot& nul = request(0, HostOp::Walk, "file");
  bounce(0)[4] = '\0';
  bounce(0)[5] = 'x';
  nul.path_length = 6;
  check(reserved_call(0) == -EINVAL, "a path with a NUL");
}

void bad_slots() {
  boot_done();
  const std::int64_t handle = open("file", O_RDWR);
  check(handle > 0, "open", handle);
  for (const std::int32_t place : {-2, 0, 1, 2, 3, 4, 5, 6, 7, 63, 1024, 1025, 65536, 0x7fff'ffff,
                                   static_cast<std::int32_t>(0x8000'0000)}) {
    check(inject(handle, place) == -EINVAL, "inject at", place);
    check(open("file", O_RDONLY, place) == -EINVAL, "open and inject at", place);
  }
  check(inject(handle, -1) == -EINVAL, "inject nowhere");
  for (const std::int32_t place : {64, 1023}) {
    check(inject(handle, place) == place, "inject", place);
    check(map(static_cast<std::uint64_t>(place), 1) > 0, "map", place);
    check(call(__NR_close, static_cast<std::uint64_t>(place)) == 0, "close", place);
  }
  check(map(runhl::abi::kFdKernelMemory, 3) > 0, "the kernel memory is gone");
}

void inject_what_is_no_file() {
  boot_done();
  const std::int64_t directory = open("dir", O_RDONLY | O_DIRECTORY);
  check(directory > 0, "open a directory", directory);
  check(inject(directory, 64) < 0, "a directory was injected");
  check(open("dir", O_RDONLY, 65) >= 0, "open a directory and inject");
  check(inject(0, 66) < 0, "a tree was injected");
  for (const char* path : {"fifo", "device"}) {
    const std::int64_t result = open(path, O_RDWR, 67);
    check(result == -ENXIO || result == -ENOENT, path, result);
  }
  for (std::uint64_t fd = 64; fd < 68; ++fd) {
    check(map(fd, 1) == -EBADF, "something was injected", static_cast<int>(fd));
  }
}

void writable_injection() {
  boot_done();
  const std::int64_t reader = open("file", O_RDONLY);
  check(inject(reader, 64, runhl::abi::kInjectWritable) < 0, "writable, but opened for reading");
  for (const std::uint32_t flags : {std::uint32_t{O_WRONLY}, std::uint32_t{O_PATH}}) {
    const std::int64_t handle = open("file", flags);
    check(handle > 0, "open", handle);
    check(inject(handle, 64) == -EACCES, "injected what cannot be read");
    check(inject(handle, 64, runhl::abi::kInjectWritable) == -EACCES, "the same, writable");
  }
  const std::int64_t writer = open("file", O_RDWR);
  check(inject(writer, 65) == 65, "inject for reading");
  for (const std::uint64_t fd : {65ULL}) {
    check(map(fd, 3) == -EACCES, "shared and writable", static_cast<int>(fd));
    check(map(fd, 1) > 0, "shared", static_cast<int>(fd));
    check(call(__NR_mprotect, runhl::abi::kFileWindows, 4096, 3) == -EACCES,
          "made writable afterwards");
  }
  check(inject(writer, 66, runhl::abi::kInjectWritable) == 66, "inject for writing");
  check(map(66, 3) > 0, "map for writing");
}

void forged_credentials() {
  boot_done();
  for (const std::uint32_t uid : {0U, 1000U, 4711U, ~0U}) {
    RequestSlot& out = request(0, HostOp::Open, "root-only");
    out.flags = O_RDWR;
    out.credentials.uid = uid;
    out.credentials.gid = 0;
    out.credentials.capabilities = ~0ULL;
    out.credentials.group_count = 1;
    out.credentials.groups[0] = 0;
    check(reserved_call(0) == -EACCES, "opened a file of root's as uid", uid);
    out.flags = O_RDONLY;
    check(reserved_call(0) == -EACCES, "read a file of root's as uid", uid);
    RequestSlot& owner = request(0, HostOp::SetOwner, "root-only");
    owner.credentials = slot(0).credentials;
    owner.credentials.uid = uid;
    owner.credentials.capabilities = ~0ULL;
    owner.uid = 1000;
    owner.gid = 1000;
    check(reserved_call(0) == -EPERM, "took a file of root's as uid", uid);
    RequestSlot& mode = request(0, HostOp::SetMode, "root-only");
    mode.credentials.uid = uid;
    mode.credentials.capabilities = ~0ULL;
    mode.mode = 0777;
    check(reserved_call(0) == -EPERM, "opened up a file of root's as uid", uid);
    RequestSlot& count = request(0, HostOp::Open, "root-only");
    count.credentials.group_count = ~0U;
    count.credentials.uid = uid;
    check(reserved_call(0) == -EACCES, "with impossible groups as uid", uid);
  }
}

namespace {

constinit std::uint32_t g_stop_flipping = 0;

/// A second host process that writes where the monitor reads.
void flip(std::uint64_t index) {
  auto& out = slot(static_cast<std::uint32_t>(index));
  char* const path = bounce(static_cast<std::uint32_t>(index));
  constexpr const char* kPaths[] = {"dir/file/x/x/xx", "../outside/file", "dir/../dir/file",
                                    "escape/etc/host"};
  std::uint32_t round = 0;
  while (__atomic_load_n(&g_stop_flipping, __ATOMIC_RELAXED) == 0) {
    ++round;
    __builtin_memcpy(path, kPaths[round / 64 % 4], 15);
    __atomic_store_n(&out.path_length, (round & 2) != 0 ? 15U : 8U, __ATOMIC_RELAXED);
    __atomic_store_n(&out.slot, (round & 4) != 0 ? 64 : 3, __ATOMIC_RELAXED);
    __atomic_store_n(&out.handle, (round & 8) != 0 ? 0 : 0x7fff'fff0, __ATOMIC_RELAXED);
    __atomic_store_n(&out.length, (round & 16) != 0 ? 6ULL : ~0ULL, __ATOMIC_RELAXED);
    __atomic_store_n(&out.credentials.group_count, (round & 32) != 0 ? 0U : ~0U, __ATOMIC_RELAXED);
  }
}

}  // namespace

void flip_while_read() {
  boot_done();
  constexpr std::uint32_t kSlot = 5;
  check(spawn(flip, kSlot) > 0, "clone");
  std::uint32_t opened = 0;
  // On a busy machine the other process may not run for long.
  for (int round = 0; round < 10'000 || (opened == 0 && round < 1'000'000); ++round) {
    RequestSlot& out = slot(kSlot);
    out.op = HostOp::Open;
    out.flags = O_RDONLY;
    out.credentials = config().credentials;
    const std::int64_t handle = reserved_call(kSlot);
    if (handle <= 0) {
      continue;
    }
    ++opened;
    RequestSlot& read = request(0, HostOp::Read, "");
    read.handle = static_cast<Handle>(handle);
    read.length = 6;
    if (reserved_call(0) == 6) {
      check(bounce(0)[0] == 'i', "read what lies outside the tree");
    }
    check(close(handle) == 0, "close");
  }
  __atomic_store_n(&g_stop_flipping, 1, __ATOMIC_RELAXED);
  check(opened > 0, "no open ever succeeded: nothing was tried");
  check(map(runhl::abi::kFdKernelMemory, 3) > 0, "the kernel memory is gone");
}

void flood_ring() {
  boot_done();
  wait_for_start();
  runhl::abi::Ring& queue = ring();
  for (std::uint32_t i = 0; i < runhl::abi::kRingEntries; ++i) {
    queue.submit[i] = {RingOp{i * 7}, i, i, ~i, ~0U, i, ~0ULL};
  }
  for (;;) {
    __atomic_fetch_add(&queue.submit_head, 0x1000'0001U, __ATOMIC_SEQ_CST);
    doorbell();
  }
}

namespace {

void call_nonsense(std::uint64_t index) {
  const auto own = static_cast<std::uint32_t>(index);
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    request(own, HostOp{i % 48}, "file").handle = static_cast<Handle>(i % 5);
    (void)reserved_call(own);
  }
}

}  // namespace

void flood_calls() {
  boot_done();
  for (std::uint64_t index = 1; index <= 4; ++index) {
    check(spawn(call_nonsense, index) > 0, "clone");
  }
  for (int i = 0; i < 4; ++i) {
    check(reap() == 0, "a flooding cell died");
  }
  check(walk("dir/file") == 0, "the monitor answers no more");
}

void bogus_entries() {
  boot_done();
  const RingEntry bogus[] = {
      {RingOp{0}, 11, 0, 0, 0, 0, 0},
      {RingOp{12}, 12, 0, 0, 0, 0, 0},
      {RingOp{~0U}, 13, 0, 0, 0, 0, 0},
      {RingOp::StreamWrite, 14, 3, 0, 1, 0, 0},
      {RingOp::StreamWrite, 15, ~0U, 0, 1, 0, 0},
      {RingOp::StreamWrite, 16, 1, 64, 1, 0, 0},
      {RingOp::StreamWrite, 17, 1, ~0U, 1, 0, 0},
      {RingOp::StreamRead, 18, 0, 63, 65537, 0, 0},
      {RingOp::StreamRead, 19, 0, 63, ~0U, 0, 0},
      {RingOp::Panic, 20, 0, 64, 64, 0, 0},
      {RingOp::Log, 21, 0, 0, 65537, 0, 0},
      {RingOp::BootDone, 22, 7, 0, 0, 0, 1},
      {RingOp::Started, 23, 0, 64, 1, 0, 1},
  };
  for (const RingEntry& entry : bogus) {
    submit(entry);
    const auto completion = wait_completion();
    check(completion.tag == entry.tag && completion.result == -EINVAL, "bogus entry",
          static_cast<int>(entry.tag));
  }
  // No completion of their own, and nothing to cancel.
  for (std::uint32_t tag = 0; tag < 64; ++tag) {
    submit({RingOp::Cancel, tag, 2, 0, 0, 0, ~0ULL});
  }
  submit({RingOp::BootDone, 0, 0, 0, 0, 0, 5});  // it has booted already
  submit({RingOp::Started, 0, 0, 0, 0, 0, 5});   // nobody waits for that
  submit({RingOp::StreamClose, 0, 2, 0, 0, 0, 0});
  submit({RingOp::StreamClose, 0, 2, 0, 0, 0, 0});
  submit({RingOp::StreamWrite, 99, 2, 0, 5, 0, 0});
  const auto closed = wait_completion();
  check(closed.tag == 99 && closed.result == -EBADF, "write to a closed stream", closed.result);
  // The same tag twice, then cancelled once each.
  submit({RingOp::StreamRead, 7, 0, 1, 1, 0, 0});
  submit({RingOp::StreamRead, 7, 0, 2, 1, 0, 0});
  submit({RingOp::Cancel, 7, 0, 0, 0, 0, 0});
  submit({RingOp::Cancel, 7, 0, 0, 0, 0, 0});
  for (int i = 0; i < 2; ++i) {
    const auto cancelled = wait_completion();
    check(cancelled.tag == 7 && cancelled.result == -EINTR, "cancel", cancelled.result);
  }
  // More unfinished requests than the ring has room for completions.
  for (std::uint32_t i = 0; i < 2 * runhl::abi::kRingEntries; ++i) {
    submit({RingOp::StreamRead, 1000 + i, 0, 1, 1, 0, 0});
    while (ring().submit_taken + 8 < ring().submit_head) {
      doorbell();
    }
  }
  const auto refused = wait_completion();
  check(refused.result == -EBUSY, "unbounded requests", refused.result);
}

}  // namespace hostile
