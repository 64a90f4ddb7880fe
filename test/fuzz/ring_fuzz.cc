// SPDX-License-Identifier: Apache-2.0
// What a hostile guest writes into the host-call area: request slots with their payload, and ring
// entries. The file service works on a directory of its own.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cell/ring_server.h"
#include "fs/file_service.h"

namespace {

using namespace runhl;
using namespace runhl::vmm;

struct World {
  std::string directory = "/tmp/runhl-fuzz-XXXXXX";
  alignas(4096) std::array<std::byte, abi::kHostCallMappedSize> area{};
  UniqueFd doorbell{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};

  World() {
    if (::mkdtemp(directory.data()) == nullptr) {
      std::abort();
    }
    // What is written stays small, whatever size is asked for.
    const rlimit small{1 << 20, 1 << 20};
    (void)::setrlimit(RLIMIT_FSIZE, &small);
    (void)::signal(SIGXFSZ, SIG_IGN);
    (void)::umask(0);
    make_tree("tree");
    make_tree("scratch");
  }

  void make_tree(const std::string& name) const {
    const std::string tree = directory + '/' + name;
    (void)::mkdir(tree.c_str(), 0755);
    (void)::mkdir((tree + "/dir").c_str(), 0755);
    const UniqueFd file{::open((tree + "/file").c_str(), O_CREAT | O_WRONLY, 0644)};
    (void)!::write(file.get(), "inside", 6);
    (void)::symlink("/etc/passwd", (tree + "/link").c_str());
  }

  /// Directories may have lost their owner's bits, and this process the right to ignore them.
  static void remove_tree(const std::filesystem::path& tree) {
    std::error_code ignored;
    std::filesystem::permissions(tree, std::filesystem::perms::owner_all, ignored);
    for (const auto& entry : std::filesystem::directory_iterator(tree, ignored)) {
      if (entry.symlink_status(ignored).type() == std::filesystem::file_type::directory) {
        remove_tree(entry.path());
      }
    }
    std::filesystem::remove_all(tree, ignored);
  }

  /// Or each input would leave another world to the next one.
  void restore_scratch() const {
    remove_tree(directory + "/scratch");
    make_tree("scratch");
  }

  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { remove_tree(directory); }

  GrantedTree tree(const char* name, bool read_only) const {
    GrantedTree tree;
    tree.parent.reset(::open(directory.c_str(), O_PATH | O_CLOEXEC));
    tree.name = name;
    tree.root.reset(::open((directory + '/' + name).c_str(), O_PATH | O_CLOEXEC));
    tree.read_only = read_only;
    return tree;
  }

  std::unique_ptr<fs::FileService> files() const {
    std::vector<GrantedTree> trees;
    trees.push_back(tree("tree", true));
    trees.push_back(tree("scratch", false));
    Ceiling ceiling;
    ceiling.uid = ::geteuid();
    ceiling.gid = ::getegid();
    auto service = fs::FileService::create(std::move(trees), ceiling);
    if (!service) {
      std::abort();
    }
    return std::move(*service);
  }
};

World& world() {
  static World instance;
  return instance;
}

/// Takes the next `size` bytes, zeroes where there are no more.
void take(std::span<const std::uint8_t>* input, void* out, std::size_t size) {
  const std::size_t have = std::min(size, input->size());
  std::memset(out, 0, size);
  std::memcpy(out, input->data(), have);
  *input = input->subspan(have);
}

/// A request that gets somewhere, to be made worse. Handle 1 is the tree that may be written, 2 and
/// above are what was opened before.
struct Seed {
  abi::HostOp op;
  abi::Handle handle, handle2;
  std::uint32_t flags, mode;
  std::uint64_t length;
  std::string_view path, second;
};
constexpr std::uint32_t kRequestSize = offsetof(abi::RequestSlot, reply);
constexpr std::uint32_t kTextSize = 64;
using namespace std::string_view_literals;
using abi::HostOp;
constexpr Seed kSeeds[] = {
    {HostOp::Open, 1, 0, O_RDWR, 0, 0, "file"sv, ""sv},
    {HostOp::Open, 1, 0, O_TMPFILE | O_RDWR, 0600, 0, "dir"sv, ""sv},
    {HostOp::Open, 1, 0, O_RDWR | O_CREAT | O_EXCL, 0600, 0, "dir/new"sv, ""sv},
    {HostOp::Open, 1, 0, O_RDONLY | O_DIRECTORY | abi::kAllAttributes, 0, 0, "dir"sv, ""sv},
    {HostOp::Walk, 0, 0, abi::kAllAttributes, 0, 0, "dir"sv, ""sv},
    {HostOp::Read, 2, 0, 0, 0, 6, ""sv, ""sv},
    {HostOp::Write, 2, 0, abi::kAppend, 0, 6, "inside"sv, ""sv},
    {HostOp::ReadDir, 2, 0, 0, 0, 4096, ""sv, ""sv},
    {HostOp::Inject, 2, 0, abi::kInjectWritable, 0, 0, ""sv, ""sv},
    {HostOp::Truncate, 2, 0, 0, 0, 4096, ""sv, ""sv},
    {HostOp::Sync, 2, 0, abi::kDataOnly, 0, 0, ""sv, ""sv},
    {HostOp::StatFs, 2, 0, 0, 0, 0, ""sv, ""sv},
    {HostOp::MakeDir, 1, 0, 0, 0700, 0, "dir/sub"sv, ""sv},
    {HostOp::Unlink, 1, 0, 0, 0, 0, "file"sv, ""sv},
    {HostOp::Rename, 1, 1, 0, 0, 0, "file"sv, "dir/file"sv},
    {HostOp::Link, 1, 1, 0, 0, 0, "file"sv, "dir/file"sv},
    {HostOp::LinkHandle, 2, 1, 0, 0, 0, ""sv, "dir/file"sv},
    {HostOp::Symlink, 1, 0, 0, 0, 0, "dir/link"sv, "../file"sv},
    {HostOp::ReadLink, 0, 0, 0, 0, 0, "link"sv, ""sv},
    {HostOp::SetMode, 1, 0, 0, 0640, 0, "file"sv, ""sv},
    {HostOp::SetOwner, 1, 0, 0, 0, 0, "file"sv, ""sv},
    {HostOp::SetTimes, 1, 0, 0, 0, 0, "file"sv, ""sv},
    {HostOp::MakeNode, 1, 0, 0, S_IFIFO | 0600, 0, "dir/fifo"sv, ""sv},
    {HostOp::MakeNode, 1, 0, 0, S_IFCHR | 0600, 0, "dir/device"sv, ""sv},
    {HostOp::Allocate, 2, 0, 0, 0, 4096, ""sv, ""sv},
    {HostOp::Seek, 2, 0, 0, SEEK_HOLE, 0, ""sv, ""sv},
    {HostOp::GetXattr, 1, 0, 0, 0, 64, "file"sv, "user.a"sv},
    {HostOp::SetXattr, 1, 0, 0, 0, 4, "file"sv, "user.a"sv},
    {HostOp::SetXattr, 2, 0, 0, 0, 4, ""sv, "trusted.a"sv},
    {HostOp::ListXattr, 1, 0, 0, 0, 64, "file"sv, ""sv},
    {HostOp::RemoveXattr, 1, 0, 0, 0, 0, "file"sv, "user.a"sv},
    {HostOp::SyncRange, 2, 0, 0, 0, 4096, ""sv, ""sv},
    {HostOp::CopyRange, 2, 3, 0, 0, 4096, ""sv, ""sv},
    {HostOp::Lookup, 1, 0, 0, 0, 2, "dir"sv, "file\0link\0"sv},
    {HostOp::RecordLock, 2, 0, 0, F_WRLCK, 10, ""sv, ""sv},
    {HostOp::TestLock, 2, 0, 0, F_RDLCK, 10, ""sv, ""sv},
    {HostOp::FileLock, 2, 0, 0, LOCK_EX, 0, ""sv, ""sv},
};

void write_seed(const Seed& seed, std::span<std::uint8_t> out) {
  abi::RequestSlot request{};
  request.op = seed.op;
  request.handle = seed.handle;
  request.handle2 = seed.handle2;
  request.flags = seed.flags;
  request.mode = seed.mode;
  request.length = seed.length;
  request.slot = abi::kFdInjectedFirst;
  request.path_length = static_cast<std::uint32_t>(seed.path.size());
  request.path2_length = static_cast<std::uint32_t>(seed.second.size());
  request.credentials.uid = ::geteuid();
  request.credentials.gid = ::getegid();
  std::memcpy(out.data(), &request, kRequestSize);
  std::uint8_t* const text = out.data() + kRequestSize;
  std::memset(text, 0, kTextSize);
  std::memcpy(text, seed.path.data(), seed.path.size());
  std::memcpy(text + seed.path.size(), seed.second.data(), seed.second.size());
}

/// Whether the scratch tree may be another one afterwards.
bool changes(abi::HostOp op) {
  using enum abi::HostOp;
  constexpr abi::HostOp kChanges[] = {
      Open,     Write,    Truncate, MakeDir,  Unlink,   Rename,      Symlink,    Link,     SetMode,
      SetOwner, SetTimes, MakeNode, Allocate, SetXattr, RemoveXattr, LinkHandle, CopyRange};
  return std::find(std::begin(kChanges), std::end(kChanges), op) != std::end(kChanges);
}

void try_requests(std::span<const std::uint8_t> input) {
  bool changed = false;
  const std::unique_ptr<fs::FileService> files = world().files();
  fs::OperationCredentials credentials = files->credentials();
  const cell::HostCallArea area(world().area);
  while (!input.empty()) {
    abi::RequestSlot request{};
    take(&input, &request, kRequestSize);
    take(&input, area.bounce(0).data(), kTextSize);
    // Most random lengths and handles end at the first check: small ones get further.
    request.op = static_cast<abi::HostOp>(static_cast<std::uint32_t>(request.op) % 48);
    request.path_length %= 80;
    request.path2_length %= 80;
    request.handle2 = static_cast<abi::Handle>(request.handle2 % 6);
    request.handle = static_cast<abi::Handle>(request.handle % 6);
    const fs::FileAnswer answer = files->handle(request, area.bounce(0), credentials);
    changed = changed || (answer.reply.result >= 0 && changes(request.op));
    const bool injects = answer.inject_fd >= 0;
    if (injects && (answer.slot < abi::kFdInjectedFirst || answer.slot > abi::kFdInjectedLast)) {
      std::abort();
    }
    struct stat status{};
    if (injects && (::fstat(answer.inject_fd, &status) != 0 || !S_ISREG(status.st_mode))) {
      std::abort();
    }
  }
  if (changed) {
    world().restore_scratch();
  }
}

void try_ring(std::span<const std::uint8_t> input) {
  const cell::HostCallArea area(world().area);
  abi::Ring& ring = area.ring(0);
  take(&input, &ring, sizeof(ring));
  cell::RingServer server(area, world().doorbell.get(), 1);
  std::size_t taken = 0;
  server.serve([&](std::uint32_t, const abi::RingEntry& entry) {
    ++taken;
    if (entry.stream > 2 || entry.bounce >= abi::kRequestSlotCount ||
        entry.length > abi::kBounceSize) {
      std::abort();
    }
  });
  if (taken > abi::kRingEntries) {
    std::abort();
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

/// Random bytes hardly ever make a request: every other step puts a sound one behind the others.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  constexpr std::size_t kSize = kRequestSize + kTextSize;
  std::minstd_rand random(seed);
  const bool appends = random() % 2 == 0 && size > 0 && (data[0] & 1) == 0;
  const std::size_t at = size == 0 ? 1 : 1 + (size - 1) / kSize * kSize;
  if (!appends || at + kSize > max_size) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  write_seed(kSeeds[random() % std::size(kSeeds)], {data + at, kSize});
  return at + kSize;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::span<const std::uint8_t> input(data + 1, size - 1);
  if ((data[0] & 1) != 0) {
    try_ring(input);
  } else {
    try_requests(input);
  }
  return 0;
}
