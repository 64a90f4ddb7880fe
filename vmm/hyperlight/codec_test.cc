// SPDX-License-Identifier: Apache-2.0
// Bytes that real kernels and the reference encoder made, and what is near to them and wrong.
#include "hyperlight/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace runhl::vmm::hyperlight {
namespace {

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '\n') {
      digits += c;
    }
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Captured from kernel 0.20.1, without the 12-byte header.
const Bytes kGetCmdLine = from_hex(R"(
  30 00 00 00 10 00 00 00 0c 00 10 00 04 00 00 00 0c 00 0d 00 0c 00 00 00 0c 00 00 00 00 00 00 00
  02 06 00 00 0a 00 00 00 47 65 74 43 6d 64 4c 69 6e 65 00 00)");
// The reference encoder's.
const Bytes kVoidResult = from_hex(R"(
  2c 00 00 00 04 00 00 00 f4 ff ff ff 00 00 00 01 0c 00 00 00 08 00 0c 00 07 00 08 00 08 00 00 00
  00 00 00 09 08 00 00 00 04 00 04 00 04 00 00 00)");
const Bytes kGuestError = from_hex(R"(
  3c 00 00 00 10 00 00 00 00 00 00 00 08 00 0c 00 07 00 08 00 08 00 00 00 00 00 00 02 0c 00 00 00
  08 00 10 00 08 00 04 00 08 00 00 00 0c 00 00 00 11 00 00 00 00 00 00 00 02 00 00 00 6e 6f 00 00)");
const Bytes kG2DispatchCall = from_hex(R"(
  7c 00 00 00 10 00 00 00 0c 00 10 00 08 00 0c 00 06 00 07 00 0c 00 00 00 00 00 02 09 08 00 00 00
  14 00 00 00 0a 00 00 00 5f 5f 64 69 73 70 61 74 63 68 00 00 01 00 00 00 0c 00 00 00 08 00 0e 00
  07 00 08 00 08 00 00 00 00 00 00 09 0c 00 00 00 00 00 06 00 08 00 04 00 06 00 00 00 04 00 00 00
  19 00 00 00 7b 22 6e 61 6d 65 22 3a 22 65 63 68 6f 22 2c 22 61 72 67 73 22 3a 7b 7d 7d 00 00 00)");

TEST(Codec, Reads_a_call_that_a_kernel_made) {
  const Result<Call> call = decode_call(Generation::G3, kGetCmdLine);
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->name, "GetCmdLine");
  EXPECT_TRUE(call->parameters.empty());
}

TEST(Codec, Reads_bytes_inside_a_message_in_G2_alone) {
  const Result<Call> call = decode_call(Generation::G2, kG2DispatchCall);
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->name, "__dispatch");
  ASSERT_EQ(call->parameters.size(), 1U);
  EXPECT_EQ(std::get<Bytes>(call->parameters[0]).size(), 25U);
  EXPECT_FALSE(decode_call(Generation::G3, kG2DispatchCall));
}

TEST(Codec, Encodes_a_call_as_the_reference_does) {
  EXPECT_EQ(encode_call("step"), from_hex(R"(
    28 00 00 00 10 00 00 00 0c 00 0c 00 08 00 00 00 06 00 07 00 0c 00 00 00 00 00 01 08
    04 00 00 00 04 00 00 00 73 74 65 70 00 00 00 00)"));
}

TEST(Codec, Encodes_results_as_the_reference_does) {
  EXPECT_EQ(encode_result(Generation::G3, Void{}), kVoidResult);
  EXPECT_EQ(encode_result(Generation::G3, std::uint64_t{0xffffffffffffef90}), from_hex(R"(
    44000000 10000000 00000000 08000c00 07000800 08000000 00000001 0c000000 08000e00 07000800
    08000000 00000004 0c000000 00000600 0c000400 06000000 90efffff ffffffff)"));
  EXPECT_EQ(encode_result(Generation::G3, std::int32_t{10}), from_hex(R"(
    3c000000 0c000000 08000c00 07000800 08000000 00000001 0c000000 08000e00 07000800 08000000
    00000001 0c000000 00000600 08000400 06000000 0a000000)"));
  EXPECT_EQ(encode_error("no"), kGuestError);
}

TEST(Codec, Puts_bytes_behind_the_message_in_G3_and_into_it_in_G2) {
  const Bytes abc = from_hex("616263");
  EXPECT_EQ(encode_result(Generation::G3, abc), from_hex(R"(
    44000000 10000000 00000000 08000c00 07000800 08000000 00000001 0c000000 08000e00 07000800
    08000000 0000000b 0c000000 00000600 0c000400 06000000 03000000 00000000 616263)"));
  const Bytes inside = encode_result(Generation::G2, abc);
  std::uint32_t prefix = 0;
  std::memcpy(&prefix, inside.data(), sizeof prefix);
  EXPECT_EQ(prefix + 4, inside.size());  // nothing behind it
}

TEST(Codec, Tells_a_guests_success_from_its_failure) {
  EXPECT_TRUE(decode_result(Generation::G3, kVoidResult));
  const Result<void> error = decode_result(Generation::G2, kGuestError);
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().code, ErrorCode::GuestFault);
  EXPECT_EQ(error.error().message, "Guest error occurred HostError: no");
}

TEST(Codec, Refuses_a_result_as_a_call_and_bytes_that_belong_to_nothing) {
  EXPECT_FALSE(decode_call(Generation::G3, kVoidResult));
  EXPECT_FALSE(decode_call(Generation::G3, encode_call("step")));  // the host's own kind
  Bytes longer = kGetCmdLine;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_call(Generation::G3, longer));
}

TEST(Codec, Refuses_every_truncation) {
  for (const Bytes& whole : {kGetCmdLine, kG2DispatchCall}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(decode_call(Generation::G2, part)) << size;
    }
  }
}

TEST(Codec, Survives_every_changed_byte) {
  for (std::size_t at = 0; at < kG2DispatchCall.size(); ++at) {
    for (const unsigned value : {0U, 1U, 0x7fU, 0x80U, 0xffU}) {
      Bytes changed = kG2DispatchCall;
      changed[at] = static_cast<std::byte>(value);
      (void)decode_call(Generation::G2, changed);
      (void)decode_result(Generation::G2, changed);
      (void)decode_log(changed);
    }
  }
}

TEST(Codec, Letters_name_types) {
  EXPECT_EQ(letter_of(std::int32_t{1}), 'i');
  EXPECT_EQ(letter_of(std::uint64_t{1}), 'U');
  EXPECT_EQ(letter_of(std::string("x")), 's');
  EXPECT_EQ(letter_of(Bytes{}), 'v');
  EXPECT_EQ(letter_of(Void{}), '-');
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
