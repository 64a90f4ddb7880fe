// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

#include "runhl/vmm.h"

namespace {

using ::testing::HasSubstr;

class CInterfaceTest : public ::testing::Test {
 protected:
  void TearDown() override { runhl_options_free(options_); }
  runhl_options* options_ = runhl_options_new();
};

void ignore_output(void* /*context*/, runhl_stream /*stream*/, const char* /*bytes*/,
                   std::size_t /*size*/) {}
int answer_nothing(void* /*context*/, const char* /*arguments*/, std::size_t /*size*/,
                   runhl_reply* /*answer*/) {
  return 0;
}

TEST_F(CInterfaceTest, Null_pointers_are_refused) {
  EXPECT_EQ(runhl_options_set_kernel(nullptr, "x"), RUNHL_INVALID_ARGUMENT);
  EXPECT_EQ(runhl_options_set_kernel(options_, nullptr), RUNHL_INVALID_ARGUMENT);
  EXPECT_STREQ(runhl_error(), "a null pointer");
  EXPECT_EQ(runhl_options_add_directory(options_, "/", nullptr, RUNHL_READ_ONLY),
            RUNHL_INVALID_ARGUMENT);
  EXPECT_EQ(runhl_options_set_output(options_, nullptr, nullptr), RUNHL_INVALID_ARGUMENT);
  EXPECT_EQ(runhl_options_add_function(options_, "x", nullptr, nullptr), RUNHL_INVALID_ARGUMENT);
  EXPECT_EQ(runhl_machine_new(options_, nullptr), RUNHL_INVALID_ARGUMENT);
  EXPECT_EQ(runhl_machine_boot(nullptr), RUNHL_INVALID_ARGUMENT);
  EXPECT_EQ(runhl_machine_wait(nullptr, nullptr), RUNHL_INVALID_ARGUMENT);
  EXPECT_EQ(runhl_machine_call(nullptr, "f", nullptr, nullptr), RUNHL_INVALID_ARGUMENT);
  EXPECT_EQ(runhl_reply_set(nullptr, "", 0), RUNHL_INVALID_ARGUMENT);
}

TEST_F(CInterfaceTest, Nothing_is_freed_without_harm) {
  runhl_options_free(nullptr);
  runhl_machine_free(nullptr);
  runhl_machine_stop(nullptr);
  runhl_reply_free(nullptr);
  EXPECT_STREQ(runhl_machine_isolation(nullptr), "");
  std::size_t size = 7;
  EXPECT_STREQ(runhl_reply_bytes(nullptr, &size), "");
  EXPECT_EQ(size, 0U);
}

TEST_F(CInterfaceTest, Error_names_the_file_and_leaves_no_machine) {
  ASSERT_EQ(runhl_options_set_kernel(options_, "/nosuch/kernel"), RUNHL_OK);
  auto* machine = reinterpret_cast<runhl_machine*>(options_);
  EXPECT_EQ(runhl_machine_new(options_, &machine), RUNHL_NOT_FOUND);
  EXPECT_EQ(machine, nullptr);
  EXPECT_STREQ(runhl_error(), "/nosuch/kernel: No such file or directory");
}

TEST_F(CInterfaceTest, Errors_are_a_threads_own) {
  EXPECT_EQ(runhl_options_set_kernel(options_, nullptr), RUNHL_INVALID_ARGUMENT);
  std::string other = "unset";
  std::thread([&other] { other = runhl_error(); }).join();
  EXPECT_EQ(other, "");
  EXPECT_STREQ(runhl_error(), "a null pointer");
}

TEST_F(CInterfaceTest, Executor_that_is_none_is_refused) {
  EXPECT_EQ(runhl_options_set_executor(options_, static_cast<runhl_executor>(3)),
            RUNHL_INVALID_ARGUMENT);
  EXPECT_EQ(runhl_options_set_executor(options_, RUNHL_EXECUTOR_EMULATED), RUNHL_OK);
}

TEST_F(CInterfaceTest, Network_is_set_before_what_belongs_to_it) {
  EXPECT_EQ(runhl_options_add_port(options_, "8080"), RUNHL_WRONG_STATE);
  EXPECT_EQ(runhl_options_set_network(options_, RUNHL_NETWORK_ALLOW), RUNHL_OK);
  EXPECT_EQ(runhl_options_add_port(options_, "8080-8090"), RUNHL_OK);
  EXPECT_EQ(runhl_options_add_port(options_, "65536"), RUNHL_INVALID_ARGUMENT);
  EXPECT_THAT(runhl_error(), HasSubstr("65536"));
  EXPECT_EQ(runhl_options_add_target(options_, "10.0.0.0/8"), RUNHL_OK);
  EXPECT_EQ(runhl_options_add_target(options_, "10.0.0.0/99"), RUNHL_INVALID_ARGUMENT);
}

TEST_F(CInterfaceTest, Options_that_are_right_are_taken) {
  const char* const arguments[] = {"one", nullptr};
  EXPECT_EQ(runhl_options_set_initrd(options_, "root.cpio"), RUNHL_OK);
  EXPECT_EQ(runhl_options_set_memory(options_, std::uint64_t{64} << 20U), RUNHL_OK);
  EXPECT_EQ(runhl_options_set_program(options_, "/bin/x", arguments), RUNHL_OK);
  EXPECT_EQ(runhl_options_set_program(options_, "/bin/x", nullptr), RUNHL_OK);
  EXPECT_EQ(runhl_options_add_environment(options_, "A=1"), RUNHL_OK);
  EXPECT_EQ(runhl_options_add_directory(options_, "/tmp", "/data", RUNHL_READ_ONLY), RUNHL_OK);
  EXPECT_EQ(runhl_options_set_input(options_, 0), RUNHL_OK);
  EXPECT_EQ(runhl_options_set_emulator(options_, "/x/runhl-emu"), RUNHL_OK);
  EXPECT_EQ(runhl_options_set_output(options_, ignore_output, nullptr), RUNHL_OK);
  EXPECT_EQ(runhl_options_add_function(options_, "f", answer_nothing, nullptr), RUNHL_OK);
}

}  // namespace
