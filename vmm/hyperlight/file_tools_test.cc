// SPDX-License-Identifier: Apache-2.0
// A granted directory beside a secret, by the names that a G1 guest has for it.
#include "hyperlight/file_tools.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::hyperlight {
namespace {

using ::testing::HasSubstr;
namespace stdfs = std::filesystem;

class FileToolsTest : public ::testing::Test {
 protected:
  FileToolsTest() {
    char name[] = "/tmp/runhl-file-tools-XXXXXX";
    top_ = ::mkdtemp(name);
    stdfs::create_directories(top_ / "granted/sub");
    stdfs::create_directories(top_ / "inner");
    std::ofstream(top_ / "secret") << "secret";
    std::ofstream(top_ / "granted/file") << "contents";
    std::ofstream(top_ / "inner/deep") << "deep";
    stdfs::create_symlink("file", top_ / "granted/inside");
    stdfs::create_symlink("../secret", top_ / "granted/up");
    stdfs::create_symlink((top_ / "secret").string(), top_ / "granted/absolute");
    stdfs::create_symlink("../nowhere", top_ / "granted/made");
    EXPECT_EQ(::mkfifo((top_ / "granted/fifo").c_str(), 0644), 0);
    granted_.reset(::open((top_ / "granted").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    inner_.reset(::open((top_ / "inner").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    files_ =
        std::make_unique<MountedFiles>(std::vector<HostMount>{{granted_.get(), "/host", false},
                                                              {inner_.get(), "/host/sub/in", false},
                                                              {granted_.get(), "/ro", true}});
    add_file_tools(&tools_, files_.get());
  }
  void TearDown() override { stdfs::remove_all(top_); }

  std::string call(const std::string& tool, const std::string& args) {
    const std::string request = "{\"name\":\"" + tool + "\",\"args\":{" + args + "}}";
    return std::string(as_text(tools_.dispatch(std::as_bytes(std::span(request)))));
  }
  std::string get(const std::string& name) {
    std::ifstream in(top_ / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  stdfs::path top_;
  UniqueFd granted_, inner_;
  std::unique_ptr<MountedFiles> files_;
  JsonTools tools_{1U << 20U};
};

TEST_F(FileToolsTest, The_longest_mount_that_names_a_path_has_it) {
  EXPECT_EQ(call("fs_read", R"("path":"/host/file")"), R"({"result":{"text":"contents"}})");
  EXPECT_EQ(call("fs_read", R"("path":"/host/sub/in/deep")"), R"({"result":{"text":"deep"}})");
  for (const char* elsewhere : {"/hostile", "/", "", "host/file", "/etc/passwd"}) {
    EXPECT_THAT(call("fs_read", std::string(R"("path":")") + elsewhere + "\""),
                HasSubstr("does not match any preopened mount"))
        << elsewhere;
  }
}

TEST_F(FileToolsTest, Nothing_leads_out_of_a_mount) {
  EXPECT_EQ(call("fs_read", R"("path":"/host/../secret")"),
            R"({"error":"path escapes mount root: \"../secret\""})");
  for (const char* tool : {"fs_read", "fs_read_bytes", "fs_stat", "fs_list"}) {
    for (const char* path : {"/host/up", "/host/absolute", "/host/made"}) {
      EXPECT_THAT(call(tool, std::string(R"("path":")") + path + "\""),
                  HasSubstr("escapes mount root (symlink)"))
          << tool << path;
    }
  }
  for (const char* path : {"/host/up", "/host/absolute", "/host/made", "/host/../secret"}) {
    const std::string named = std::string(R"("path":")") + path + "\"";
    EXPECT_THAT(call("fs_write", named + R"(,"text":"x")"), HasSubstr("escapes"));
    EXPECT_THAT(call("fs_write_bytes", named + R"(,"data":"eA==")"), HasSubstr("escapes"));
    EXPECT_THAT(call("fs_truncate", named + R"(,"length":0)"), HasSubstr("escapes"));
  }
  EXPECT_EQ(get("secret"), "secret");
  EXPECT_FALSE(stdfs::exists(top_ / "nowhere"));
}

TEST_F(FileToolsTest, A_link_is_removed_and_not_what_it_leads_to) {
  EXPECT_EQ(call("fs_unlink", R"("path":"/host/up")"), R"({"result":{}})");
  EXPECT_EQ(get("secret"), "secret");
  EXPECT_EQ(call("fs_unlink", R"("path":"/host/inside")"), R"({"result":{}})");
  EXPECT_EQ(get("granted/file"), "contents");
  EXPECT_EQ(call("fs_unlink", R"("path":"/host/sub/..")"),
            R"({"error":"fs_unlink: cannot remove mount root"})");
}

TEST_F(FileToolsTest, What_is_read_only_is_not_written) {
  for (const auto& [tool, more] :
       {std::pair{"fs_write", R"(,"text":"x")"}, std::pair{"fs_write_bytes", R"(,"data":"eA==")"},
        std::pair{"fs_truncate", R"(,"length":0)"}, std::pair{"fs_mkdir", ""},
        std::pair{"fs_mkdir", R"(,"parents":true)"}, std::pair{"fs_unlink", ""}}) {
    EXPECT_THAT(call(tool, std::string(R"("path":"/ro/file")") + more), HasSubstr("os error 30"))
        << tool;
  }
  EXPECT_EQ(call("fs_read", R"("path":"/ro/file")"), R"({"result":{"text":"contents"}})");
}

TEST_F(FileToolsTest, Only_regular_files_have_contents_and_nothing_waits) {
  EXPECT_THAT(call("fs_read", R"("path":"/host/fifo")"), HasSubstr("os error 13"));
  EXPECT_THAT(call("fs_write", R"("path":"/host/fifo","text":"x")"), HasSubstr("os error"));
  EXPECT_THAT(call("fs_read", R"("path":"/host")"), HasSubstr("Is a directory (os error 21)"));
}

TEST_F(FileToolsTest, Kernels_find_a_names_kind_behind_it) {
  EXPECT_THAT(call("fs_list", R"("path":"/host/sub/in")"),
              HasSubstr(R"({"name":"deep","is_dir":false,"is_file":true,"is_symlink":false})"));
}

TEST_F(FileToolsTest, Bytes_are_written_where_they_are_told) {
  EXPECT_EQ(call("fs_write_bytes", R"("path":"/host/new","data":"YWJjZGVm")"),
            R"({"result":{"bytes_written":6}})");
  call("fs_write_bytes", R"("path":"/host/new","data":"WFk=","offset":2)");
  call("fs_write_bytes", R"("path":"/host/new","data":"Wg==","append":true,"offset":0)");
  EXPECT_EQ(get("granted/new"), "abXYefZ");
  EXPECT_EQ(call("fs_read_bytes", R"("path":"/host/new","offset":2,"len":2)"),
            R"({"result":{"bytes_read":2,"data":"WFk=","eof":false}})");
  EXPECT_THAT(call("fs_write_bytes", R"("path":"/host/new","data":"eA==","offset":1073741825)"),
              HasSubstr("offset too large"));
  EXPECT_THAT(call("fs_read_bytes", R"("path":"/host/new","offset":9223372036854775808)"),
              HasSubstr("os error 22"));
}

}  // namespace
}  // namespace runhl::vmm::hyperlight
