// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/kvm/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "kvm/probe_cache.h"
#include "kvm/recording_kvm.h"

namespace runhl::vmm::kvm {
namespace {

using ::testing::HasSubstr;

constexpr HostCpu kHost = {true, true, true};
constexpr std::uint32_t kAllOfHost = 1U << 0 | 1U << 26 | 1U << 28;

int loop_ends(kvm_run& page) {
  page.exit_reason = KVM_EXIT_IO;
  page.io.direction = KVM_EXIT_IO_OUT;
  page.io.port = 0x6c;
  page.io.size = 1;
  page.io.count = 1;
  page.io.data_offset = kPageSize;
  return 0;
}

int loop_burns_5_ms(kvm_run& page) {
  timespec now{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  const auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000L + t.tv_nsec; };
  const long end = ns(now) + 5'000'000;
  while (ns(now) < end) {
    (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  }
  return loop_ends(page);
}

/// Off the processor: a busy host.
int loop_waits_5_ms(kvm_run& page) {
  const timespec pause{0, 5'000'000};
  (void)::nanosleep(&pause, nullptr);
  return loop_ends(page);
}

class ProbeTest : public ::testing::Test {
 protected:
  ProbeTest() { kvm_.cpuid[0].ecx = kAllOfHost; }
  void then(int (*run)(kvm_run&), int times = 3) {
    for (int i = 0; i < times; ++i) {
      kvm_.then(run);
    }
  }
  RecordingKvm kvm_;
};

TEST_F(ProbeTest, A_fast_loop_is_hardware) {
  then(loop_ends);
  const Probe found = probe(&kvm_, kHost);
  EXPECT_EQ(found.finding, Finding::Hardware) << found.reason;
  EXPECT_TRUE(found.usable());
}

TEST_F(ProbeTest, A_slow_loop_is_an_emulator) {
  then(loop_burns_5_ms);
  const Probe found = probe(&kvm_, kHost);
  EXPECT_EQ(found.finding, Finding::Slow);
  EXPECT_THAT(found.reason, HasSubstr("20000 instructions took"));
}

TEST_F(ProbeTest, The_best_try_counts_and_only_time_on_the_processor) {
  then(loop_burns_5_ms, 2);
  then(loop_waits_5_ms, 1);
  EXPECT_EQ(probe(&kvm_, kHost).finding, Finding::Hardware);
}

TEST_F(ProbeTest, A_loop_that_does_not_end_is_no_answer) {
  kvm_.then([](kvm_run& page) {
    while (page.immediate_exit == 0) {
      const timespec pause{0, 1'000'000};
      (void)::nanosleep(&pause, nullptr);
    }
    return -EINTR;
  });
  EXPECT_EQ(probe(&kvm_, kHost).finding, Finding::NoAnswer);
}

TEST_F(ProbeTest, What_KVM_keeps_back_of_the_processor_gives_it_away) {
  kvm_.cpuid[0].ecx = 1U << 26;
  const Probe found = probe(&kvm_, kHost);
  EXPECT_EQ(found.finding, Finding::Emulating);
  EXPECT_THAT(found.reason, HasSubstr("no SSE3, AVX, which"));
  then(loop_ends);
  EXPECT_EQ(probe(&kvm_, {false, false, true}).finding, Finding::Hardware);  // an old processor
}

TEST_F(ProbeTest, A_device_that_cannot_be_used_is_told_apart) {
  kvm_.open_error = ENOENT;
  EXPECT_EQ(probe(&kvm_, kHost).finding, Finding::Absent);
  kvm_.open_error = ENODEV;
  EXPECT_EQ(probe(&kvm_, kHost).finding, Finding::Absent);
  kvm_.open_error = EACCES;
  EXPECT_EQ(probe(&kvm_, kHost).finding, Finding::Denied);
  kvm_.open_error = 0;
  kvm_.version = 11;
  EXPECT_EQ(probe(&kvm_, kHost).finding, Finding::Absent);
  kvm_.version = KVM_API_VERSION;
  kvm_.fail(KVM_CREATE_VM, ENOMEM);
  const Probe found = probe(&kvm_, kHost);
  EXPECT_EQ(found.finding, Finding::Failed);
  EXPECT_EQ(found.reason, "KVM_CREATE_VM: Cannot allocate memory");
}

TEST_F(ProbeTest, A_loop_that_goes_astray_is_a_failure) {
  kvm_.then([](kvm_run& page) {
    page.exit_reason = KVM_EXIT_SHUTDOWN;
    return 0;
  });
  EXPECT_EQ(probe(&kvm_, kHost).finding, Finding::Failed);
}

class ProbeCacheTest : public ::testing::Test {
 protected:
  ProbeCacheTest() : directory_(::testing::TempDir() + "probe-XXXXXX") {
    EXPECT_NE(::mkdtemp(directory_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void put_file(const std::string& text) const {
    std::ofstream(directory_ + "/" + kProbeFile) << text;
  }
  std::string directory_;
};

TEST_F(ProbeCacheTest, What_was_written_is_read_with_the_same_key_alone) {
  write_probe(directory_, "key\n", {Finding::Emulating, "so"});
  const auto found = read_probe(directory_, "key\n");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->finding, Finding::Emulating);
  EXPECT_EQ(found->reason, "so");
  EXPECT_TRUE(found->remembered);
  EXPECT_FALSE(read_probe(directory_, "other\n"));
}

TEST_F(ProbeCacheTest, What_may_be_otherwise_the_next_time_is_not_written) {
  for (const Finding finding :
       {Finding::Denied, Finding::Slow, Finding::Failed, Finding::NoAnswer}) {
    write_probe(directory_, "key\n", {finding, "so"});
    EXPECT_TRUE(std::filesystem::is_empty(directory_)) << to_string(finding);
  }
}

TEST_F(ProbeCacheTest, A_file_that_is_not_ours_is_none) {
  for (const char* text :
       {"", "key\n", "key\nfinding: hardware\n", "key\nfinding: hardware\nreason: x",
        "key\nfinding: no answer\nreason: x\n", "key\nfinding: \nreason: \n"}) {
    put_file(text);
    EXPECT_FALSE(read_probe(directory_, "key\n")) << text;
  }
  put_file("key\nfinding: hardware\nreason: x\n");
  EXPECT_TRUE(read_probe(directory_, "key\n"));
  ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);
  EXPECT_FALSE(read_probe(directory_, "key\n"));
}

TEST_F(ProbeCacheTest, A_link_in_its_place_is_not_followed) {
  put_file("key\nfinding: hardware\nreason: x\n");
  std::filesystem::rename(directory_ + "/" + kProbeFile, directory_ + "/other");
  std::filesystem::create_symlink("other", directory_ + "/" + kProbeFile);
  EXPECT_FALSE(read_probe(directory_, "key\n"));
}

TEST_F(ProbeCacheTest, The_key_names_the_host_s_start_its_kernel_and_the_device) {
  const std::string key = probe_key();
  EXPECT_EQ(key, probe_key());
  EXPECT_THAT(key, HasSubstr("\nboot: "));
  EXPECT_THAT(key, HasSubstr("\nkernel: "));
  EXPECT_THAT(key, HasSubstr("\ndevice: "));
  EXPECT_EQ(std::count(key.begin(), key.end(), '\n'), 4);
}

TEST_F(ProbeCacheTest, The_host_is_asked_once) {
  const Probe first = remembered_probe(directory_ + "/made");
  EXPECT_FALSE(first.remembered);
  EXPECT_FALSE(first.reason.empty());
  const Probe second = remembered_probe(directory_ + "/made");
  EXPECT_EQ(second.finding, first.finding);
  EXPECT_EQ(second.remembered, first.finding == Finding::Hardware ||
                                   first.finding == Finding::Absent ||
                                   first.finding == Finding::Emulating);
}

}  // namespace
}  // namespace runhl::vmm::kvm
