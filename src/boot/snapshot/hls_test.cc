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

#include "boot/snapshot/blake3.h"
#include "boot/snapshot/blob_copy.h"
#include "boot/snapshot/hls_file.h"
#include "boot/snapshot/hls_format.h"
#include "boot/snapshot/origin.h"
#include "runhl/base/file_io.h"
#include "runhl/core/units.h"
#include "runhl/vmm/hyperlight/signatures.h"

namespace runhl::boot {
namespace {

using ::testing::HasSubstr;
using vmm::hyperlight::Generation;
using vmm::hyperlight::Snapshot;
namespace files = std::filesystem;

constexpr std::uint64_t kImagePages = 12, kTablePages = 2;
constexpr std::size_t kHead = kPageSize, kMemory = (kImagePages + kTablePages) * kPageSize;

// Where numbers stand in a file, and registers' first ones.
constexpr std::size_t kNumbers = 8, kRegisters = 160, kHeaderHash = 1112, kBlobHash = 1144;

SnapshotConfig sample() {
  SnapshotConfig config;
  Snapshot& it = config.snapshot;
  it.code_address = 0x1000;
  it.code_size = 0x74310;
  it.scratch_size = 0x401'8000;
  it.heap_size = 16 * kMiB;
  it.init_data_size = kPageSize;
  it.stack_size = 0x2'0000;
  it.image_size = kImagePages * kPageSize;
  it.tables_size = kTablePages * kPageSize;
  it.dispatch = 0x1021;
  it.stack = 0xffff'ffff'ffff'efc0;
  it.cpu.control = {0x80050033, 0, 0, 0x620, 0xd01};
  it.cpu.cr8 = 3;
  it.cpu.apic_base = 0xfee0'0900;
  it.cpu.cs = {
      .base = 0, .limit = ~0U, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
  it.cpu.ds = {.base = 0, .limit = ~0U, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1};
  it.cpu.fs = {.base = 0x1234, .unusable = 1};
  it.cpu.tr = {.base = 0x7'5040, .limit = 0x67, .selector = 24, .type = 11, .present = 1};
  it.cpu.ldt = {.base = 0x55, .selector = 7, .dpl = 2, .avl = 1};
  it.cpu.gdt = {0x7'52c0, 0x27};
  it.cpu.idt = {0x7'50c0, 0x1ff};
  config.host = {"emulated", ""};
  config.functions = vmm::hyperlight::host_function_signatures(Generation::G1, {});
  return config;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

Blake3Digest digest_of(std::string_view text) {
  Blake3 hash;
  hash.update(bytes_of(text));
  return hash.finish();
}

std::string hex(const Blake3Digest& digest) {
  std::string text;
  for (const std::byte byte : digest) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[std::to_integer<unsigned>(byte) >> 4U];
    text += kDigits[std::to_integer<unsigned>(byte) & 15U];
  }
  return text;
}

// Of the algorithm's published test vectors.
TEST(Blake3, Is_what_it_is_elsewhere) {
  EXPECT_EQ(hex(digest_of("")), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
  std::string input(31744, '\0');
  for (std::size_t i = 0; i < input.size(); ++i) {
    input[i] = static_cast<char>(i % 251);
  }
  EXPECT_EQ(hex(digest_of(input)),
            "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47");
  Blake3 in_pieces;
  for (std::size_t at = 0; at < input.size(); at += 1000) {
    in_pieces.update(bytes_of(std::string_view(input).substr(at, 1000)));
  }
  EXPECT_EQ(in_pieces.finish(), digest_of(input));
}

TEST(CopySparse, Holes_are_zeros_that_nobody_reads_or_writes) {
  constexpr std::uint64_t kSize = 3 * kMiB, kAt = 600 * kKiB;
  const UniqueFd from(::memfd_create("from", MFD_CLOEXEC));
  const UniqueFd to(::memfd_create("to", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(from.get(), kSize), 0);
  ASSERT_EQ(::ftruncate(to.get(), kSize + kPageSize), 0);
  ASSERT_TRUE(write_all_at(from.get(), "between", kAt, "from"));
  std::string seen;
  ASSERT_TRUE(copy_sparse({from.get(), 0}, {to.get(), kPageSize}, kSize,
                          [&seen](auto piece) { seen.append(as_text(piece)); }));
  std::string expected(kSize, '\0');
  expected.replace(kAt, 7, "between");
  EXPECT_EQ(seen, expected);
  std::string copied(kSize, 'x');
  ASSERT_TRUE(read_all_at(to.get(), std::as_writable_bytes(std::span(copied)), kPageSize, "to"));
  EXPECT_EQ(copied, expected);
  struct stat info{};
  ASSERT_EQ(::fstat(to.get(), &info), 0);
  EXPECT_EQ(info.st_blocks * 512, static_cast<blkcnt_t>(kPageSize));
  EXPECT_FALSE(copy_sparse({from.get(), 0}, {to.get(), 0}, kSize + 1, [](auto) {}));
}

class HlsTest : public ::testing::Test {
 protected:
  HlsTest() {
    std::string name = "/tmp/hls-test.XXXXXX";
    top_ = ::mkdtemp(name.data());
    path_ = top_ + "/snapshot.hls";
    memory_.reset(::memfd_create("memory", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(memory_.get(), kMemory), 0);
    for (const std::uint64_t page : {0U, 3U, 13U}) {  // the rest is zero
      const std::string bytes(kPageSize, static_cast<char>('a' + page));
      EXPECT_TRUE(write_all_at(memory_.get(), bytes, page * kPageSize, "memory"));
    }
  }
  void TearDown() override { files::remove_all(top_); }

  void save() {
    const Result<void> saved = write_hls(path_, sample(), memory_.get());
    ASSERT_TRUE(saved) << saved.error().message;
    good_ = contents();
    ASSERT_EQ(good_.size(), kHead + kMemory + kHlsTail);
  }
  std::string contents() {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string refusal(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    const Result<StoredSnapshot> stored = read_hls(path_);
    return stored ? "accepted" : stored.error().message;
  }
  /// Of a file whose header has another number, and the hash that goes with it.
  std::string refusal(std::size_t at, std::uint64_t value) {
    std::string bytes = good_;
    std::memcpy(&bytes[at], &value, sizeof value);
    sign(&bytes);
    return refusal(bytes);
  }
  std::string refusal_of_number(std::size_t which, std::uint64_t value) {
    return refusal(kNumbers + 8 * which, value);
  }
  static void sign(std::string* bytes) {
    std::uint64_t functions = 0;
    std::memcpy(&functions, &(*bytes)[kNumbers + std::size_t{8} * 18], sizeof functions);
    Blake3 hash;
    hash.update(bytes_of(*bytes).first(kHeaderHash));
    hash.update(bytes_of(*bytes).subspan(kBlobHash, 32 + std::min<std::size_t>(functions, 200)));
    const Blake3Digest digest = hash.finish();
    std::memcpy(&(*bytes)[kHeaderHash], digest.data(), digest.size());
  }

  std::string top_, path_, good_;
  UniqueFd memory_;
};

TEST_F(HlsTest, What_was_written_is_read) {
  save();
  const Result<StoredSnapshot> stored = read_hls(path_);
  ASSERT_TRUE(stored) << stored.error().message;
  const Snapshot wrote = sample().snapshot;
  const Snapshot& read = stored->config.snapshot;
  EXPECT_EQ(read.has_queues, 0);
  EXPECT_EQ(read.code_address, wrote.code_address);
  EXPECT_EQ(read.code_size, wrote.code_size);
  EXPECT_EQ(read.scratch_size, wrote.scratch_size);
  EXPECT_EQ(read.heap_size, wrote.heap_size);
  EXPECT_EQ(read.init_data_size, wrote.init_data_size);
  EXPECT_EQ(read.stack_size, wrote.stack_size);
  EXPECT_EQ(read.image_size, wrote.image_size);
  EXPECT_EQ(read.tables_size, wrote.tables_size);
  EXPECT_EQ(read.dispatch, wrote.dispatch);
  EXPECT_EQ(read.stack, wrote.stack);
  for (const auto segment :
       {&vmm::CpuState::cs, &vmm::CpuState::ds, &vmm::CpuState::es, &vmm::CpuState::fs,
        &vmm::CpuState::gs, &vmm::CpuState::ss, &vmm::CpuState::tr, &vmm::CpuState::ldt}) {
    EXPECT_EQ(read.cpu.*segment, wrote.cpu.*segment);
  }
  EXPECT_EQ(read.cpu.gdt, wrote.cpu.gdt);
  EXPECT_EQ(read.cpu.idt, wrote.cpu.idt);
  EXPECT_EQ(read.cpu.control.cr0, wrote.cpu.control.cr0);
  EXPECT_EQ(read.cpu.control.cr4, wrote.cpu.control.cr4);
  EXPECT_EQ(read.cpu.control.efer, wrote.cpu.control.efer);
  EXPECT_EQ(read.cpu.cr8, wrote.cpu.cr8);
  EXPECT_EQ(read.cpu.apic_base, wrote.cpu.apic_base);
  EXPECT_EQ(read.cpu.tsc, 0U);
  EXPECT_EQ(stored->config.host, sample().host);
  EXPECT_EQ(stored->config.functions, sample().functions);
  EXPECT_TRUE(check_goes_on_here(*stored));
  std::string memory(kMemory, '\0');
  ASSERT_EQ(::pread(stored->memory.get(), memory.data(), kMemory, 0),
            static_cast<ssize_t>(kMemory));
  EXPECT_EQ(memory, good_.substr(kHead, kMemory));
  EXPECT_EQ(memory.substr(3 * kPageSize, kPageSize), std::string(kPageSize, 'd'));
  EXPECT_LT(::pwrite(stored->memory.get(), "x", 1, 0), 0);  // nobody writes to it any more
}

TEST_F(HlsTest, Is_the_owners_alone_and_leaves_out_zeros) {
  save();
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_LE(static_cast<std::uint64_t>(info.st_blocks) * 512, 8 * kPageSize);
}

// All bytes in front of the memory, and of the rest where pages begin, end, and between.
TEST_F(HlsTest, A_changed_byte_is_refused_wherever_it_is) {
  save();
  for (std::size_t at = 0; at < kHead; ++at) {
    std::string bad = good_.substr(0, kHead);
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    EXPECT_FALSE(parse_hls_head(bad)) << at;
  }
  ASSERT_TRUE(parse_hls_head(std::string_view(good_).substr(0, kHead)));
  for (std::size_t at = kHead; at < good_.size(); at += 1021) {
    std::string bad = good_;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    EXPECT_NE(refusal(bad), "accepted") << at;
  }
  for (const std::size_t at :
       {kHead - 1, kHead, kHead + kMemory - 1, kHead + kMemory, good_.size() - 1}) {
    std::string bad = good_;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_NE(refusal(bad), "accepted") << at;
  }
  EXPECT_EQ(refusal(good_), "accepted");
}

TEST_F(HlsTest, A_file_that_is_cut_or_longer_or_none_is_refused) {
  save();
  for (std::size_t size = 0; size < good_.size(); size += size < 1400 ? 50 : 4095) {
    EXPECT_NE(refusal(good_.substr(0, size)), "accepted") << size;
  }
  EXPECT_THAT(refusal(good_.substr(0, 1000)), HasSubstr("cut off within its header"));
  EXPECT_THAT(refusal(good_.substr(0, 1200)), HasSubstr("cut off within its host functions"));
  EXPECT_THAT(refusal(good_.substr(0, good_.size() - 1)), HasSubstr("memory_size"));
  EXPECT_THAT(refusal(good_ + "x"), HasSubstr("memory_size"));
  EXPECT_THAT(refusal("junk"), HasSubstr("does not begin with HLS"));
  files::remove(path_);
  EXPECT_THAT(read_hls(path_).error().message, HasSubstr("No such file"));
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(read_hls(path_).error().message, HasSubstr("not a regular file"));
  EXPECT_THAT(read_hls(top_).error().message, HasSubstr("is a file"));
}

TEST_F(HlsTest, Takes_no_name_that_is_there_and_leaves_nothing) {
  save();
  EXPECT_THAT(write_hls(path_, sample(), memory_.get()).error().message, HasSubstr("File exists"));
  EXPECT_EQ(contents(), good_);
  EXPECT_FALSE(write_hls(top_ + "/none/x", sample(), memory_.get()));
  EXPECT_THAT(write_hls(top_ + "/", sample(), memory_.get()).error().message, HasSubstr("no name"));
  SnapshotConfig larger = sample();
  larger.snapshot.image_size += kPageSize;  // than the memory that there is
  EXPECT_FALSE(write_hls(top_ + "/other", larger, memory_.get()));
  EXPECT_EQ(std::distance(files::directory_iterator(top_), files::directory_iterator()), 1);
}

TEST_F(HlsTest, Numbers_that_cannot_be_are_refused_by_name) {
  save();
  EXPECT_EQ(refusal_of_number(0, 1), "accepted");
  EXPECT_THAT(refusal(4, 0x1'0000'0002), HasSubstr("format version: 2"));
  EXPECT_THAT(refusal_of_number(0, 2), HasSubstr("arch: 2"));
  EXPECT_THAT(refusal_of_number(1, 2), HasSubstr("abi_version: 2"));
  EXPECT_THAT(refusal_of_number(2, 0x1008), HasSubstr("stack_top_gva"));
  EXPECT_THAT(refusal_of_number(3, 0), HasSubstr("entrypoint_tag"));
  for (const std::uint64_t address : {0ULL, 0xfffULL, 0x7'5310ULL, ~0ULL}) {
    EXPECT_THAT(refusal_of_number(4, address), HasSubstr("entrypoint_addr"));
  }
  for (const std::uint64_t size : {0ULL, 0x1fffULL, 0x10'0001ULL, ~0ULL}) {
    EXPECT_THAT(refusal_of_number(5, size), HasSubstr("input_data_size"));
  }
  EXPECT_THAT(refusal_of_number(6, 0x4000), HasSubstr("output_data_size"));
  EXPECT_THAT(refusal_of_number(7, 1ULL << 35U), HasSubstr("heap_size"));
  EXPECT_THAT(refusal_of_number(8, 1ULL << 35U), HasSubstr("code_size"));
  EXPECT_THAT(refusal_of_number(9, 1ULL << 35U), HasSubstr("init_data_size"));
  EXPECT_THAT(refusal_of_number(10, 8), HasSubstr("init_data_permissions"));
  for (const std::uint64_t size : {0ULL, 1ULL, 1ULL << 35U, ~0xfffULL}) {
    EXPECT_THAT(refusal_of_number(11, size), HasSubstr("scratch_size"));
    EXPECT_THAT(refusal_of_number(12, size), HasSubstr("snapshot_size"));
    EXPECT_THAT(refusal_of_number(13, size), HasSubstr("pt_size"));
    EXPECT_THAT(refusal_of_number(14, size), HasSubstr("memory_size"));
  }
  EXPECT_THAT(refusal_of_number(15, 2 * kPageSize), HasSubstr("memory_offset"));
  EXPECT_THAT(refusal_of_number(16, 0), HasSubstr("has_sregs"));
  for (const std::uint64_t other : {0U, 2U, 3U, 4U}) {
    EXPECT_THAT(refusal_of_number(17, other), HasSubstr("hypervisor"));
  }
  EXPECT_EQ(refusal_of_number(17, 1), "accepted");
  EXPECT_THAT(refusal_of_number(18, (1U << 20U) + 1), HasSubstr("host_funcs_size"));
  EXPECT_THAT(refusal_of_number(18, 100), HasSubstr("filled up"));
}

TEST_F(HlsTest, Registers_that_cannot_be_are_refused_by_name) {
  save();
  constexpr std::size_t kSegment = std::size_t{8} * 13;
  const std::size_t tables = kRegisters + 8 * kSegment;
  EXPECT_EQ(refusal(kRegisters, 0x1234), "accepted");
  EXPECT_THAT(refusal(kRegisters + 8, 1ULL << 32U), HasSubstr("sregs.cs.limit"));
  EXPECT_THAT(refusal(kRegisters + kSegment + 16, 0x1'0000), HasSubstr("sregs.ds.selector"));
  EXPECT_THAT(refusal(kRegisters + 6 * kSegment + 24, 16), HasSubstr("sregs.tr.type"));
  const std::vector<std::string> flags = {"present", "dpl", "db",       "s",      "l",
                                          "g",       "avl", "unusable", "padding"};
  for (std::size_t i = 0; i < flags.size(); ++i) {
    EXPECT_THAT(refusal(kRegisters + 8 * (4 + i), 4), HasSubstr("sregs.cs." + flags[i]));
  }
  EXPECT_THAT(refusal(tables + 8, 0x1'0000), HasSubstr("sregs.gdt.limit"));
  EXPECT_THAT(refusal(tables + 24, 0x1'0000), HasSubstr("sregs.idt.limit"));
  EXPECT_THAT(refusal(tables + 32 + 32, 16), HasSubstr("sregs.cr8"));
  EXPECT_THAT(refusal(tables + 32 + 48, 0x400), HasSubstr("sregs.apic_base"));
  for (std::size_t word = 0; word < 4; ++word) {
    EXPECT_THAT(refusal(kHeaderHash - 8 - 8 * word, 1), HasSubstr("interrupt_bitmap"));
  }
}

TEST_F(HlsTest, What_its_guest_relies_on_must_be_there) {
  save();
  Result<StoredSnapshot> stored = read_hls(path_);
  ASSERT_TRUE(stored);
  stored->config.functions.push_back({"GetCmdLine", "", 's'});
  EXPECT_THAT(check_goes_on_here(*stored).error().message, HasSubstr("GetCmdLine"));
  std::string bytes = good_;
  bytes[kHlsFixed + 3] = '\x7f';
  sign(&bytes);
  EXPECT_THAT(refusal(bytes), HasSubstr("host_funcs"));
}

}  // namespace
}  // namespace runhl::boot
