// SPDX-License-Identifier: Apache-2.0
// The process of the software CPU. What a guest meets in it: test/kvm, which has the same guests
// for every backend.
#include "runhl/vmm/emu/emulated_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "runhl/base/unique_fd.h"
#include "runhl/core/units.h"

namespace runhl::vmm::emu {
namespace {

constexpr std::uint64_t kBase = 0x10000, kSize = 0x4000;
constexpr std::uint64_t kPml4 = 0x10000, kPdpt = 0x11000, kCode = 0x12000, kNothing = 0x80000;

/// A guest of one HLT that has run.
class EmulatedBackendTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::access(RUNHL_EMU_PATH, X_OK) != 0) {
      GTEST_SKIP() << "runhl-emu is not built here";
    }
    fd_.reset(::memfd_create("guest", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(fd_.get(), kSize), 0);
    put(kPml4, kPdpt | 3);
    put(kPdpt, 0x83);  // 1 GiB from 0, writable
    put(kCode, 0xf4);
    auto backend = create_backend(RUNHL_EMU_PATH);
    ASSERT_TRUE(backend) << backend.error().message;
    backend_ = std::move(*backend);
    ASSERT_TRUE(backend_->map(kBase, {fd_.get(), 0, kSize, Access::ReadWrite}));
    backend_->set_control({.cr0 = 0x80050033, .cr2 = 0, .cr3 = kPml4, .cr4 = 0x620, .efer = 0xd01});
    Registers start;
    start.rip = kCode;
    backend_->set_registers(start);
    const Result<CpuExit> exit = backend_->run();
    ASSERT_TRUE(exit) << exit.error().message;
    ASSERT_EQ(exit->kind, ExitKind::Halt);
  }
  void put(std::uint64_t at, std::uint64_t value) const {
    ASSERT_EQ(::pwrite(fd_.get(), &value, sizeof value, static_cast<off_t>(at - kBase)),
              static_cast<ssize_t>(sizeof value));
  }

  UniqueFd fd_;
  std::unique_ptr<Backend> backend_;
};

/// A line of /proc/PID/status of our only child.
std::string child_status(const std::string& field) {
  std::string child, line;
  std::ifstream("/proc/self/task/" + std::to_string(::getpid()) + "/children") >> child;
  std::ifstream status("/proc/" + child + "/status");
  while (std::getline(status, line)) {
    if (line.starts_with(field + ":\t")) {
      return line.substr(field.size() + 2);
    }
  }
  return "none";
}

TEST_F(EmulatedBackendTest, Its_process_is_confined) {
  EXPECT_EQ(child_status("Seccomp"), "2");
  EXPECT_EQ(child_status("NoNewPrivs"), "1");
}

TEST_F(EmulatedBackendTest, Nothing_can_be_mapped_once_it_is_confined) {
  EXPECT_FALSE(backend_->map(kNothing, {fd_.get(), 0, kPageSize, Access::ReadOnly}));
}

TEST(EmulatedBackend, A_program_that_is_none_is_an_error) {
  const auto missing = create_backend("/nonexistent/runhl-emu");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
  const auto other = create_backend("/bin/false");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, ::testing::HasSubstr("gone"));
}

}  // namespace
}  // namespace runhl::vmm::emu
