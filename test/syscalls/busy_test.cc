// SPDX-License-Identifier: Apache-2.0
// A file is written to or runs as a program, not both (ETXTBSY).
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

#include "syscall_test.h"

namespace {

constexpr const char* kWaits = "BUSY_TEST_WAITS";
/// The program that the tests run is this one again.
const bool waits = [] {
  while (::getenv(kWaits) != nullptr) {
    ::pause();
  }
  return false;
}();

class Busy : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    std::ifstream from("/proc/self/exe", std::ios::binary);
    std::ofstream(path("program"), std::ios::binary) << from.rdbuf();
    ASSERT_THAT(::chmod(path("program").c_str(), 0755), Succeeds());
  }

  /// Runs it, listing its tests alone; 128 + errno where it cannot.
  [[nodiscard]] int run() const {
    const int status = in_child([this] {
      const std::string program = path("program");
      const Fd null{::open("/dev/null", O_WRONLY)};
      ::dup2(null.get(), 1);
      ::execl(program.c_str(), program.c_str(), "--gtest_list_tests", nullptr);
      return 128 + errno;
    });
    return WEXITSTATUS(status);
  }

  /// Starts it; it runs when this returns, until it is killed.
  [[nodiscard]] pid_t start() const {
    std::array<int, 2> ends{};
    EXPECT_THAT(::pipe2(ends.data(), O_CLOEXEC), Succeeds());
    const pid_t child = ::fork();
    if (child == 0) {
      const std::string program = path("program");
      ::setenv(kWaits, "1", 1);
      ::execl(program.c_str(), program.c_str(), nullptr);
      ::_exit(1);
    }
    ::close(ends[1]);
    char byte = 0;
    EXPECT_THAT(::read(ends[0], &byte, 1), SucceedsWith(0));  // closed by its exec
    ::close(ends[0]);
    return child;
  }
};
INSTANTIATE_ON_FILE_SYSTEMS(Busy);

TEST_P(Busy, What_is_open_for_writing_does_not_run) {
  EXPECT_EQ(run(), 0);
  Fd writer{::open(path("program").c_str(), O_WRONLY)};
  EXPECT_EQ(run(), 128 + ETXTBSY);
  Fd copy{::dup(writer.get())};
  writer.reset();
  EXPECT_EQ(run(), 128 + ETXTBSY);
  copy.reset();
  EXPECT_EQ(run(), 0);
}

TEST_P(Busy, Busy_is_said_before_what_the_file_is) {
  const Fd writer = make_file("text", "no program at all");
  ASSERT_THAT(::fchmod(writer.get(), 0755), Succeeds());
  const std::string name = path("text");
  std::array<char*, 2> arguments{const_cast<char*>(name.c_str()), nullptr};
  EXPECT_THAT(::execv(name.c_str(), arguments.data()), FailsWith(ETXTBSY));
  ASSERT_THAT(::fchmod(writer.get(), 0644), Succeeds());
  EXPECT_THAT(::execv(name.c_str(), arguments.data()), FailsWith(EACCES));
}

TEST_P(Busy, A_mapping_that_may_write_keeps_it_from_running) {
  Fd writer{::open(path("program").c_str(), O_RDWR)};
  void* const at = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, writer.get(), 0);
  ASSERT_NE(at, MAP_FAILED);
  writer.reset();
  EXPECT_EQ(run(), 128 + ETXTBSY);
  ::munmap(at, 4096);
  EXPECT_EQ(run(), 0);
}

TEST_P(Busy, What_runs_is_not_written_to) {
  const pid_t child = start();
  const std::string name = path("program");
  EXPECT_THAT(::open(name.c_str(), O_WRONLY), FailsWith(ETXTBSY));
  EXPECT_THAT(::open(name.c_str(), O_RDWR), FailsWith(ETXTBSY));
  EXPECT_THAT(::open(name.c_str(), O_WRONLY | O_TRUNC), FailsWith(ETXTBSY));
  EXPECT_THAT(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0755), FailsWith(ETXTBSY));
  EXPECT_THAT(::truncate(name.c_str(), 0), FailsWith(ETXTBSY));
  struct stat stat{};
  ASSERT_THAT(::stat(name.c_str(), &stat), Succeeds());
  EXPECT_GT(stat.st_size, 4096);
  EXPECT_EQ(run(), 0);  // many may run it
  EXPECT_THAT(::open(name.c_str(), O_WRONLY), FailsWith(ETXTBSY));
  Fd reader{::open(name.c_str(), O_RDONLY)};
  EXPECT_GE(reader.get(), 0);
  ::kill(child, SIGKILL);
  EXPECT_THAT(reap(child), DiedOf(SIGKILL));
  const Fd writer{::open(name.c_str(), O_WRONLY | O_TRUNC)};
  EXPECT_GE(writer.get(), 0);
}

TEST_P(Busy, Its_name_may_go_and_come_back_while_it_runs) {
  const pid_t child = start();
  const std::string name = path("program");
  EXPECT_THAT(::unlink(name.c_str()), Succeeds());
  const Fd fresh{::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0755)};
  EXPECT_GE(fresh.get(), 0);
  ::kill(child, SIGKILL);
  EXPECT_THAT(reap(child), DiedOf(SIGKILL));
}

TEST(BusyMemory, A_memory_file_counts_its_writers_from_their_second_open) {
  const Fd file{::memfd_create("program", MFD_CLOEXEC)};
  EXPECT_THAT(::write(file.get(), "#!/missing\n", 11), SucceedsWith(11));
  std::array<char*, 2> arguments{const_cast<char*>("x"), nullptr};
  const auto run = [&] { return ::fexecve(file.get(), arguments.data(), arguments.data() + 1); };
  EXPECT_THAT(run(), FailsWith(ENOENT));
  const std::string name = "/proc/self/fd/" + std::to_string(file.get());
  const Fd again{::open(name.c_str(), O_RDWR)};
  EXPECT_THAT(run(), FailsWith(ETXTBSY));
}

}  // namespace
