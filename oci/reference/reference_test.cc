// SPDX-License-Identifier: Apache-2.0
#include "runhl/reference/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runhl::oci {
namespace {

using ::testing::HasSubstr;

const std::string kHex(64, 'a');

std::string spelled_out(std::string_view text) {
  const auto parsed = Reference::parse(text);
  return parsed ? parsed->text() : parsed.error().message;
}

TEST(Reference, Has_the_defaults_of_docker) {
  EXPECT_EQ(spelled_out("busybox"), "docker.io/library/busybox:latest");
  EXPECT_EQ(spelled_out("team/app:1.2"), "docker.io/team/app:1.2");
  EXPECT_EQ(spelled_out("index.docker.io/app"), "docker.io/library/app:latest");
  EXPECT_EQ(spelled_out("localhost/app"), "localhost/app:latest");
  EXPECT_EQ(spelled_out("localhost:5000/a/b_c/d__e-f:T.a-g_"),
            "localhost:5000/a/b_c/d__e-f:T.a-g_");
  EXPECT_EQ(spelled_out("[::1]:5000/app"), "[::1]:5000/app:latest");
  EXPECT_EQ(spelled_out("HOST/app"), "HOST/app:latest");
  EXPECT_EQ(spelled_out("ghcr.io/o/i@sha256:" + kHex), "ghcr.io/o/i@sha256:" + kHex);
  EXPECT_EQ(spelled_out("busybox:1@sha256:" + kHex), "docker.io/library/busybox:1@sha256:" + kHex);
}

TEST(Reference, Text_parses_to_the_same) {
  for (const std::string& text : {std::string("busybox"), std::string("h.example:1/x:y"),
                                  "a/b@sha256:" + kHex, std::string("[::1]/x")}) {
    const auto once = Reference::parse(text);
    ASSERT_TRUE(once) << text;
    const auto twice = Reference::parse(once->text());
    ASSERT_TRUE(twice) << once->text();
    EXPECT_EQ(*once, *twice);
  }
}

TEST(Reference, Refuses_what_is_none) {
  for (const std::string& text : {std::string(),
                                  std::string("Busybox"),
                                  std::string("a//b"),
                                  std::string("/a"),
                                  std::string("a/"),
                                  std::string("a:"),
                                  std::string("a:.."),
                                  std::string("a:-x"),
                                  std::string("a..b"),
                                  std::string("a___b"),
                                  std::string("-a"),
                                  std::string("a@"),
                                  std::string("a@sha256:abc"),
                                  "a@sha256:" + std::string(64, 'A'),
                                  kHex,
                                  std::string("host.example:port/a"),
                                  std::string("-h.example/a"),
                                  std::string("[::1/a"),
                                  std::string("../a"),
                                  std::string("a/../b"),
                                  std::string("a b"),
                                  std::string("a\nb"),
                                  "a:" + std::string(129, 't'),
                                  "a/" + std::string(254, 'n'),
                                  std::string("a\0b", 3)}) {
    const auto parsed = Reference::parse(text);
    ASSERT_FALSE(parsed) << text << " became " << parsed->text();
    EXPECT_EQ(parsed.error().code, ErrorCode::InvalidArgument);
    EXPECT_THAT(parsed.error().message, HasSubstr(" is no image: "));
    EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos);
  }
}

TEST(Domain, Knows_this_machine) {
  for (const char* domain : {"localhost", "localhost:5000", "127.0.0.1:1", "[::1]:5000"}) {
    EXPECT_TRUE(is_this_machine(domain)) << domain;
  }
  for (const char* domain : {"docker.io", "localhost.example", "127.0.0.1.example", "[::2]:5000"}) {
    EXPECT_FALSE(is_this_machine(domain)) << domain;
  }
}

TEST(Domain, Is_taken_out_of_an_address) {
  EXPECT_EQ(parse_domain("ghcr.io"), "ghcr.io");
  EXPECT_EQ(parse_domain("registry:5000"), "registry:5000");
  EXPECT_EQ(parse_domain("https://index.docker.io/v1/"), "docker.io");
  for (const char* text : {"", "/", "https://", "a b", "-x", "h:port", "h:1:2", "u@h"}) {
    EXPECT_FALSE(parse_domain(text)) << text;
  }
}

TEST(Digest, Is_64_lower_case_digits_of_sha256) {
  EXPECT_EQ(Digest::parse("sha256:" + kHex)->text(), "sha256:" + kHex);
  EXPECT_FALSE(Digest::parse("sha256:" + kHex + "0"));
  EXPECT_FALSE(Digest::parse("sha256:../" + kHex.substr(3)));
  EXPECT_EQ(Digest::parse("sha512:" + kHex + kHex).error().code, ErrorCode::Unsupported);
}

}  // namespace
}  // namespace runhl::oci
