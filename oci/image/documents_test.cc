// SPDX-License-Identifier: Apache-2.0
#include "runhl/image/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runhl/image/media_types.h"

namespace runhl::oci {
namespace {

using ::testing::HasSubstr;

std::string digest(char c) {
  return "sha256:" + std::string(64, c);
}
std::string descriptor(char c, std::string_view type) {
  return R"({"mediaType":")" + std::string(type) + R"(","digest":")" + digest(c) + R"(","size":7})";
}
std::string manifest(const std::string& layers) {
  return R"({"schemaVersion":2,"config":)" + descriptor('c', kOciConfig) + R"(,"layers":[)" +
         layers + "]}";
}
std::string error_of(std::string_view text) {
  const auto document = parse_document(text);
  return document ? "accepted" : document.error().message;
}

TEST(Documents, A_manifest_names_config_and_layers) {
  const auto document = parse_document(manifest(descriptor('a', kOciLayerGzip)));
  ASSERT_TRUE(document) << document.error().message;
  const auto& parsed = std::get<Manifest>(*document);
  EXPECT_EQ(parsed.config.digest.text(), digest('c'));
  ASSERT_EQ(parsed.layers.size(), 1U);
  EXPECT_EQ(parsed.layers[0].size, 7U);
  const auto again = parse_document(to_json(parsed));
  ASSERT_TRUE(again);
  EXPECT_EQ(std::get<Manifest>(*again).layers[0].media_type, kOciLayerGzip);
}

TEST(Documents, An_index_names_platforms_and_annotations) {
  const std::string text =
      R"({"schemaVersion":2,"manifests":[{"mediaType":"x","digest":")" + digest('b') +
      R"(","size":1,"platform":{"os":"linux","architecture":"arm64","variant":"v8"},)"
      R"("annotations":{"k":"v"}}]})";
  const auto document = parse_document(text);
  ASSERT_TRUE(document) << document.error().message;
  const auto again = parse_document(to_json(std::get<Index>(*document)));
  ASSERT_TRUE(again);
  const Descriptor& only = std::get<Index>(*again).manifests.at(0);
  EXPECT_EQ(only.platform, (Platform{"linux", "arm64", "v8"}));
  EXPECT_EQ(only.annotations.at("k"), "v");
}

TEST(Documents, Refuses_by_name) {
  EXPECT_THAT(error_of("<html>"), HasSubstr("invalid"));
  EXPECT_THAT(error_of("[]"), HasSubstr("object"));
  EXPECT_THAT(error_of(R"({"schemaVersion":1,"fsLayers":[]})"), HasSubstr("schema 1"));
  EXPECT_THAT(error_of(R"({"schemaVersion":3})"), HasSubstr("/schemaVersion: is not 2"));
  EXPECT_THAT(error_of(R"({"schemaVersion":2})"), HasSubstr("/config: is missing"));
  EXPECT_THAT(error_of(R"({"schemaVersion":2,"manifests":[],"layers":[]})"),
              HasSubstr("/manifests: must not be in a manifest"));
  EXPECT_THAT(error_of(R"({"schemaVersion":2,"mediaType":"application/pdf","manifests":[]})"),
              HasSubstr("/mediaType"));
  EXPECT_THAT(error_of(manifest(R"({"digest":"sha256:../../etc","size":1})")),
              HasSubstr("/layers/0/digest: is no digest"));
  EXPECT_THAT(error_of(manifest(R"({"digest":")" + digest('a') + R"(","size":-1})")),
              HasSubstr("/layers/0/size"));
  EXPECT_THAT(error_of(std::string(kMaxDocumentBytes + 1, ' ')), HasSubstr("larger than 4 MiB"));
}

TEST(Documents, Ten_thousand_layers_are_too_many) {
  std::string layers = descriptor('a', kOciLayerGzip);
  for (int i = 1; i < 10'000; ++i) {
    layers += "," + descriptor('a', kOciLayerGzip);
  }
  EXPECT_THAT(error_of(manifest(layers)), HasSubstr("/layers: has 10000 items, more than 1000"));
}

TEST(Documents, A_config_without_root_file_system_is_no_image) {
  const auto config = parse_image_config("{}");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("no /rootfs"));
}

TEST(Documents, A_config_says_what_runs) {
  const auto config = parse_image_config(
      R"({"architecture":"amd64","os":"linux","config":{"User":"www","Env":["A=b"],"Cmd":["x","y"],)"
      R"("Entrypoint":null,"WorkingDir":"/srv","StopSignal":"SIGQUIT","Volumes":{"/data":{}}},)"
      R"("rootfs":{"type":"layers","diff_ids":[")" +
      digest('d') + R"("]}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->user, "www");
  EXPECT_EQ(config->cmd, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(config->entrypoint.empty());
  EXPECT_EQ(config->volumes, std::vector<std::string>{"/data"});
  EXPECT_EQ(config->diff_ids.at(0).text(), digest('d'));
}

TEST(Documents, Layers_must_agree_and_be_of_a_kind_that_unpacks) {
  const auto with = [](std::string_view type) {
    const auto document = parse_document(manifest(descriptor('a', type)));
    ImageConfig config;
    config.diff_ids.push_back(*Digest::parse(digest('d')));
    const auto checked = check_layers(std::get<Manifest>(*document), config);
    return checked ? "" : checked.error().message;
  };
  EXPECT_EQ(with(kOciLayerZstd), "");
  EXPECT_EQ(with("application/vnd.docker.image.rootfs.diff.tar.gzip"), "");
  EXPECT_THAT(with("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
              HasSubstr("layer 1: is foreign"));
  EXPECT_THAT(with("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
              HasSubstr("is encrypted"));
  EXPECT_THAT(with("text/plain"), HasSubstr("unknown type (text/plain)"));
  const auto none = parse_document(manifest(""));
  EXPECT_FALSE(check_layers(std::get<Manifest>(*none), {}));
}

TEST(MediaType, Is_what_the_document_says_or_ocis) {
  EXPECT_EQ(media_type_of(R"({"schemaVersion":2,"manifests":[]})"), kOciIndex);
  EXPECT_EQ(media_type_of(R"({"schemaVersion":2,"mediaType":")" + std::string(kDockerIndex) +
                          R"(","manifests":[]})"),
            kDockerIndex);
  EXPECT_FALSE(media_type_of(R"({"schemaVersion":1})"));
}

}  // namespace
}  // namespace runhl::oci
