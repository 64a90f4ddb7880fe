// SPDX-License-Identifier: Apache-2.0
// Mappings: what a forked child has of them, files beneath them, the break.
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include <array>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "syscall_test.h"

namespace {

constexpr std::size_t kPage = 4096;
constexpr int kReadWrite = PROT_READ | PROT_WRITE;

/// Unmaps itself.
class Mapping {
 public:
  Mapping(std::size_t size, int flags, int fd = -1, int protection = kReadWrite)
      : size_(size), at_(::mmap(nullptr, size, protection, flags, fd, 0)) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (valid()) {
      ::munmap(at_, size_);
    }
  }
  [[nodiscard]] bool valid() const { return at_ != MAP_FAILED; }
  [[nodiscard]] void* at() const { return at_; }
  char operator[](std::size_t index) const { return static_cast<volatile char*>(at_)[index]; }
  void set(std::size_t index, char value) const { static_cast<volatile char*>(at_)[index] = value; }

 private:
  std::size_t size_;
  void* at_;
};

constexpr int kPrivate = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr int kShared = MAP_SHARED | MAP_ANONYMOUS;

TEST(Memory, Shared_memory_is_one_with_a_child_private_memory_is_not) {
  const Mapping shared(2 * kPage, kShared);
  const Mapping own(kPage, kPrivate);
  ASSERT_TRUE(shared.valid() && own.valid());
  own.set(0, 1);
  const int status = in_child([&] {
    shared.set(kPage, 7);
    own.set(0, 2);
    return shared[0] == 0 && own[0] == 2 ? 0 : 1;
  });
  EXPECT_THAT(status, Exited(0));
  EXPECT_EQ(shared[kPage], 7);
  EXPECT_EQ(own[0], 1);
}

TEST(Memory, A_grandchild_shares_what_its_grandparent_mapped) {
  const Mapping shared(300 * kPage, kShared);
  const int status = in_child([&] {
    return in_child([&] {
             for (std::size_t page = 0; page < 300; ++page) {
               shared.set(page * kPage, static_cast<char>(page % 100 + 1));
             }
             return 0;
           }) == 0
               ? 0
               : 1;
  });
  EXPECT_THAT(status, Exited(0));
  for (std::size_t page = 0; page < 300; ++page) {
    ASSERT_EQ(shared[page * kPage], static_cast<char>(page % 100 + 1)) << page;
  }
}

TEST(Memory, A_child_lacks_what_was_not_to_be_forked) {
  const Mapping memory(3 * kPage, kPrivate);
  memory.set(0, 5);
  memory.set(kPage, 5);
  memory.set(2 * kPage, 5);
  ASSERT_THAT(::madvise(static_cast<char*>(memory.at()) + kPage, kPage, MADV_DONTFORK), Succeeds());
  EXPECT_THAT(in_child([&] { return memory[0] == 5 && memory[2 * kPage] == 5 ? 0 : 1; }),
              Exited(0));
  EXPECT_THAT(in_child([&] {
                std::signal(SIGSEGV, SIG_DFL);
                return static_cast<int>(memory[kPage]);
              }),
              DiedOf(SIGSEGV));
  ASSERT_THAT(::madvise(memory.at(), 3 * kPage, MADV_DOFORK), Succeeds());
  EXPECT_THAT(in_child([&] { return memory[kPage] == 5 ? 0 : 1; }), Exited(0));
}

TEST(Memory, A_child_finds_zeros_where_memory_was_to_be_wiped) {
  const Mapping memory(2 * kPage, kPrivate);
  memory.set(0, 5);
  memory.set(kPage, 5);
  ASSERT_THAT(::madvise(memory.at(), kPage, MADV_WIPEONFORK), Succeeds());
  EXPECT_THAT(in_child([&] { return memory[0] == 0 && memory[kPage] == 5 ? 0 : 1; }), Exited(0));
  EXPECT_EQ(memory[0], 5);
}

TEST(Memory, A_child_grows_and_moves_what_it_inherited) {
  Mapping memory(4 * kPage, kPrivate);
  memory.set(3 * kPage, 9);
  EXPECT_THAT(in_child([&] {
                void* at = memory.at();
                for (std::size_t pages = 4; pages < 512; pages *= 2) {
                  at = ::mremap(at, pages * kPage, 2 * pages * kPage, MREMAP_MAYMOVE);
                  if (at == MAP_FAILED || static_cast<char*>(at)[3 * kPage] != 9) {
                    return 1;
                  }
                  static_cast<char*>(at)[2 * pages * kPage - 1] = 1;
                }
                return 0;
              }),
              Exited(0));
  EXPECT_EQ(memory[3 * kPage], 9);
}

TEST(Memory, A_child_unlocks_what_its_parent_locked) {
  const Mapping memory(kPage, kPrivate);
  ASSERT_THAT(::mlock(memory.at(), kPage), Succeeds());
  EXPECT_THAT(::madvise(memory.at(), kPage, MADV_DONTNEED), FailsWith(EINVAL));
  EXPECT_THAT(in_child([&] { return ::madvise(memory.at(), kPage, MADV_DONTNEED); }), Exited(0));
}

TEST(Memory, The_break_moves_in_parent_and_child_by_themselves) {
  void* const before = ::sbrk(0);
  EXPECT_THAT(in_child([&] {
                return ::sbrk(10 * kPage) == before &&
                               ::sbrk(0) == static_cast<char*>(before) + 10 * kPage
                           ? 0
                           : 1;
              }),
              Exited(0));
  EXPECT_EQ(::sbrk(0), before);
}

class MemoryOfFiles : public FileTest {};
INSTANTIATE_ON_FILE_SYSTEMS(MemoryOfFiles);

TEST_P(MemoryOfFiles, A_child_writes_into_the_file_by_its_shared_mapping) {
  const Fd file = make_file("a", std::string(2 * kPage, 'a'));
  const Mapping mapping(2 * kPage, MAP_SHARED, file.get());
  ASSERT_TRUE(mapping.valid());
  EXPECT_THAT(in_child([&] {
                mapping.set(kPage + 1, 'b');
                return 0;
              }),
              Exited(0));
  EXPECT_EQ(mapping[kPage + 1], 'b');
  EXPECT_EQ(content_of(path("a"))[kPage + 1], 'b');
}

TEST_P(MemoryOfFiles, A_private_mapping_keeps_its_own_bytes) {
  const Fd file = make_file("a", std::string(kPage, 'a'));
  const Mapping mapping(kPage, MAP_PRIVATE, file.get());
  ASSERT_TRUE(mapping.valid());
  mapping.set(0, 'p');
  EXPECT_EQ(content_of(path("a"))[0], 'a');
  EXPECT_THAT(in_child([&] { return mapping[0] == 'p' && mapping[1] == 'a' ? 0 : 1; }), Exited(0));
}

TEST_P(MemoryOfFiles, A_mapping_outlives_its_descriptor_and_its_name) {
  Fd file = make_file("a", std::string(kPage, 'a'));
  const Mapping mapping(kPage, MAP_SHARED, file.get());
  file.reset();
  ASSERT_THAT(::unlink(path("a").c_str()), Succeeds());
  mapping.set(5, 'z');
  EXPECT_EQ(mapping[5], 'z');
  EXPECT_EQ(mapping[6], 'a');
}

TEST_P(MemoryOfFiles, A_descriptor_for_reading_alone_gives_no_writable_sharing) {
  {
    const Fd made = make_file("a", "hello");
  }
  const Fd file{::open(path("a").c_str(), O_RDONLY)};
  errno = 0;
  EXPECT_FALSE(Mapping(kPage, MAP_SHARED, file.get()).valid());
  EXPECT_EQ(errno, EACCES);
  EXPECT_TRUE(Mapping(kPage, MAP_PRIVATE, file.get()).valid());
  const Mapping shown(kPage, MAP_SHARED, file.get(), PROT_READ);
  ASSERT_TRUE(shown.valid());
  EXPECT_EQ(shown[4], 'o');
  EXPECT_THAT(::mprotect(shown.at(), kPage, kReadWrite), FailsWith(EACCES));
}

// ---- the ends of files -------------------------------------------------------------------------

struct Fault {
  int number = 0, code = 0;  // 0: none
  void* address = nullptr;
  friend bool operator==(const Fault&, const Fault&) = default;
};
sigjmp_buf g_after_fault;
Fault g_seen;

void on_fault(int number, siginfo_t* info, void*) {
  g_seen = {.number = number, .code = info->si_code, .address = info->si_addr};
  ::siglongjmp(g_after_fault, 1);
}

enum class Access : bool { Read, Write };

/// What an access to the byte ends in.
Fault touch(const Mapping& memory, std::size_t index, Access access = Access::Read) {
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  ::sigaction(SIGBUS, &action, nullptr);
  ::sigaction(SIGSEGV, &action, nullptr);
  g_seen = {};
  if (::sigsetjmp(g_after_fault, 1) == 0) {
    if (access == Access::Read) {
      (void)memory[index];
    } else {
      memory.set(index, 1);
    }
  }
  ::signal(SIGBUS, SIG_DFL);
  ::signal(SIGSEGV, SIG_DFL);
  return g_seen;
}

Fault bus_error(const Mapping& memory, std::size_t index) {
  return {.number = SIGBUS, .code = BUS_ADRERR, .address = static_cast<char*>(memory.at()) + index};
}
const Fault kNoFault;

class FileEnd : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    fd_ = make_file("file", std::string(2 * kPage + 100, 'a'));
  }
  Fd fd_;
};
INSTANTIATE_ON_FILE_SYSTEMS(FileEnd);

TEST_P(FileEnd, The_last_page_is_filled_with_zeros_and_the_next_is_a_bus_error) {
  for (const int flags : {MAP_SHARED, MAP_PRIVATE}) {
    for (const int protection : {PROT_READ, kReadWrite}) {
      const Mapping memory(5 * kPage, flags, fd_.get(), protection);
      ASSERT_TRUE(memory.valid());
      EXPECT_EQ(memory[2 * kPage + 99], 'a');
      EXPECT_EQ(memory[2 * kPage + 100], 0);
      EXPECT_EQ(memory[3 * kPage - 1], 0);
      EXPECT_EQ(touch(memory, 3 * kPage), bus_error(memory, 3 * kPage));
      EXPECT_EQ(touch(memory, 5 * kPage - 1), bus_error(memory, 5 * kPage - 1));
    }
    const Mapping writable(4 * kPage, flags, fd_.get());
    EXPECT_EQ(touch(writable, 3 * kPage, Access::Write), bus_error(writable, 3 * kPage));
  }
}

TEST_P(FileEnd, What_is_written_behind_the_end_is_not_in_the_file) {
  const Mapping memory(3 * kPage, MAP_SHARED, fd_.get());
  memory.set(2 * kPage + 100, 'x');
  char byte = 0;
  EXPECT_THAT(::pread(fd_.get(), &byte, 1, 2 * kPage + 100), SucceedsWith(0));
}

TEST_P(FileEnd, A_mapping_shows_what_the_file_grows_by) {
  const Mapping shared(6 * kPage, MAP_SHARED, fd_.get());
  const Mapping own(6 * kPage, MAP_PRIVATE, fd_.get());
  EXPECT_EQ(touch(shared, 4 * kPage), bus_error(shared, 4 * kPage));
  ASSERT_THAT(::pwrite(fd_.get(), "b", 1, 4 * kPage), SucceedsWith(1));
  EXPECT_EQ(shared[4 * kPage], 'b');
  EXPECT_EQ(own[4 * kPage], 'b');
  EXPECT_EQ(shared[3 * kPage], 0);
  EXPECT_EQ(touch(shared, 5 * kPage), bus_error(shared, 5 * kPage));
  ASSERT_THAT(::ftruncate(fd_.get(), 6 * kPage), Succeeds());
  EXPECT_EQ(touch(shared, 5 * kPage, Access::Write), kNoFault);
  EXPECT_EQ(touch(own, 5 * kPage, Access::Write), kNoFault);
}

TEST_P(FileEnd, Truncating_takes_pages_away_from_mappings) {
  const Mapping shared(3 * kPage, MAP_SHARED, fd_.get());
  const Mapping own(3 * kPage, MAP_PRIVATE, fd_.get());
  own.set(kPage, 'p');
  ASSERT_EQ(shared[kPage], 'a');
  ASSERT_THAT(::ftruncate(fd_.get(), 10), Succeeds());
  EXPECT_EQ(touch(shared, kPage), bus_error(shared, kPage));
  EXPECT_EQ(touch(own, kPage), bus_error(own, kPage)) << "a page of its own too";
  EXPECT_EQ(shared[9], 'a');
  EXPECT_EQ(shared[10], 0);
  ASSERT_THAT(::ftruncate(fd_.get(), 3 * kPage), Succeeds());
  EXPECT_EQ(touch(own, kPage), kNoFault);
  EXPECT_EQ(own[kPage], 0);
  EXPECT_EQ(shared[2 * kPage], 0);
}

TEST_P(FileEnd, Opening_to_truncate_does_so_too) {
  const Mapping shared(kPage, MAP_SHARED, fd_.get());
  ASSERT_EQ(shared[0], 'a');
  const Fd cut(::open(path("file").c_str(), O_WRONLY | O_TRUNC));
  ASSERT_THAT(cut.get(), Succeeds());
  EXPECT_EQ(touch(shared, 0), bus_error(shared, 0));
}

TEST_P(FileEnd, A_process_that_truncates_takes_pages_away_from_others) {
  const Mapping shared(3 * kPage, MAP_SHARED, fd_.get());
  ASSERT_EQ(shared[kPage], 'a');
  EXPECT_THAT(in_child([&] { return ::ftruncate(fd_.get(), 0); }), Exited(0));
  EXPECT_EQ(touch(shared, kPage), bus_error(shared, kPage));
  EXPECT_EQ(touch(shared, 0), bus_error(shared, 0));
}

TEST_P(FileEnd, Calls_fault_behind_the_end_and_not_where_the_file_has_grown) {
  const Mapping memory(6 * kPage, MAP_SHARED, fd_.get());
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const Fd from(ends[0]);
  const Fd to(ends[1]);
  char* const behind = static_cast<char*>(memory.at()) + 4 * kPage;
  EXPECT_THAT(::write(to.get(), behind, 1), FailsWith(EFAULT));
  ASSERT_THAT(::ftruncate(fd_.get(), 6 * kPage), Succeeds());
  EXPECT_THAT(::write(to.get(), behind, 1), SucceedsWith(1));
  EXPECT_THAT(::read(from.get(), behind + kPage, 1), SucceedsWith(1));
  ASSERT_THAT(::ftruncate(fd_.get(), kPage), Succeeds());
  EXPECT_THAT(::write(to.get(), behind, 1), FailsWith(EFAULT));
}

/// One character a page: x where it is in memory.
std::string pages_in_memory(const Mapping& memory, std::size_t count) {
  std::vector<unsigned char> pages(count, 0xff);
  EXPECT_THAT(::mincore(memory.at(), count * kPage, pages.data()), Succeeds());
  std::string text;
  for (const unsigned char page : pages) {
    text += (page & 1) != 0 ? 'x' : '-';
  }
  return text;
}

TEST(Memory, A_locked_mapping_that_grows_where_it_is_has_all_its_pages) {
  const Mapping memory(4 * kPage, kPrivate);
  ASSERT_THAT(::munmap(static_cast<char*>(memory.at()) + kPage, 3 * kPage), Succeeds());
  ASSERT_THAT(::mlock(memory.at(), kPage), Succeeds());
  ASSERT_EQ(::mremap(memory.at(), kPage, 4 * kPage, 0), memory.at());
  EXPECT_EQ(pages_in_memory(memory, 4), "xxxx");
}

TEST(Memory, A_move_that_shrinks_lets_go_of_what_lies_behind) {
  // Two mappings side by side: a page that can be read, three that can be written as well.
  for (const std::size_t kept : {std::size_t{1}, std::size_t{2}}) {
    const Mapping area(4 * kPage, kPrivate);
    const Mapping target(4 * kPage, kPrivate);
    area.set(0, 'a');
    auto* const from = static_cast<char*>(area.at());
    ASSERT_THAT(::mprotect(from, kPage, PROT_READ), Succeeds());
    void* const moved = ::mremap(from, 3 * kPage, kept * kPage, MREMAP_MAYMOVE | MREMAP_FIXED,
                                 static_cast<char*>(target.at()));
    if (kept == 2) {
      EXPECT_EQ(moved, MAP_FAILED);
      EXPECT_EQ(errno, EFAULT);
      continue;
    }
    ASSERT_EQ(moved, target.at());
    EXPECT_EQ(target[0], 'a');
    std::array<unsigned char, 4> resident{};
    EXPECT_THAT(::mincore(from, kPage, resident.data()), FailsWith(ENOMEM));
    EXPECT_THAT(::mincore(from + kPage, kPage, resident.data()), FailsWith(ENOMEM));
    EXPECT_THAT(::mincore(from + 3 * kPage, kPage, resident.data()), Succeeds());
  }
}

TEST_P(FileEnd, A_read_of_a_hole_stops_at_the_page_that_faults) {
  const Fd file = make_file("hole");
  ASSERT_THAT(::ftruncate(file.get(), 4 * kPage), Succeeds());
  const Mapping memory(3 * kPage, kPrivate);
  ASSERT_THAT(::mprotect(static_cast<char*>(memory.at()) + 2 * kPage, kPage, PROT_NONE),
              Succeeds());
  char* const to = static_cast<char*>(memory.at()) + kPage / 2;
  memory.set(kPage, 'x');
  EXPECT_THAT(::read(file.get(), to, 2 * kPage), SucceedsWith(kPage + kPage / 2));
  EXPECT_EQ(memory[kPage], '\0');
  const Fd zero{::open("/dev/zero", O_RDONLY)};
  EXPECT_THAT(::read(zero.get(), to, 2 * kPage), SucceedsWith(kPage + kPage / 2));
}

TEST(Memory, A_counter_is_read_whole_or_not_at_all) {
  const Fd event{::eventfd(7, EFD_NONBLOCK)};
  std::array<char, 8> bytes{};
  const std::array<iovec, 2> parts{{{bytes.data(), 4}, {bad_address(), 4}}};
  EXPECT_THAT(::readv(event.get(), parts.data(), 2), FailsWith(EFAULT));
}

TEST_P(FileEnd, A_write_takes_its_source_from_the_pages_that_it_adds) {
  for (const bool append : {false, true}) {
    const Fd file = make_file(append ? "b" : "a", std::string(kPage + 100, 'x'),
                              O_RDWR | (append ? O_APPEND : 0));
    const Mapping mapped(4 * kPage, MAP_SHARED, file.get());
    ASSERT_TRUE(mapped.valid());
    ASSERT_THAT(::lseek(file.get(), 0, SEEK_END), Succeeds());
    // From the last page on, into the next one, which is not there yet.
    EXPECT_THAT(::write(file.get(), static_cast<char*>(mapped.at()) + kPage, kPage + 300),
                SucceedsWith(kPage + 300));
    EXPECT_THAT(::lseek(file.get(), 0, SEEK_END), SucceedsWith(2 * kPage + 400));
    EXPECT_EQ(mapped[kPage + 150], 'x');
  }
}

TEST(Memory, Pages_are_in_memory_from_their_first_use_to_their_discard) {
  const Mapping memory(8 * kPage, kPrivate);
  ASSERT_THAT(::madvise(memory.at(), 8 * kPage, MADV_NOHUGEPAGE), Succeeds());
  EXPECT_EQ(pages_in_memory(memory, 8), "--------");
  memory.set(3 * kPage, 1);
  memory.set(7 * kPage + 9, 1);
  EXPECT_EQ(pages_in_memory(memory, 8), "---x---x");
  const int status = in_child([&] {
    memory.set(5 * kPage, 1);
    return pages_in_memory(memory, 8) == "---x-x-x" ? 0 : 1;
  });
  EXPECT_THAT(status, Exited(0));
  EXPECT_EQ(pages_in_memory(memory, 8), "---x---x");
  ASSERT_THAT(::madvise(static_cast<char*>(memory.at()) + 3 * kPage, kPage, MADV_DONTNEED),
              Succeeds());
  EXPECT_EQ(pages_in_memory(memory, 8), "-------x");
}

TEST(Memory, A_memory_file_ends_as_others_do) {
  const Fd fd(::memfd_create("memory", 0));
  const Mapping memory(4 * kPage, MAP_SHARED, fd.get());
  EXPECT_EQ(touch(memory, 0, Access::Write), bus_error(memory, 0));
  ASSERT_THAT(::ftruncate(fd.get(), 2 * kPage), Succeeds());
  EXPECT_EQ(touch(memory, 0, Access::Write), kNoFault);
  EXPECT_EQ(touch(memory, 2 * kPage), bus_error(memory, 2 * kPage));
  ASSERT_THAT(::ftruncate(fd.get(), 0), Succeeds());
  EXPECT_EQ(touch(memory, 0), bus_error(memory, 0));
}

}  // namespace
