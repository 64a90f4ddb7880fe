// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runhl/blobs/blob_writer.h"
#include "runhl/blobs/verify.h"
#include "runhl/image/media_types.h"
#include "runhl/layouts/docker_archive.h"
#include "runhl/layouts/layout.h"
#include "runhl/layouts/transport.h"

namespace runhl::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Layouts : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(path_); }

  static std::string make_directory() {
    std::string name = std::filesystem::temp_directory_path() / "runhl-layouts-XXXXXX";
    return ::mkdtemp(name.data());
  }
  StoredImage make_image(const std::string& name) {
    const std::string id = digest_of("layer").text();
    const auto layer = add_document(store_, "layer", kOciLayerTar);
    const auto config =
        add_document(store_, R"({"rootfs":{"diff_ids":[")" + id + R"("]}})", kOciConfig);
    const auto manifest = add_document(store_, to_json(Manifest{*config, {*layer}}), kOciManifest);
    EXPECT_TRUE(store_.set_name(name, *manifest));
    auto image = load_image(store_, *store_.find(name));
    EXPECT_TRUE(image) << image.error().message;
    return std::move(*image);
  }
  [[nodiscard]] Store other() const { return std::move(*Store::open(path_ / "other")); }

  std::filesystem::path path_ = make_directory();
  Store store_ = std::move(*Store::open(path_ / "store"));
};

TEST_F(Layouts, What_is_saved_as_a_layout_loads_as_the_same) {
  const StoredImage image = make_image("a.example/x:1");
  ASSERT_TRUE(save_layout(store_, image, path_ / "layout"));
  EXPECT_EQ(save_layout(store_, image, path_ / "layout").error().code, ErrorCode::AlreadyExists);
  const auto loaded = load_layout(other(), {.directory = path_ / "layout", .ref = {}, .name = {}});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(*loaded, "a.example/x:1");
  EXPECT_EQ(other().find(*loaded)->descriptor.digest, image.named.descriptor.digest);
  EXPECT_THAT(verify_image(other(), *other().find(*loaded)), IsEmpty());
}

TEST_F(Layouts, What_is_saved_for_docker_loads_with_the_same_parts) {
  const StoredImage image = make_image("a.example/x:1");
  ASSERT_TRUE(save_docker_archive(store_, image, path_ / "x.tar"));
  const auto loaded = load_docker_archive(other(), path_ / "x.tar");
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_THAT(*loaded, ElementsAre("a.example/x:1"));
  const auto again = load_image(other(), *other().find("a.example/x:1"));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->manifest.config.digest, image.manifest.config.digest);
  EXPECT_EQ(again->manifest.layers.at(0).digest, image.manifest.layers.at(0).digest);
}

TEST_F(Layouts, Changed_content_is_refused_and_leaves_no_name) {
  const StoredImage image = make_image("a.example/x:1");
  ASSERT_TRUE(save_layout(store_, image, path_ / "layout"));
  std::ofstream(path_ / "layout/blobs/sha256" / digest_of("layer").hex()) << "LAYER";
  const auto loaded = load_layout(other(), {.directory = path_ / "layout", .ref = {}, .name = {}});
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("came with other content"));
  EXPECT_THAT(*other().images(), IsEmpty());
}

TEST_F(Layouts, An_image_that_is_not_there_is_named) {
  ASSERT_TRUE(save_layout(store_, make_image("a.example/x:1"), path_ / "layout"));
  const auto loaded = load_layout(other(), {.directory = path_ / "layout", .ref = "y", .name = {}});
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("no image \"y\"; there are: a.example/x:1"));
}

TEST_F(Layouts, What_is_no_archive_of_docker_is_refused) {
  std::ofstream(path_ / "x.tar") << "not a tar";
  EXPECT_FALSE(load_docker_archive(store_, path_ / "x.tar"));
  EXPECT_FALSE(load_docker_archive(store_, path_ / "missing.tar"));
  EXPECT_FALSE(parse_archive_manifest("{}"));
  EXPECT_THAT(parse_archive_manifest(R"([{"Layers":[]}])").error().message,
              HasSubstr("/0/Config: is missing"));
}

TEST(Transport, Is_written_as_elsewhere) {
  EXPECT_EQ(Transport::parse("oci:/d:busybox:latest")->ref, "busybox:latest");
  EXPECT_EQ(Transport::parse("oci:/d")->path, "/d");
  EXPECT_EQ(Transport::parse("docker-archive:a:b.tar")->path, "a:b.tar");
  EXPECT_FALSE(Transport::parse("docker://busybox"));
  EXPECT_FALSE(Transport::parse("oci:"));
}

}  // namespace
}  // namespace runhl::oci
