// SPDX-License-Identifier: Apache-2.0
#include "runhl/image/platform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runhl/image/media_types.h"

namespace runhl::oci {
namespace {

using ::testing::HasSubstr;

Descriptor image(char c, std::optional<Platform> platform) {
  return {.media_type = std::string(kOciManifest),
          .digest = *Digest::parse("sha256:" + std::string(64, c)),
          .size = 1,
          .platform = std::move(platform)};
}

TEST(Platform, Of_an_index_ours_is_chosen) {
  const Index index{
      {image('1', Platform{"linux", "arm64", "v8"}), image('2', Platform{"linux", "amd64", "v3"}),
       image('3', Platform{"linux", "amd64", ""}), image('4', Platform{"unknown", "unknown", ""})}};
  EXPECT_EQ(choose(index, own_platform())->digest.hex()[0], '3');
  EXPECT_EQ(choose(index, {"linux", "arm64", ""})->digest.hex()[0], '1');
  const auto none = choose(index, {"linux", "s390x", ""});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message,
            "no image for linux/s390x; there are: linux/arm64/v8, linux/amd64/v3, linux/amd64");
}

TEST(Platform, An_index_of_one_without_platform_names_it) {
  EXPECT_TRUE(choose(Index{{image('1', {})}}, own_platform()));
  EXPECT_FALSE(choose(Index{{image('1', {}), image('2', {})}}, own_platform()));
  EXPECT_FALSE(choose(Index{}, own_platform()));
}

TEST(Platform, An_index_in_itself_ends) {
  const Descriptor top = image('1', own_platform());
  int asked = 0;
  const auto resolved =
      resolve(top, own_platform(), [&](const Descriptor& wanted) -> Result<std::string> {
        ++asked;
        return to_json(Index{{wanted}});
      });
  ASSERT_FALSE(resolved);
  EXPECT_THAT(resolved.error().message, HasSubstr("more than four deep"));
  EXPECT_EQ(asked, 4);
}

TEST(Platform, Is_written_and_read) {
  EXPECT_EQ(to_string(*parse_platform("linux/arm/v7")), "linux/arm/v7");
  EXPECT_EQ(to_string(*parse_platform("linux/amd64")), "linux/amd64");
  EXPECT_FALSE(parse_platform("linux"));
  EXPECT_FALSE(parse_platform(""));
}

}  // namespace
}  // namespace runhl::oci
