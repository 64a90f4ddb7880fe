// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runhl/blobs/blob_writer.h"
#include "runhl/blobs/verify.h"
#include "runhl/image/media_types.h"

namespace runhl::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Blobs : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(store_.blob_directory()), {}));
  }

  std::filesystem::path path_;
  Store store_ = [this] {
    std::string name = std::filesystem::temp_directory_path() / "runhl-blobs-XXXXXX";
    path_ = ::mkdtemp(name.data());
    return std::move(*Store::open(path_));
  }();
};

TEST(Sha256, Is_the_digest_that_everybody_computes) {
  EXPECT_EQ(digest_of("").hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_of("abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(Blobs, Content_has_the_name_of_what_was_written) {
  const auto added = add_document(store_, "abc", kOciConfig);
  ASSERT_TRUE(added);
  EXPECT_EQ(added->digest, digest_of("abc"));
  EXPECT_EQ(*store_.document(*added), "abc");
}

TEST_F(Blobs, Other_content_or_another_size_leaves_nothing) {
  for (const std::string text : {"abd", "abcd"}) {
    auto writer = BlobWriter::create(store_);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->write(std::as_bytes(std::span(text))));
    const auto finished =
        writer->finish(Descriptor{.media_type = "", .digest = digest_of("abc"), .size = 3});
    ASSERT_FALSE(finished);
    EXPECT_THAT(finished.error().message, HasSubstr("came with"));
  }
  EXPECT_EQ(files(), 0U);
}

TEST_F(Blobs, Verify_names_what_has_changed) {
  const auto layer = add_document(store_, "layer", kOciLayerTar);
  const auto config = add_document(store_, "{}", kOciConfig);
  const auto manifest = add_document(store_, to_json(Manifest{*config, {*layer}}), kOciManifest);
  const NamedImage image{.name = "n:1", .descriptor = *manifest};
  EXPECT_THAT(verify_image(store_, image), IsEmpty());
  std::ofstream(store_.blob_directory() + "/" + layer->digest.hex()) << "Layer";
  EXPECT_THAT(verify_image(store_, image),
              ElementsAre(HasSubstr("n:1: " + layer->digest.text() + " has become sha256:")));
  std::filesystem::remove(store_.blob_directory() + "/" + manifest->digest.hex());
  EXPECT_THAT(verify_image(store_, image), ElementsAre(HasSubstr("is not in the store")));
}

}  // namespace
}  // namespace runhl::oci
