// SPDX-License-Identifier: Apache-2.0
// Mappings: what a forked child has of them, files beneath them, the break.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include <array>
#include <csignal>
#include <cstring>

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

}  // namespace
