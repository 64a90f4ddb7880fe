// SPDX-License-Identifier: Apache-2.0
#include "cell_fixture.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "runhl/base/event_loop.h"

namespace runhl::vmm {

namespace {

constexpr std::uint32_t kCeilingId = 1000;
constexpr std::uint32_t kCellUid = 0x7100'0000;  // beside the product's range

std::size_t count_descriptors() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    (void)entry;
    ++count;
  }
  return count;
}

void write_file(const std::filesystem::path& path, const char* text, mode_t mode) {
  std::ofstream(path) << text;
  ASSERT_EQ(::chmod(path.c_str(), mode), 0);
}

UniqueFd open_place(const std::filesystem::path& path) {
  return UniqueFd{::open(path.c_str(), O_PATH | O_CLOEXEC)};
}

struct Pipe {
  UniqueFd read, write;
};
Pipe make_pipe() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof(buffer))) > 0;) {
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

bool CellFixture::privileged() {
  return ::geteuid() == 0;
}

void CellFixture::SetUp() {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the thread sanitizer's memory lies in the window";
#endif
  std::string name = std::filesystem::temp_directory_path() / "runhl-hostile-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  directory_ = name;
  tree_ = directory_ / "tree";
  make_tree();
  descriptors_ = count_descriptors();
}

void CellFixture::TearDown() {
  if (directory_.empty()) {
    return;
  }
  EXPECT_EQ(count_descriptors(), descriptors_) << "a descriptor is left";
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG | __WALL), -1) << "a process is left";
  EXPECT_EQ(errno, ECHILD);
  // An attack may have changed them, or put another in their place.
  (void)::chmod(tree_.c_str(), 0755);
  (void)::chmod((tree_ / "file").c_str(), 0755);
  std::filesystem::remove_all(directory_);
}

void CellFixture::make_tree() {
  namespace fs = std::filesystem;
  for (const fs::path& path :
       {tree_, tree_ / "dir", outside(), directory_ / "volume", directory_ / "volume/dir"}) {
    ASSERT_TRUE(fs::create_directory(path));
    ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  }
  ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  write_file(tree_ / "file", "inside", 0666);
  write_file(tree_ / "dir/file", "inside", 0666);
  write_file(tree_ / "root-only", "root's", 0600);
  write_file(outside() / "file", "secret", 0666);
  write_file(directory_ / "volume/file", "inside", 0666);
  fs::create_symlink("file", tree_ / "link");
  fs::create_symlink("/", tree_ / "escape");
  fs::create_symlink("../..", tree_ / "dir/up");
  ASSERT_EQ(::mkfifo((tree_ / "fifo").c_str(), 0666), 0);
  // Without the privilege there is no device to try; the attack accepts that it is missing.
  (void)::mknod((tree_ / "device").c_str(), S_IFCHR | 0666, ::makedev(1, 5));
  make_places_of_others();
}

void CellFixture::make_places_of_others() {
  for (const auto& [name, mode] : {std::pair{"open", 0777}, std::pair{"sticky", 01777}}) {
    ASSERT_TRUE(std::filesystem::create_directory(tree_ / name));
    ASSERT_EQ(::chmod((tree_ / name).c_str(), static_cast<mode_t>(mode)), 0);
  }
  write_file(tree_ / "open/mine", "mine", 0644);
  write_file(tree_ / "open/only-mine", "mine", 0600);
  write_file(tree_ / "sticky/theirs", "theirs", 0666);
  if (privileged()) {
    for (const char* name : {"open/mine", "open/only-mine"}) {
      ASSERT_EQ(::chown((tree_ / name).c_str(), kCeilingId, kCeilingId), 0);
    }
  }
}

MachineSpec CellFixture::spec(std::vector<std::string> args) {
  MachineSpec spec;
  spec.id = "hostile";
  spec.process.args = std::move(args);
  spec.mounts.push_back({.target = "/", .source = "tree"});
  GrantedTree granted;
  granted.parent = open_place(directory_);
  granted.name = "tree";
  granted.root = open_place(tree_);
  spec.trees.push_back(std::move(granted));
  spec.proc_dir = open_place("/proc");
  if (privileged()) {
    spec.ceiling = {.uid = kCeilingId, .gid = kCeilingId, .groups = {}, .capabilities = 0};
    spec.cell_identity = {.uid = kCellUid, .gid = kCellUid, .own = true};
  } else {
    spec.ceiling = {.uid = ::geteuid(), .gid = ::getegid(), .groups = {}, .capabilities = 0};
    spec.cell_identity = {.uid = ::geteuid(), .gid = ::getegid(), .own = false};
  }
  spec.process.uid = spec.ceiling.uid;
  spec.process.gid = spec.ceiling.gid;
  return spec;
}

MachineSpec CellFixture::spec_with_volume(std::vector<std::string> args) {
  MachineSpec with = spec(std::move(args));
  GrantedTree volume;
  volume.parent = open_place(directory_);
  volume.name = "volume";
  volume.root = open_place(directory_ / "volume");
  volume.read_only = true;
  with.trees.push_back(std::move(volume));
  return with;
}

void CellFixture::start(Machine& machine) {
  EXPECT_TRUE(machine.start([](const Result<void>&) {}));
}

CellFixture::Outcome CellFixture::run(MachineSpec spec, const OnReady& on_ready) {
  Outcome outcome;
  Pipe input = make_pipe();
  Pipe output = make_pipe();
  spec.stdio.in = std::move(input.read);
  spec.stdio.out = std::move(output.write);
  auto loop = EventLoop::create();
  EXPECT_TRUE(loop);
  auto machine = cell::create(std::move(spec), hostile_kernel());
  if (!machine) {
    outcome.refused = std::move(machine).error();
    return outcome;
  }
  const auto booted = (*machine)->boot(
      *loop,
      [&](const Result<void>& result) {
        outcome.ready = result;
        if (result) {
          on_ready(**machine);
        }
      },
      [&](Exit exit) { outcome.exit = std::move(exit); });
  EXPECT_TRUE(booted) << booted.error().message;
  while (!outcome.exit && !(outcome.ready && !*outcome.ready)) {
    EXPECT_TRUE(loop->run_once(-1));
  }
  machine->reset();
  outcome.output = read_all(output.read.get());
  return outcome;
}

void CellFixture::expect_repelled_in(MachineSpec spec) {
  const Outcome outcome = run(std::move(spec), start);
  ASSERT_FALSE(outcome.refused) << outcome.refused->message;
  ASSERT_TRUE(outcome.ready);
  ASSERT_TRUE(*outcome.ready) << outcome.ready->error().message;
  ASSERT_TRUE(outcome.exit);
  EXPECT_EQ(outcome.exit->code, 0) << outcome.output << outcome.exit->report;
}

}  // namespace runhl::vmm
