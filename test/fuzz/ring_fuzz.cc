// SPDX-License-Identifier: Apache-2.0
// What a hostile guest writes into the host-call area: request slots with their payload, and ring
// entries. The file service works on a directory of its own.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
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
    (void)::mkdir((directory + "/tree").c_str(), 0755);
    const UniqueFd file{::open((directory + "/tree/file").c_str(), O_CREAT | O_WRONLY, 0644)};
    (void)::symlink("/etc/passwd", (directory + "/tree/link").c_str());
  }

  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { std::filesystem::remove_all(directory); }

  fs::FileService files() const {
    GrantedTree tree;
    tree.parent.reset(::open(directory.c_str(), O_PATH | O_CLOEXEC));
    tree.name = "tree";
    tree.root.reset(::open((directory + "/tree").c_str(), O_PATH | O_CLOEXEC));
    tree.read_only = true;  // or each input would leave another world to the next one
    std::vector<GrantedTree> trees;
    trees.push_back(std::move(tree));
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

void try_requests(std::span<const std::uint8_t> input) {
  fs::FileService files = world().files();
  const cell::HostCallArea area(world().area);
  while (!input.empty()) {
    abi::RequestSlot request{};
    take(&input, &request, offsetof(abi::RequestSlot, reply));
    take(&input, area.bounce(0).data(), 64);
    // Most random lengths and handles end at the first check: small ones get further.
    request.op = static_cast<abi::HostOp>(static_cast<std::uint32_t>(request.op) % 48);
    request.path_length %= 80;
    request.path2_length %= 80;
    request.handle2 = static_cast<abi::Handle>(request.handle2 % 4);
    request.handle = static_cast<abi::Handle>(request.handle % 4);
    const fs::FileAnswer answer = files.handle(request, area.bounce(0));
    const bool injects = answer.inject_fd >= 0;
    if (injects && (answer.slot < abi::kFdInjectedFirst || answer.slot > abi::kFdInjectedLast)) {
      std::abort();
    }
    struct stat status{};
    if (injects && (::fstat(answer.inject_fd, &status) != 0 || !S_ISREG(status.st_mode))) {
      std::abort();
    }
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
