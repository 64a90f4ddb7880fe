// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/hyperlight/rootfs_archive.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::hyperlight {
namespace {

using ::testing::HasSubstr;

void pad(std::string* archive) {
  archive->resize((archive->size() + 3) / 4 * 4);
}

void add(std::string* archive, unsigned mode, const std::string& name, const std::string& data) {
  std::array<char, 111> header{};
  (void)std::snprintf(header.data(), header.size(),
                      "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1, mode, 0, 0,
                      1, 0, data.size(), 0, 0, 0, 0, name.size() + 1, 0);
  archive->append(header.data(), 110).append(name).push_back('\0');
  pad(archive);
  archive->append(data);
  pad(archive);
}

std::string program(unsigned type, unsigned machine) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_type = static_cast<Elf64_Half>(type);
  header.e_machine = static_cast<Elf64_Half>(machine);
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

std::string good_archive() {
  std::string archive;
  add(&archive, 0040755, "usr", "");
  add(&archive, 0040755, "usr/bin", "");
  add(&archive, 0100755, "usr/bin/hello", program(ET_DYN, EM_X86_64));
  add(&archive, 0100755, "./usr/bin/old", program(ET_EXEC, EM_X86_64));
  add(&archive, 0100755, "usr/bin/arm", program(ET_DYN, EM_AARCH64));
  add(&archive, 0100755, "usr/bin/script", std::string(100, '#'));
  add(&archive, 0120777, "bin", "usr/bin");
  add(&archive, 0120777, "usr/bin/hi", "../bin/hello");
  add(&archive, 0120777, "usr/abs", "/bin/hello");
  add(&archive, 0120777, "loop", "loop");
  add(&archive, 0, "TRAILER!!!", "");
  return archive;
}

class RootfsArchiveTest : public ::testing::Test {
 protected:
  Result<RootfsArchive> open(const std::string& bytes) {
    fd_.reset(::memfd_create("archive", MFD_CLOEXEC));
    EXPECT_TRUE(write_all(fd_.get(), bytes, "archive"));
    return RootfsArchive::open(fd_.get(), bytes.size());
  }
  std::string error(const std::string& bytes) {
    const auto archive = open(bytes);
    return archive ? "none" : archive.error().message;
  }
  UniqueFd fd_;
};

TEST_F(RootfsArchiveTest, Finds_programs_also_behind_links) {
  const auto archive = open(good_archive());
  ASSERT_TRUE(archive) << archive.error().message;
  for (const char* path : {"/usr/bin/hello", "usr/bin/hello", "/bin/hello", "/bin/hi", "/usr/abs",
                           "/usr//bin/./hello", "/usr/bin/../bin/hello", "/../bin/hello"}) {
    const Result<void> found = archive->check_program(path);
    EXPECT_TRUE(found) << path << ": " << found.error().message;
  }
}

TEST_F(RootfsArchiveTest, Tells_missing_programs_from_unloadable_ones) {
  const auto archive = open(good_archive());
  ASSERT_TRUE(archive);
  for (const char* path : {"/usr/bin/nosuch", "/hello", "/loop", "/usr/bin/hello/x"}) {
    EXPECT_EQ(archive->check_program(path).error().code, ErrorCode::NotFound) << path;
  }
  const auto why = [&archive](const char* path) {
    const Error error = archive->check_program(path).error();
    EXPECT_EQ(error.code, ErrorCode::Permission) << path;
    return error.message;
  };
  EXPECT_THAT(why("/bin/old"), HasSubstr("position-independent"));
  EXPECT_THAT(why("/bin/arm"), HasSubstr("another machine"));
  EXPECT_THAT(why("/bin/script"), HasSubstr("not an ELF"));
  EXPECT_THAT(why("/usr/bin"), HasSubstr("not a file"));
}

TEST_F(RootfsArchiveTest, Refuses_what_upstream_kernels_cannot_read) {
  EXPECT_THAT(error(""), HasSubstr("empty"));
  EXPECT_THAT(error("\x1f\x8b" + std::string(200, 'x')), HasSubstr("compressed"));
  EXPECT_THAT(error(std::string(200, 'x')), HasSubstr("not a newc"));
  EXPECT_THAT(error("070701"), HasSubstr("truncated"));
}

TEST_F(RootfsArchiveTest, Refuses_every_truncation) {
  const std::string whole = good_archive();
  for (std::size_t size = 0; size < whole.size() - 4; size += 7) {
    EXPECT_NE(error(whole.substr(0, size)), "none") << size;
  }
}

TEST_F(RootfsArchiveTest, Refuses_numbers_that_lie) {
  std::string archive = good_archive();
  EXPECT_NE(error(archive.replace(6 + 8 * 6, 8, "ffffffff")), "none");  // file size
  archive = good_archive();
  EXPECT_NE(error(archive.replace(6 + 8 * 11, 8, "ffffffff")), "none");  // name size
  archive = good_archive();
  EXPECT_NE(error(archive.replace(6 + 8 * 11, 8, "00000000")), "none");
  archive = good_archive();
  EXPECT_NE(error(archive.replace(6 + 8 * 6, 8, "xyzxyzxy")), "none");
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
