// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/rootfs_mode.h"

#include <gtest/gtest.h>

namespace runhl::shim {
namespace {

TEST(RootfsMode, The_option_wins_over_the_annotation) {
  CreateRequest request;
  oci::Config config;
  config.root_path = "/b/rootfs";
  EXPECT_EQ(rootfs_mode(request, config).value(), RootfsMode::Direct);
  config.annotations["dev.runhl.rootfs"] = "initrd";
  EXPECT_EQ(rootfs_mode(request, config).value(), RootfsMode::Initrd);
  request.rootfs_mode = "direct";
  EXPECT_EQ(rootfs_mode(request, config).value(), RootfsMode::Direct);
}

TEST(RootfsMode, Another_word_is_named_where_it_stands) {
  CreateRequest request;
  oci::Config config;
  config.annotations["dev.runhl.rootfs"] = "disk";
  EXPECT_EQ(rootfs_mode(request, config).error().message,
            "/annotations/dev.runhl.rootfs: \"disk\" is neither direct nor initrd");
  request.rootfs_mode = "Initrd";
  EXPECT_EQ(rootfs_mode(request, config).error().code, ErrorCode::InvalidArgument);
}

TEST(RootfsMode, Volumes_out_of_the_root_need_its_directory) {
  CreateRequest request;
  request.rootfs_mode = "initrd";
  oci::Config config;
  config.root_path = "/b/rootfs";
  config.mounts.resize(2);
  config.mounts[0].bind = config.mounts[1].bind = true;
  config.mounts[0].source = "/b/rootfs-of-another";
  config.mounts[1].source = "/data";
  EXPECT_TRUE(rootfs_mode(request, config));
  config.mounts[1].source = "/b/rootfs/data";
  const auto refused = rootfs_mode(request, config);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("/mounts/1/source: "));
  request.rootfs_mode = "direct";
  EXPECT_TRUE(rootfs_mode(request, config));
}

TEST(RootfsMode, A_size_is_for_changes_in_memory) {
  CreateRequest request;
  request.rootfs_size = 1;
  EXPECT_FALSE(rootfs_mode(request, {}));
}

TEST(RootfsMode, An_upstream_kernel_has_an_archive) {
  CreateRequest request;
  oci::Config config;
  config.root_path = "/b/rootfs";
  EXPECT_EQ(upstream_rootfs_mode(request, config).value(), RootfsMode::Initrd);
  config.annotations["dev.runhl.rootfs"] = "direct";
  EXPECT_FALSE(upstream_rootfs_mode(request, config));
  request.rootfs_mode = "initrd";
  EXPECT_TRUE(upstream_rootfs_mode(request, config));
  request.rootfs_size = 1;
  EXPECT_FALSE(upstream_rootfs_mode(request, config));
}

}  // namespace
}  // namespace runhl::shim
