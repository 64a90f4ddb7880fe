// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/decode.h"

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <random>

#include "hosted/program_text.h"

namespace runhl::kernel {
namespace {

class DecodeTest : public ::testing::Test {
 protected:
  DecodeTest() { ZydisDecoderInit(&zydis_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }

  bool reference(std::span<const std::uint8_t> bytes, ZydisDecodedInstruction& out) const {
    return ZYAN_SUCCESS(
        ZydisDecoderDecodeInstruction(&zydis_, nullptr, bytes.data(), bytes.size(), &out));
  }

  static bool leaves(const ZydisDecodedInstruction& z) {
    switch (z.meta.category) {
      case ZYDIS_CATEGORY_CALL:
      case ZYDIS_CATEGORY_COND_BR:
      case ZYDIS_CATEGORY_UNCOND_BR:
      case ZYDIS_CATEGORY_RET:
      case ZYDIS_CATEGORY_SYSCALL:
      case ZYDIS_CATEGORY_SYSRET:
      case ZYDIS_CATEGORY_INTERRUPT:
        return true;
      default:
        return false;
    }
  }
  static bool names_place(const ZydisDecodedInstruction& z) {
    return (z.attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0;
  }

  /// Whatever we say we know must be what the reference says; 1: we know it.
  unsigned compare(std::span<const std::uint8_t> bytes, const ZydisDecodedInstruction& z) {
    const Instruction ours = decode(bytes);
    if (ours.length == 0) {
      return 0;
    }
    EXPECT_EQ(ours.length, z.length) << ZydisMnemonicGetString(z.mnemonic);
    if (leaves(z)) {
      EXPECT_TRUE(ours.transfers) << ZydisMnemonicGetString(z.mnemonic);
    }
    if (names_place(z)) {
      EXPECT_TRUE(ours.rip_relative || ours.transfers) << ZydisMnemonicGetString(z.mnemonic);
    }
    return 1;
  }

  ZydisDecoder zydis_{};
};

TEST_F(DecodeTest, Agrees_with_a_disassembler_over_the_machines_libraries) {
  for (const auto& program : hosted::installed_programs()) {
    const std::span<const std::uint8_t> text(program.bytes);
    const std::size_t end = std::min<std::size_t>(text.size(), 1'500'000);
    std::size_t seen = 0;
    std::size_t known = 0;
    for (std::size_t at = 0; at < end && !HasFailure();) {
      ZydisDecodedInstruction z;
      if (!reference(text.subspan(at), z)) {
        ++at;
        continue;
      }
      ++seen;
      known += compare(text.subspan(at), z);
      at += z.length;
    }
    EXPECT_GT(known * 1000, seen * 998) << program.path;
  }
}

TEST_F(DecodeTest, Agrees_with_a_disassembler_on_random_bytes) {
  std::mt19937_64 random(11);
  std::array<std::uint8_t, 32> bytes{};
  for (unsigned i = 0; i < 300'000 && !HasFailure(); ++i) {
    for (auto& byte : bytes) {
      byte = static_cast<std::uint8_t>(random());
    }
    ZydisDecodedInstruction z;
    if (reference(bytes, z)) {
      (void)compare(bytes, z);
    }
  }
}

TEST(Decode, Refuses_what_is_cut_off) {
  const std::array<std::uint8_t, 5> move{0xb8, 1, 0, 0, 0};
  EXPECT_EQ(decode(move).length, 5);
  EXPECT_EQ(decode(std::span(move).first(4)).length, 0);
  EXPECT_EQ(decode({}).length, 0);
}

}  // namespace
}  // namespace runhl::kernel
