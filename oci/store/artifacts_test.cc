// SPDX-License-Identifier: Apache-2.0
#include "runhl/store/artifacts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "runhl/image/media_types.h"

namespace runhl::oci {
namespace {

using ::testing::HasSubstr;

class ArtifactsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "runhl-artifacts-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  [[nodiscard]] Store kernels() const {
    auto opened = open_artifacts(path_, ArtifactKind::Kernel);
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }
  static std::string digest(char digit) { return "sha256:" + std::string(64, digit); }
  /// Content under any name: a store believes who checked it.
  [[nodiscard]] Descriptor put(char name, const std::string& text, std::string_view type) const {
    const Descriptor descriptor{.media_type = std::string(type),
                                .digest = *Digest::parse(digest(name)),
                                .size = text.size()};
    std::ofstream(kernels().blob_directory() + "/" + descriptor.digest.hex()) << text;
    return descriptor;
  }
  void put_kernel(const std::string& name, char manifest, char file, char source) const {
    const Descriptor config =
        put('c', std::string(kArtifactConfig), config_type(ArtifactKind::Kernel));
    const Descriptor kernel = put(file, "kernel", file_type(ArtifactKind::Kernel));
    const auto named = name_artifact(kernels(), name,
                                     put(manifest, artifact_manifest(config, kernel), kOciManifest),
                                     {.source = digest(source), .detail = "G3"});
    EXPECT_TRUE(named) << named.error().message;
  }
  [[nodiscard]] std::string found(std::string_view text) const {
    const auto artifact = find_artifact(kernels(), text);
    return artifact ? artifact->named.name : artifact.error().message;
  }

  std::filesystem::path path_;
};

TEST_F(ArtifactsTest, Are_found_by_name_and_by_content) {
  put_kernel("ghcr.io/a/kernel:1", '1', '2', '3');
  put_kernel("docker.io/library/kernel:latest", '4', '5', '6');
  EXPECT_EQ(found("ghcr.io/a/kernel:1"), "ghcr.io/a/kernel:1");
  EXPECT_EQ(found("kernel"), "docker.io/library/kernel:latest");
  EXPECT_EQ(found("elsewhere.example/x@" + digest('3')), "ghcr.io/a/kernel:1");
  EXPECT_EQ(found(digest('5')), "docker.io/library/kernel:latest");
  EXPECT_EQ(found(digest('3')), "ghcr.io/a/kernel:1");
  // What a registry calls it is not what the file is.
  EXPECT_THAT(found("elsewhere.example/x@" + digest('2')), HasSubstr("not in the store"));
  EXPECT_THAT(found("ghcr.io/a/kernel:2"), HasSubstr("ghcr.io/a/kernel:2 is not in the store"));
  EXPECT_THAT(found("default"), HasSubstr("default is not in the store"));
  EXPECT_THAT(found("No:t:one"), HasSubstr("No:t:one"));
}

TEST_F(ArtifactsTest, Keep_what_is_known_of_them) {
  put_kernel("ghcr.io/a/kernel:1", '1', '2', '3');
  const auto kernel = find_artifact(kernels(), "ghcr.io/a/kernel:1");
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel->detail, "G3");
  EXPECT_EQ(kernel->source, digest('3'));
  EXPECT_EQ(kernel->file.size, 6U);
}

TEST_F(ArtifactsTest, Stay_while_a_name_leads_to_them) {
  put_kernel("ghcr.io/a/kernel:1", '1', '2', '3');
  const Store store = kernels();
  ASSERT_TRUE(store.set_name(std::string(kDefaultArtifact),
                             find_artifact(store, "ghcr.io/a/kernel:1")->named.descriptor));
  ASSERT_TRUE(store.remove_name("ghcr.io/a/kernel:1"));
  ASSERT_TRUE(store.collect(Store::Wait::Yes));
  ASSERT_TRUE(store.blob(find_artifact(store, "default")->file));
  ASSERT_TRUE(store.remove_name("default"));
  EXPECT_EQ(store.collect(Store::Wait::Yes)->blobs, 3U);
}

TEST_F(ArtifactsTest, A_manifest_of_two_files_is_not_ours) {
  const Descriptor config = put('c', "{}", config_type(ArtifactKind::Kernel));
  const Descriptor file = put('f', "x", file_type(ArtifactKind::Kernel));
  ASSERT_TRUE(kernels().set_name("a.example/k:1",
                                 put('1', to_json(Manifest{config, {file, file}}), kOciManifest)));
  EXPECT_THAT(found("a.example/k:1"), HasSubstr("does not name one file"));
}

}  // namespace
}  // namespace runhl::oci
