// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "challenge.h"
#include "credentials.h"
#include "helper.h"
#include "partial_blob.h"

namespace runhl::oci {
namespace {

using ::testing::HasSubstr;

TEST(Base64, Is_what_everybody_writes) {
  EXPECT_EQ(encode_base64(""), "");
  EXPECT_EQ(encode_base64("f"), "Zg==");
  EXPECT_EQ(encode_base64("fo"), "Zm8=");
  EXPECT_EQ(encode_base64("foo"), "Zm9v");
  EXPECT_EQ(decode_base64("dXNlcjpwYXNz"), "user:pass");
  EXPECT_EQ(decode_base64("Zg=="), "f");
  EXPECT_FALSE(decode_base64("Z g"));
}

TEST(Challenge, Bearer_names_where_a_token_is_got) {
  const auto challenge = Challenge::parse(
      R"(Bearer realm="https://x.example/token",service="a \"b\"", scope="repository:a/b:pull,push")");
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->realm, "https://x.example/token");
  EXPECT_EQ(challenge->service, "a \"b\"");
  EXPECT_EQ(challenge->scope, "repository:a/b:pull,push");
  EXPECT_EQ(Challenge::parse("basic realm=x")->scheme, Challenge::Scheme::Basic);
  for (const char* text : {"", "Negotiate", "Bearer", "Bearer service=\"x\"", "Bearer realm=\""}) {
    EXPECT_FALSE(Challenge::parse(text)) << text;
  }
}

TEST(Credentials, Are_found_by_the_registrys_name) {
  const auto find = [](const std::string& config, const std::string& domain) {
    const auto source = parse_credentials(config, domain);
    return !source               ? "error: " + source.error().message
           : source->credentials ? source->credentials->user + "/" + source->credentials->secret
                                 : "helper: " + source->helper;
  };
  const std::string auths =
      R"({"auths":{"h.example:5":{"auth":"dXNlcjpwYXNz"},"https://index.docker.io/v1/":)"
      R"({"auth":"ZDpwOnE="}},"credHelpers":{"g.example":"gcloud"},"credsStore":"desktop"})";
  EXPECT_EQ(find(auths, "h.example:5"), "user/pass");
  EXPECT_EQ(find(auths, "docker.io"), "d/p:q");
  EXPECT_EQ(find(auths, "g.example"), "helper: gcloud");
  EXPECT_EQ(find(auths, "other.example"), "helper: desktop");
  EXPECT_EQ(find("{}", "x"), "helper: ");
  EXPECT_THAT(find(R"({"auths":{"x":{"auth":"%"}}})", "x"), HasSubstr("/auths/x/auth"));
}

class HelperTest : public ::testing::Test {
 protected:
  HelperTest() {
    std::string name = std::filesystem::temp_directory_path() / "runhl-helper-XXXXXX";
    path_ = ::mkdtemp(name.data());
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    ::setenv("PATH", (path_.string() + ":/usr/bin:/bin").c_str(), 1);
  }
  ~HelperTest() override { std::filesystem::remove_all(path_); }
  void program(const std::string& script) const {
    std::ofstream(path_ / "docker-credential-test") << "#!/bin/sh\n" << script;
    ::chmod((path_ / "docker-credential-test").c_str(), 0755);
  }
  std::filesystem::path path_;
};

TEST_F(HelperTest, Is_asked_on_its_standard_input) {
  program(R"(read d; echo "{\"Username\":\"u\",\"Secret\":\"of $d\"}")");
  const auto answer = ask_helper("test", "h.example");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ((*answer)->secret, "of h.example");
}

TEST_F(HelperTest, Nothing_and_failure_are_told_apart) {
  program("exit 1");
  EXPECT_FALSE(ask_helper("test", "h.example")->has_value());
  program("echo nonsense");
  EXPECT_FALSE(ask_helper("test", "h.example"));
  EXPECT_FALSE(ask_helper("missing", "h.example"));
  EXPECT_FALSE(ask_helper("../bin/sh", "h.example"));
}

TEST(PartialBlob, Goes_on_where_it_was_cut_off_and_keeps_nothing_wrong) {
  std::string name = std::filesystem::temp_directory_path() / "runhl-partial-XXXXXX";
  const std::filesystem::path path = ::mkdtemp(name.data());
  const Store store = std::move(*Store::open(path));
  const Descriptor wanted{.media_type = "", .digest = digest_of("abcdef"), .size = 6};
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  {
    auto cut = PartialBlob::open(store, wanted);
    ASSERT_TRUE(cut);
    ASSERT_TRUE(cut->write(bytes("abc")));
  }
  {
    auto again = PartialBlob::open(store, wanted);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->size(), 3U);
    ASSERT_TRUE(again->write(bytes("deX")));
    EXPECT_FALSE(again->finish());
  }
  {
    auto fresh = PartialBlob::open(store, wanted);
    ASSERT_TRUE(fresh);
    EXPECT_EQ(fresh->size(), 0U);
    ASSERT_TRUE(fresh->write(bytes("abcXef")));
    ASSERT_TRUE(fresh->restart());
    ASSERT_TRUE(fresh->write(bytes("abcdef")));
    EXPECT_TRUE(fresh->finish());
  }
  EXPECT_TRUE(store.has(wanted));
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace runhl::oci
