// SPDX-License-Identifier: Apache-2.0
// What lies at a bundle's config.json, from a regular file to a FIFO.
#include "runhl/oci/load_config.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "runhl/base/unique_fd.h"

namespace runhl::oci {
namespace {

using ::testing::HasSubstr;

class LoadConfig : public ::testing::Test {
 protected:
  LoadConfig() {
    std::string name = std::filesystem::temp_directory_path() / "runhl-oci-XXXXXX";
    path_ = ::mkdtemp(name.data());
    bundle_.reset(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string file() const { return path_ / "config.json"; }
  [[nodiscard]] std::string error() const {
    const auto config = load_config(bundle_.get(), path_.string());
    return config ? "accepted" : config.error().message;
  }
  static void write(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary) << text;
  }

  std::filesystem::path path_;
  UniqueFd bundle_;
};

constexpr std::string_view kMinimal =
    R"({"ociVersion":"1.0.2","process":{"args":["a"],"cwd":"/"},"root":{"path":"r"}})";

TEST_F(LoadConfig, Reads_a_file_and_a_symlink_to_one) {
  write(path_ / "elsewhere", kMinimal);
  std::filesystem::create_symlink("elsewhere", file());
  EXPECT_EQ(error(), "accepted");
}

TEST_F(LoadConfig, Names_a_missing_file) {
  EXPECT_EQ(error(), "config.json: No such file or directory");
  EXPECT_EQ(load_config(bundle_.get(), "/b").error().code, ErrorCode::NotFound);
}

TEST_F(LoadConfig, Refuses_a_directory) {
  std::filesystem::create_directory(file());
  EXPECT_EQ(error(), "config.json: is a directory");
}

TEST_F(LoadConfig, Refuses_a_fifo_without_waiting_for_a_writer) {
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  EXPECT_EQ(error(), "config.json: is not a regular file");
}

TEST_F(LoadConfig, Refuses_a_device) {
  std::filesystem::create_symlink("/dev/zero", file());
  EXPECT_EQ(error(), "config.json: is not a regular file");
}

TEST_F(LoadConfig, Refuses_300_mebibytes_unread) {
  write(file(), "{");
  std::filesystem::resize_file(file(), 300ULL << 20);
  EXPECT_EQ(error(), "config.json: has 314572800 bytes, more than 32 MiB");
}

TEST_F(LoadConfig, Names_file_and_pointer) {
  write(file(), R"({"ociVersion":"1.0.2"})");
  EXPECT_EQ(error(), "config.json: /process: is missing");
  write(file(), "");
  EXPECT_THAT(error(), HasSubstr("config.json: not valid JSON at byte 1"));
}

}  // namespace
}  // namespace runhl::oci
