// SPDX-License-Identifier: Apache-2.0
#include "runhl/layers/image_tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>

#include "runhl/blobs/sha256.h"

namespace runhl::oci {
namespace {

using ::testing::HasSubstr;

struct TarEntry {
  std::string name;
  char type = '0';
  // NOLINTBEGIN(readability-redundant-member-init): GCC warns of what a designated list leaves out
  std::string data{};
  std::string target{};
  std::string size{};  // octal, as written; empty: of the data
  // NOLINTEND(readability-redundant-member-init)
};

/// A ustar archive, by hand: what no writer would make is what is tested.
std::string tar(const std::vector<TarEntry>& entries) {
  std::string out;
  for (const TarEntry& entry : entries) {
    std::string header(512, '\0');
    const auto put = [&header](std::size_t at, const std::string& text) {
      header.replace(at, text.size(), text);
    };
    std::array<char, 16> size{};
    (void)std::snprintf(size.data(), size.size(), "%011zo", entry.data.size());
    put(0, entry.name.substr(0, 100));
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, entry.size.empty() ? size.data() : entry.size);
    put(136, "00000000017");
    header[156] = entry.type;
    put(157, entry.target);
    put(257, std::string("ustar\00000", 8));
    unsigned sum = 8 * ' ';
    for (std::size_t i = 0; i < header.size(); ++i) {
      sum += i >= 148 && i < 156 ? 0U : static_cast<unsigned char>(header[i]);
    }
    std::array<char, 16> checksum{};
    (void)std::snprintf(checksum.data(), checksum.size(), "%06o", sum);
    put(148, checksum.data());
    header[155] = ' ';
    out += header + entry.data;
    out.resize((out.size() + 511) / 512 * 512, '\0');
  }
  return out + std::string(1024, '\0');
}

UniqueFd file_of(const std::string& bytes) {
  UniqueFd fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_SET), 0);
  return fd;
}

class ImageTreeTest : public ::testing::Test {
 protected:
  std::string add(const std::string& layer, ImageLimits limits = {}) {
    if (!image_) {
      auto made = ImageTree::create("/tmp", limits);
      EXPECT_TRUE(made);
      image_.emplace(std::move(*made));
    }
    return add_to(*image_, layer, digest_of(layer));
  }
  static std::string add_to(ImageTree& image, const std::string& layer, const Digest& diff_id) {
    const UniqueFd fd = file_of(layer);
    FileBytes bytes(fd.get());
    const auto unpacked = image.unpack(bytes, layer.size(), diff_id);
    if (!unpacked) {
      return unpacked.error().message;
    }
    const auto added = image.add_layer(*unpacked);
    return added ? "" : added.error().message;
  }
  std::string content(const std::string& path) {
    const initrd::InodeNumber inode = image_->tree().find(path);
    if (inode == 0) {
      return "no " + path;
    }
    std::string bytes(image_->tree().inode(inode).size, '\0');
    const auto opened = image_->open(inode);
    EXPECT_TRUE(opened);
    EXPECT_EQ(
        ::pread(opened->fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(opened->offset)),
        static_cast<ssize_t>(bytes.size()));
    return bytes;
  }

  std::optional<ImageTree> image_;
};

TEST_F(ImageTreeTest, The_upper_layers_bytes_are_the_files) {
  ASSERT_EQ(add(tar({{.name = "d/", .type = '5'},
                     {.name = "d/a", .data = "lower"},
                     {.name = "big", .data = std::string(300'000, 'x')}})),
            "");
  ASSERT_EQ(add(tar({{.name = "d/a", .data = "upper!"},
                     {.name = "d/b", .type = '1', .target = "big"},
                     {.name = ".wh.big"}})),
            "");
  EXPECT_EQ(content("d/a"), "upper!");
  EXPECT_EQ(content("d/b"), std::string(300'000, 'x'));
  EXPECT_EQ(content("big"), "no big");
}

TEST_F(ImageTreeTest, Names_are_bytes) {
  ASSERT_EQ(
      add(tar({{.name = "not utf-8 \xff\xfe", .data = "1"}, {.name = "\xc3\xa9", .data = "2"}})),
      "");
  EXPECT_EQ(content("not utf-8 \xff\xfe"), "1");
  EXPECT_EQ(content("\xc3\xa9"), "2");
}

TEST_F(ImageTreeTest, An_empty_layer_is_one) {
  EXPECT_EQ(add(tar({})), "");
  EXPECT_EQ(add(""), "");
}

TEST_F(ImageTreeTest, Content_that_is_not_the_expected_is_refused) {
  auto image = ImageTree::create("/tmp");
  ASSERT_TRUE(image);
  const std::string layer = tar({{.name = "a", .data = "1"}});
  EXPECT_THAT(add_to(*image, layer, digest_of("other")), HasSubstr("not to the diff_id"));
}

TEST_F(ImageTreeTest, A_file_that_ends_before_its_size_is_refused) {
  EXPECT_THAT(add(tar({{.name = "liar", .data = "abc", .size = "00000777777"}})),
              HasSubstr("after liar: "));
}

TEST_F(ImageTreeTest, The_last_file_needs_nothing_behind_its_contents) {
  const std::string data(700, 'x');
  const std::string whole = tar({{.name = "first", .data = "1"}, {.name = "last", .data = data}});
  const std::size_t end = whole.find(data) + data.size();
  for (const std::size_t behind : {0U, 1U, 300U}) {
    image_.reset();
    EXPECT_EQ(add(whole.substr(0, end + behind)), "") << behind;
    EXPECT_EQ(content("last"), data) << behind;
  }
  for (const std::size_t missing : {1U, 187U, 188U, 189U, 511U, 700U}) {
    image_.reset();
    EXPECT_THAT(add(whole.substr(0, end - missing)), HasSubstr("after last: ")) << missing;
  }
}

TEST_F(ImageTreeTest, What_is_no_tar_is_refused) {
  EXPECT_NE(add("<html>not a layer</html>" + std::string(2000, ' ')), "");
  EXPECT_THAT(add(std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03garbage", 17)),
              HasSubstr("cannot be unpacked"));
}

TEST_F(ImageTreeTest, Names_that_leave_the_tree_are_refused) {
  EXPECT_THAT(add(tar({{.name = "../../etc/passwd", .data = "x"}})), HasSubstr("has a .. in it"));
  EXPECT_THAT(add(tar({{.name = "l", .type = '1', .target = "../../etc/passwd"}})),
              HasSubstr("has a .. in it"));
  EXPECT_EQ(add(tar({{.name = "/etc/x", .data = "below the root of the tree"}})), "");
  EXPECT_EQ(content("etc/x"), "below the root of the tree");
}

TEST_F(ImageTreeTest, Limits_end_it) {
  EXPECT_THAT(add(tar({{.name = "a"}, {.name = "b"}, {.name = "c"}}), {.entries = 2}),
              HasSubstr("more than 2 entries"));
  image_.reset();
  EXPECT_THAT(add(tar({{.name = "long name"}}), {.name_bytes = 5}),
              HasSubstr("longer than 5 bytes"));
}

TEST_F(ImageTreeTest, A_device_keeps_its_number) {
  TarEntry device{.name = "dev/null", .type = '3'};
  std::string archive = tar({device});
  ASSERT_EQ(add(archive), "");
  EXPECT_TRUE(S_ISCHR(image_->tree().inode(image_->tree().find("dev/null")).mode));
}

}  // namespace
}  // namespace runhl::oci
