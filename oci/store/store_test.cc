// SPDX-License-Identifier: Apache-2.0
#include "runhl/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "runhl/image/media_types.h"
#include "runhl/store/stored_image.h"

namespace runhl::oci {
namespace {

using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string name = std::filesystem::temp_directory_path() / "runhl-store-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  [[nodiscard]] Store store() const {
    auto opened = Store::open(path_ / "store");
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  /// Content under any name: a store believes who checked it.
  Descriptor put(char name, const std::string& text, std::string_view type) const {
    const Descriptor descriptor{.media_type = std::string(type),
                                .digest = *Digest::parse("sha256:" + std::string(64, name)),
                                .size = text.size()};
    std::ofstream(store().blob_directory() + "/" + descriptor.digest.hex()) << text;
    return descriptor;
  }
  Descriptor put_image(char manifest, char config, char layer) const {
    const std::string id = "sha256:" + std::string(64, 'd');
    return put(
        manifest,
        to_json(Manifest{put(config, R"({"rootfs":{"diff_ids":[")" + id + R"("]}})", kOciConfig),
                         {put(layer, "layer", kOciLayerTar)}}),
        kOciManifest);
  }

  std::filesystem::path path_;
};

TEST_F(StoreTest, A_name_leads_to_an_image_until_it_is_removed) {
  const Store store = this->store();
  ASSERT_TRUE(store.set_name("a.example/x:1", put_image('1', '2', '3')));
  ASSERT_TRUE(store.set_name("a.example/a:1", put_image('4', '5', '3')));
  const auto images = store.images();
  ASSERT_TRUE(images);
  ASSERT_EQ(images->size(), 2U);
  EXPECT_EQ(images->front().name, "a.example/a:1");
  const auto image = load_image(store, *store.find("a.example/x:1"));
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->layers_text(), "sha256:" + std::string(64, 'd') + "\n");
  ASSERT_TRUE(store.remove_name("a.example/x:1"));
  EXPECT_FALSE(store.find("a.example/x:1"));
  EXPECT_EQ(store.remove_name("a.example/x:1").error().code, ErrorCode::NotFound);
}

TEST_F(StoreTest, A_name_moves_to_another_image) {
  const Store store = this->store();
  ASSERT_TRUE(store.set_name("n:1", put_image('1', '2', '3')));
  ASSERT_TRUE(store.set_name("n:1", put_image('4', '5', '6')));
  ASSERT_EQ(store.images()->size(), 1U);
  EXPECT_EQ(store.find("n:1")->descriptor.digest.hex()[0], '4');
}

TEST_F(StoreTest, What_no_name_reaches_is_removed_and_nothing_else) {
  const Store store = this->store();
  ASSERT_TRUE(store.set_name("keep:1", put_image('1', '2', '3')));
  ASSERT_TRUE(store.set_name("drop:1", put_image('4', '5', '3')));
  ASSERT_TRUE(store.remove_name("drop:1"));
  std::ofstream(path_ / "store/.runhl-7.tmp") << "left by a kill";
  std::ofstream(store.partial_directory() + "/x") << "half";
  const auto usage = store.usage();
  ASSERT_TRUE(usage) << usage.error().message;
  EXPECT_EQ(usage->images, 1U);
  EXPECT_EQ(usage->needed.count, 3U);
  EXPECT_EQ(usage->unneeded.count, 2U);
  EXPECT_EQ(usage->partial.count, 1U);
  const auto collected = store.collect(Store::Wait::No);
  ASSERT_TRUE(collected) << collected.error().message;
  EXPECT_EQ(collected->blobs, 4U);
  EXPECT_EQ(store.usage()->needed.count, 3U);
  EXPECT_EQ(store.usage()->unneeded.count + store.usage()->partial.count, 0U);
  EXPECT_TRUE(load_image(store, *store.find("keep:1")));
  EXPECT_TRUE(std::filesystem::exists(path_ / "store/oci-layout"));
}

TEST_F(StoreTest, Nothing_is_removed_while_somebody_adds) {
  const Store store = this->store();
  put('1', "not yet reached", kOciLayerTar);
  auto use = store.begin_adding();
  ASSERT_TRUE(use);
  EXPECT_TRUE(this->store().begin_adding()) << "several add at once";
  EXPECT_TRUE(store.collect(Store::Wait::No)->busy);
  use->reset();
  EXPECT_EQ(store.collect(Store::Wait::No)->blobs, 1U);
}

TEST_F(StoreTest, An_unreadable_manifest_stops_the_removal) {
  const Store store = this->store();
  const Descriptor manifest = put_image('1', '2', '3');
  ASSERT_TRUE(store.set_name("n:1", manifest));
  std::ofstream(store.blob_directory() + "/" + manifest.digest.hex())
      << std::string(manifest.size, '{');
  const auto collected = store.collect(Store::Wait::No);
  ASSERT_FALSE(collected);
  EXPECT_THAT(collected.error().message, HasSubstr("n:1"));
  EXPECT_TRUE(std::filesystem::exists(store.blob_directory() + "/" + std::string(64, '3')));
}

TEST_F(StoreTest, Content_of_another_size_is_not_given) {
  const Store store = this->store();
  Descriptor descriptor = put('1', "12345", kOciLayerTar);
  EXPECT_TRUE(store.has(descriptor));
  descriptor.size = 6;
  EXPECT_FALSE(store.has(descriptor));
  EXPECT_THAT(store.blob(descriptor).error().message, HasSubstr("has 5 bytes, not the 6"));
}

TEST_F(StoreTest, A_directory_that_is_open_to_others_is_refused) {
  std::filesystem::create_directory(path_ / "store");
  ::chmod((path_ / "store").c_str(), 0777);
  EXPECT_EQ(Store::open(path_ / "store").error().code, ErrorCode::Permission);
}

}  // namespace
}  // namespace runhl::oci
