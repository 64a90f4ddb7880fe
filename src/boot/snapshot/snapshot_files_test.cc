// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "boot/snapshot/directory.h"
#include "boot/snapshot/documents.h"
#include "boot/snapshot/origin.h"
#include "runhl/base/file_io.h"
#include "runhl/core/units.h"

namespace runhl::boot {
namespace {

using ::testing::HasSubstr;
using vmm::hyperlight::Snapshot;
namespace files = std::filesystem;

constexpr std::uint64_t kImagePages = 12, kTablePages = 2;

SnapshotConfig sample(bool has_queues) {
  SnapshotConfig config;
  Snapshot& it = config.snapshot;
  it.has_queues = has_queues ? 1 : 0;
  it.code_address = 0x4000;
  it.code_size = 0x12a123;
  it.entry = 0x4000;
  it.scratch_size = 64 * kMiB;
  it.image_size = kImagePages * kPageSize;
  it.tables_size = kTablePages * kPageSize;
  it.dispatch = 0xeca0;
  it.stack = 0x10'0035'efc0;
  it.number = 1;
  it.cpu.control = {0x80050033, 0, 0, 0x50620, 0xd01};
  it.cpu.cs = {
      .base = 0, .limit = ~0U, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
  it.cpu.tr = {
      .base = 0xffff'ffff'fbff'f000, .limit = 0x67, .selector = 24, .type = 11, .present = 1};
  it.cpu.gdt = {0xffff'ffff'fbff'e000, 55};
  it.cpu.idt = {0xffff'ffff'fbff'd000, 0xfff};
  it.cpu.system = {0x23001000000000, 0xfff0, 0x4700, 0x1234, 0x0007040600070406};
  it.cpu.tsc = 0xfedc'ba98'7654'3210;
  if (has_queues) {
    it.channel.h2g_ring[3] = std::byte{7};
  }
  config.host = {"emulated", "GenuineIntel"};
  config.functions = {{"GetCmdLine", "", 's'}, {"Yield", "Uiiv", 'i'}};
  return config;
}

SnapshotOrigin origin() {
  return {"kc191aeb42ec182a6-c7", std::string(64, 'c'), "software, x86-64-v2", 2'100'000'000};
}

class SnapshotFilesTest : public ::testing::TestWithParam<bool> {
 protected:
  SnapshotFilesTest() {
    std::string name = "/tmp/snapshot-test.XXXXXX";
    top_ = ::mkdtemp(name.data());
    directory_ = top_ + "/snapshot";
    memory_.reset(::memfd_create("memory", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(memory_.get(), (kImagePages + kTablePages) * kPageSize), 0);
    for (const std::uint64_t page : {0U, 3U, 13U}) {  // the rest is zero
      const std::string bytes(kPageSize, static_cast<char>('a' + page));
      EXPECT_TRUE(write_all_at(memory_.get(), bytes, page * kPageSize, "memory"));
    }
  }
  void TearDown() override { files::remove_all(top_); }

  void save() {
    const Result<void> saved =
        write_snapshot(directory_, sample(GetParam()), memory_.get(), origin());
    ASSERT_TRUE(saved) << saved.error().message;
  }
  std::string refusal() {
    const Result<StoredSnapshot> stored = read_snapshot(directory_);
    return stored ? "accepted" : stored.error().message;
  }
  std::vector<std::string> all_files() {
    std::vector<std::string> names;
    for (const auto& entry : files::recursive_directory_iterator(directory_)) {
      if (entry.is_regular_file()) {
        names.push_back(entry.path());
      }
    }
    return names;
  }
  static std::string contents(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void put(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::string top_, directory_;
  UniqueFd memory_;
};

TEST_P(SnapshotFilesTest, What_was_written_is_read) {
  save();
  const Result<StoredSnapshot> stored = read_snapshot(directory_);
  ASSERT_TRUE(stored) << stored.error().message;
  const Snapshot wrote = sample(GetParam()).snapshot;
  const Snapshot& read = stored->config.snapshot;
  EXPECT_EQ(read.has_queues, wrote.has_queues);
  EXPECT_EQ(read.code_address, wrote.code_address);
  EXPECT_EQ(read.code_size, wrote.code_size);
  EXPECT_EQ(read.entry, wrote.entry);
  EXPECT_EQ(read.scratch_size, wrote.scratch_size);
  EXPECT_EQ(read.image_size, wrote.image_size);
  EXPECT_EQ(read.tables_size, wrote.tables_size);
  EXPECT_EQ(read.dispatch, wrote.dispatch);
  EXPECT_EQ(read.stack, wrote.stack);
  EXPECT_EQ(read.number, wrote.number);
  EXPECT_EQ(read.cpu.cs, wrote.cpu.cs);
  EXPECT_EQ(read.cpu.tr, wrote.cpu.tr);
  EXPECT_EQ(read.cpu.gdt, wrote.cpu.gdt);
  EXPECT_EQ(read.cpu.idt, wrote.cpu.idt);
  EXPECT_EQ(read.cpu.control.cr0, wrote.cpu.control.cr0);
  EXPECT_EQ(read.cpu.control.cr4, wrote.cpu.control.cr4);
  EXPECT_EQ(read.cpu.control.efer, wrote.cpu.control.efer);
  EXPECT_EQ(read.cpu.system, wrote.cpu.system);
  EXPECT_EQ(read.cpu.tsc, wrote.cpu.tsc);
  EXPECT_EQ(read.channel.h2g_ring, wrote.channel.h2g_ring);
  EXPECT_EQ(stored->config.host, sample(true).host);
  EXPECT_EQ(stored->config.functions, sample(true).functions);
  EXPECT_EQ(stored->origin.key, origin().key);
  EXPECT_EQ(stored->origin.kernel, origin().kernel);
  EXPECT_EQ(stored->origin.cpu, origin().cpu);
  EXPECT_EQ(stored->origin.tsc_hz, origin().tsc_hz);
  std::string page(kPageSize, '\0');
  ASSERT_EQ(::pread(stored->memory.get(), page.data(), kPageSize, 3 * kPageSize),
            static_cast<ssize_t>(kPageSize));
  EXPECT_EQ(page, std::string(kPageSize, 'd'));
  EXPECT_LT(::pwrite(stored->memory.get(), "x", 1, 0), 0);  // nobody writes to it any more
}

TEST_P(SnapshotFilesTest, Is_the_owners_alone_and_leaves_out_zeros) {
  save();
  std::uint64_t blocks = 0;
  for (const std::string& file : all_files()) {
    struct stat info{};
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << file;
    if (info.st_size == (kImagePages + kTablePages) * kPageSize) {
      blocks = static_cast<std::uint64_t>(info.st_blocks) * 512;
    }
  }
  EXPECT_GT(blocks, 0U);
  EXPECT_LT(blocks, 8 * kPageSize);
}

// All bytes of the small files, and of the large one where pages begin, end, and in between.
TEST_P(SnapshotFilesTest, A_changed_byte_is_refused_wherever_it_is) {
  save();
  for (const std::string& file : all_files()) {
    const std::string good = contents(file);
    const std::size_t step = good.size() > 20000 ? 1021 : good.size() > 700 ? 29 : 1;
    for (std::size_t at = 0; at < good.size(); at += step) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
      put(file, bad);
      EXPECT_NE(refusal(), "accepted") << file << " at " << at;
    }
    put(file, good);
  }
  EXPECT_EQ(refusal(), "accepted");
}

TEST_P(SnapshotFilesTest, A_file_that_is_cut_or_longer_or_gone_is_refused) {
  save();
  for (const std::string& file : all_files()) {
    const std::string good = contents(file);
    put(file, good.substr(0, good.size() - 1));
    EXPECT_NE(refusal(), "accepted") << file;
    put(file, good + "x");
    EXPECT_NE(refusal(), "accepted") << file;
    files::remove(file);
    EXPECT_NE(refusal(), "accepted") << file;
    files::create_symlink("/dev/zero", file);
    EXPECT_NE(refusal(), "accepted") << file;
    files::remove(file);
    put(file, good);
  }
  EXPECT_EQ(refusal(), "accepted");
}

TEST_P(SnapshotFilesTest, Takes_no_name_that_is_there_and_leaves_nothing) {
  save();
  const Result<void> again =
      write_snapshot(directory_, sample(GetParam()), memory_.get(), origin());
  EXPECT_THAT(again.error().message, HasSubstr("File exists"));
  EXPECT_EQ(std::distance(files::directory_iterator(top_), files::directory_iterator()), 1);
  EXPECT_FALSE(write_snapshot(top_ + "/none/x", sample(GetParam()), memory_.get(), origin()));
}

INSTANTIATE_TEST_SUITE_P(Formats, SnapshotFilesTest, ::testing::Bool());

class SnapshotConfigTest : public ::testing::Test {
 protected:
  /// The sample's configuration with one text in it replaced.
  static std::string refusal(std::string_view from, std::string_view to) {
    std::string text = format_config(sample(true));
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const Result<SnapshotConfig> config = parse_config(text);
    return config ? "accepted" : config.error().message;
  }
};

TEST_F(SnapshotConfigTest, What_is_not_known_or_cannot_be_is_refused_by_pointer) {
  EXPECT_EQ(refusal("\"arch\"", "\"arch\""), "accepted");
  EXPECT_THAT(refusal("\"x86_64\"", "\"aarch64\""), HasSubstr("/arch"));
  EXPECT_THAT(refusal("\"abi_version\":6", "\"abi_version\":5"), HasSubstr("/abi_version"));
  EXPECT_THAT(refusal("\"arch\"", "\"more\":1,\"arch\""), HasSubstr("/more"));
  EXPECT_THAT(refusal("\"limit\":103", "\"limit\":4294967296"), HasSubstr("/sregs/tr/limit"));
  EXPECT_THAT(refusal("\"dpl\":0", "\"dpl\":4"), HasSubstr("/sregs/cs/dpl"));
  EXPECT_THAT(refusal("\"cr0\":", "\"cr0\":-"), HasSubstr("/sregs/cr0"));
  EXPECT_THAT(refusal("\"apic_base\":0", "\"apic_base\":1024"), HasSubstr("x2APIC"));
  EXPECT_THAT(refusal("[0,0,0,0]", "[0,1,0,0]"), HasSubstr("interrupt"));
  EXPECT_THAT(refusal("\"index\":16", "\"index\":17"), HasSubstr("/msrs/0"));
  EXPECT_THAT(refusal("\"index\":16", "\"index\":631"), HasSubstr("/msrs/1"));
  EXPECT_THAT(refusal("\"g2h_queue_size\":64", "\"g2h_queue_size\":32"), HasSubstr("/layout"));
  EXPECT_THAT(refusal("\"snapshot_size\":49152", "\"snapshot_size\":53248"),
              HasSubstr("/memory_size"));
  EXPECT_THAT(refusal("\"pt_size\":8192", "\"pt_size\":18446744073709551615"),
              HasSubstr("/layout/pt_size"));
  EXPECT_THAT(refusal("\"pt_size\":8192", "\"pt_size\":8191"), HasSubstr("/layout/pt_size"));
  EXPECT_THAT(refusal("\"snapshot_size\":49152", "\"snapshot_size\":49151"),
              HasSubstr("/layout/snapshot_size"));
  EXPECT_THAT(refusal("\"u_long\"", "\"nothing\""), HasSubstr("/host_functions/1"));
}

class SnapshotOriginTest : public ::testing::Test {
 protected:
  SnapshotOriginTest() {
    stored_.config = sample(true);
    stored_.origin = origin();
  }
  std::string refusal() {
    const Result<void> checked =
        check_goes_on_here(stored_, {"emulated", "GenuineIntel"}, origin());
    return checked ? "accepted" : checked.error().message;
  }
  StoredSnapshot stored_;
};

TEST_F(SnapshotOriginTest, Another_kernel_cpu_or_clock_is_refused_with_both_named) {
  EXPECT_EQ(refusal(), "accepted");
  stored_.origin.tsc_hz += 10'000'000;
  EXPECT_EQ(refusal(), "accepted");  // as far as it can be measured
  stored_.origin.tsc_hz += 100'000'000;
  EXPECT_THAT(refusal(), HasSubstr("clock"));
  stored_.origin = origin();
  stored_.origin.key = "k0000000000000000-c7";
  EXPECT_THAT(refusal(), HasSubstr("k0000000000000000-c7, and here it is kc191aeb42ec182a6-c7"));
  stored_.origin = origin();
  stored_.origin.kernel[40] = 'd';
  EXPECT_THAT(refusal(), HasSubstr("kernel"));
  stored_.origin = origin();
  stored_.origin.cpu = "another";
  EXPECT_THAT(refusal(), HasSubstr("another"));
  stored_.origin = origin();
  stored_.config.host.hypervisor = "kvm";
  EXPECT_THAT(refusal(), HasSubstr("kvm GenuineIntel, and here it is emulated"));
  stored_.config.host = {"emulated", "AuthenticAMD"};
  EXPECT_THAT(refusal(), HasSubstr("AuthenticAMD"));
}

TEST_F(SnapshotOriginTest, What_its_guest_relies_on_must_be_there) {
  stored_.config.functions = {{"fs_stat", "is", 'v'}};
  EXPECT_EQ(refusal(), "accepted");
  stored_.config.functions = {{"fs_stat", "ii", 'v'}};
  EXPECT_THAT(refusal(), HasSubstr("fs_stat"));
  stored_.config.functions = {{"Nothing\n", "", 'v'}};
  EXPECT_THAT(refusal(), HasSubstr("Nothing"));
}

}  // namespace
}  // namespace runhl::boot
