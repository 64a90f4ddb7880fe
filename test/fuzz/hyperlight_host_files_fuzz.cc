// SPDX-License-Identifier: Apache-2.0
// Operations of an upstream guest on a directory of the host's: one a line of the input, a letter,
// then names. What lies beside the directory is neither read nor changed.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "hyperlight/host_files.h"
#include "runhl/base/file_io.h"

namespace {

using namespace runhl;
using namespace runhl::vmm::hyperlight;

constexpr std::string_view kSecret = "this is a secret of the host's";

struct World {
  std::string top = "/tmp/runhl-fuzz-XXXXXX";
  UniqueFd granted;
  std::unique_ptr<HostFiles> files;

  World() {
    const rlimit small{1 << 20, 1 << 20};
    (void)::setrlimit(RLIMIT_FSIZE, &small);
    (void)::signal(SIGXFSZ, SIG_IGN);
    if (::mkdtemp(top.data()) == nullptr) {
      std::abort();
    }
    std::ofstream(top + "/secret") << kSecret;
    fill();
  }
  ~World() { std::filesystem::remove_all(top); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  World(World&&) = delete;
  World& operator=(World&&) = delete;

  void fill() {
    std::filesystem::remove_all(top + "/granted");
    std::filesystem::create_directories(top + "/granted/d");
    std::filesystem::create_symlink("../secret", top + "/granted/u");
    std::filesystem::create_symlink("..", top + "/granted/p");
    std::filesystem::create_symlink("d", top + "/granted/l");
    std::ofstream(top + "/granted/f") << "text";
    granted.reset(::open((top + "/granted").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    files = std::make_unique<HostFiles>(
        std::vector<HostMount>{{granted.get(), "/data", false}, {granted.get(), "/ro", true}},
        StatFormat::Times);
  }
};

void must_not_tell(const Bytes& reply) {
  if (as_text(reply).find(kSecret) != std::string_view::npos) {
    std::abort();
  }
}

void perform(const HostFiles& files, std::string_view line) {
  if (line.size() < 2) {
    return;
  }
  const int mount = line[1] % 3;
  const std::size_t split = std::min(line.find('\t', 2), line.size());
  const std::string path(line.substr(2, split - 2));
  const std::string other(line.substr(std::min(split + 1, line.size())));
  const auto number = static_cast<std::uint64_t>(other.size());
  switch (line[0] % 13) {
    case 0:
      return must_not_tell(files.read(mount, path, 0, 100));
    case 1:
      return must_not_tell(files.list(mount, path));
    case 2:
      return must_not_tell(files.stat(mount, path));
    case 3:
      return must_not_tell(files.read_link(mount, path));
    case 4:
      return (void)files.write(mount, path, number, false, Bytes(3));
    case 5:
      return (void)files.write(mount, path, 0, true, Bytes(3));
    case 6:
      return (void)files.truncate(mount, path, number);
    case 7:
      return (void)files.make_directory(mount, path);
    case 8:
      return (void)files.unlink(mount, path);
    case 9:
      return (void)files.rename(mount, path, other);
    case 10:
      return (void)files.link(mount, path, other);
    case 11:
      return (void)files.make_symlink(mount, path, other);
    default:
      return (void)files.change_mode(mount, path, 0755);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  world.fill();
  std::string_view input(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 2000));
  if (input.find(kSecret) != std::string_view::npos) {
    return 0;  // the fuzzer learns the text from the comparisons below: no name of its own tells it
  }
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    perform(*world.files, input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  std::ifstream secret(world.top + "/secret");
  const std::string text{std::istreambuf_iterator<char>(secret), {}};
  const auto beside = std::distance(std::filesystem::directory_iterator(world.top), {});
  if (text != kSecret || beside != 2) {
    std::abort();
  }
  return 0;
}
