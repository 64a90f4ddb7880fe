// SPDX-License-Identifier: Apache-2.0
// execveat: programs named by a descriptor, or relative to one.
#include <sys/mman.h>
#include <sys/syscall.h>

#include <array>

#include "syscall_test.h"

namespace {

/// execveat of "sh -c SCRIPT" in a child: its wait status; the errno where it could not run.
int run(int dirfd, const char* path, int flags, const char* script = "exit 7") {
  return in_child([&] {
    std::array<const char*, 4> arguments{"sh", "-c", script, nullptr};
    std::array<const char*, 1> environment{nullptr};
    ::syscall(SYS_execveat, dirfd, path, arguments.data(), environment.data(), flags);
    return errno;
  });
}

Fd open_program(int flags = O_RDONLY | O_CLOEXEC) {
  return Fd(::open("/bin/busybox", flags));
}

class Execveat : public FileTest {
 protected:
  Fd make_script() {
    Fd made = make_file("script", "#!/bin/sh\necho \"$0\" >" + path("name") + "\nexit 5\n");
    EXPECT_THAT(::fchmod(made.get(), 0755), Succeeds());
    return Fd(::open(path("script").c_str(), O_RDONLY));
  }
};
INSTANTIATE_ON_FILE_SYSTEMS(Execveat);

TEST(ExecveatProgram, Runs_what_a_descriptor_stands_for) {
  EXPECT_THAT(run(open_program().get(), "", AT_EMPTY_PATH), Exited(7));
  EXPECT_THAT(run(open_program(O_PATH | O_CLOEXEC).get(), "", AT_EMPTY_PATH), Exited(7));
}

TEST(ExecveatProgram, Runs_a_program_that_has_no_name) {
  const Fd memory(::memfd_create("program", MFD_CLOEXEC));
  const Fd program = open_program();
  std::array<char, 65536> block;
  for (ssize_t got = 0; (got = ::read(program.get(), block.data(), block.size())) > 0;) {
    ASSERT_THAT(::write(memory.get(), block.data(), static_cast<std::size_t>(got)),
                SucceedsWith(got));
  }
  EXPECT_THAT(run(memory.get(), "", AT_EMPTY_PATH), Exited(7));
}

TEST(ExecveatProgram, Names_are_relative_to_the_directory) {
  const Fd bin(::open("/bin", O_PATH | O_DIRECTORY));
  EXPECT_THAT(run(bin.get(), "busybox", 0), Exited(7));
  EXPECT_THAT(run(bin.get(), "/bin/busybox", 0), Exited(7));
  EXPECT_THAT(run(-1, "/bin/busybox", 0), Exited(7));
  EXPECT_THAT(run(-1, "busybox", 0), Exited(EBADF));
  EXPECT_THAT(run(bin.get(), "nothing", AT_EMPTY_PATH), Exited(ENOENT));
}

TEST(ExecveatProgram, Refuses_what_cannot_be_one) {
  EXPECT_THAT(run(open_program().get(), "", 0), Exited(ENOENT));
  EXPECT_THAT(run(AT_FDCWD, "/bin/busybox", 0x100000), Exited(EINVAL));
  EXPECT_THAT(run(-1, "", AT_EMPTY_PATH), Exited(EBADF));
  const Fd directory(::open("/bin", O_RDONLY));
  EXPECT_THAT(run(directory.get(), "", AT_EMPTY_PATH), Exited(EACCES));
  std::array<int, 2> pipe{};
  ASSERT_THAT(::pipe(pipe.data()), Succeeds());
  const Fd reader(pipe[0]);
  const Fd writer(pipe[1]);
  EXPECT_THAT(run(reader.get(), "", AT_EMPTY_PATH), Exited(EACCES));
}

TEST_P(Execveat, Follows_a_symlink_unless_told_not_to) {
  ASSERT_THAT(::symlink("/bin/busybox", path("link").c_str()), Succeeds());
  const Fd here(::open(path().c_str(), O_PATH | O_DIRECTORY));
  EXPECT_THAT(run(here.get(), "link", 0), Exited(7));
  EXPECT_THAT(run(here.get(), "link", AT_SYMLINK_NOFOLLOW), Exited(ELOOP));
  EXPECT_THAT(run(AT_FDCWD, "/bin/busybox", AT_SYMLINK_NOFOLLOW), Exited(7));
}

TEST_P(Execveat, A_script_is_told_the_descriptor_it_came_from) {
  const Fd script = make_script();
  EXPECT_THAT(run(script.get(), "", AT_EMPTY_PATH), Exited(5));
  EXPECT_EQ(content_of(path("name")), "/dev/fd/" + std::to_string(script.get()) + "\n");
  const Fd here(::open(path().c_str(), O_PATH | O_DIRECTORY));
  EXPECT_THAT(run(here.get(), "script", 0), Exited(5));
  EXPECT_EQ(content_of(path("name")), "/dev/fd/" + std::to_string(here.get()) + "/script\n");
}

TEST_P(Execveat, A_script_whose_descriptor_will_be_closed_cannot_run) {
  const Fd script = make_script();
  ASSERT_THAT(::fcntl(script.get(), F_SETFD, FD_CLOEXEC), Succeeds());
  EXPECT_THAT(run(script.get(), "", AT_EMPTY_PATH), Exited(ENOENT));
  EXPECT_THAT(run(AT_FDCWD, path("script").c_str(), 0), Exited(5));
}

}  // namespace
