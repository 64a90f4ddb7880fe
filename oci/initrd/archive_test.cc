// SPDX-License-Identifier: Apache-2.0
#include "runhl/initrd/archive.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "runhl/abi/initrd.h"
#include "runhl/core/units.h"
#include "runhl/initrd/archive_reader.h"

namespace runhl::initrd {
namespace {

namespace format = abi::initrd;

UniqueFd scratch() {
  return UniqueFd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

/// Files whose bytes are their size in zeros, unless told.
class TestSource final : public FileSource {
 public:
  std::map<InodeNumber, std::string> bytes;
  std::map<InodeNumber, std::uint64_t> holes;

  Result<Opened> open(InodeNumber inode) override {
    Opened opened{.fd = scratch(), .offset = 0};
    if (const auto at = bytes.find(inode); at != bytes.end()) {
      EXPECT_EQ(::write(opened.fd.get(), at->second.data(), at->second.size()),
                static_cast<ssize_t>(at->second.size()));
    } else {
      EXPECT_EQ(::ftruncate(opened.fd.get(), static_cast<off_t>(holes[inode])), 0);
    }
    return opened;
  }
};

struct Header {
  std::string name;
  std::uint64_t at = 0, data = 0, name_field = 0;
  std::uint32_t inode = 0, mode = 0, uid = 0, links = 0, time = 0, size = 0;
};

/// Walks the archive as any newc reader does.
std::vector<Header> read_headers(int fd) {
  std::vector<Header> headers;
  for (std::uint64_t at = 0;;) {
    std::string raw(format::kHeaderSize, '\0');
    if (::pread(fd, raw.data(), raw.size(), static_cast<off_t>(at)) !=
            static_cast<ssize_t>(raw.size()) ||
        !raw.starts_with("070701")) {
      ADD_FAILURE() << "no header at " << at;
      return headers;
    }
    const auto field = [&raw](std::size_t index) {
      return static_cast<std::uint32_t>(std::stoul(raw.substr(6 + 8 * index, 8), nullptr, 16));
    };
    Header header{.name = {},
                  .at = at,
                  .data = 0,
                  .name_field = field(11),
                  .inode = field(0),
                  .mode = field(1),
                  .uid = field(2),
                  .links = field(4),
                  .time = field(5),
                  .size = field(6)};
    std::string name(header.name_field, 'x');
    EXPECT_EQ(::pread(fd, name.data(), name.size(), static_cast<off_t>(at + raw.size())),
              static_cast<ssize_t>(name.size()));
    EXPECT_EQ(name.back(), '\0');
    header.name = name.substr(0, name.find('\0'));
    header.data = align_up(at + raw.size() + name.size(), 4);
    headers.push_back(header);
    if (header.name == "TRAILER!!!") {
      return headers;
    }
    at = align_up(header.data + header.size, 4);
  }
}

Header find(const std::vector<Header>& headers, const std::string& name) {
  for (const Header& header : headers) {
    if (header.name == name) {
      return header;
    }
  }
  ADD_FAILURE() << "no " << name;
  return {};
}

std::string contents(int fd, std::uint64_t at, std::size_t size) {
  std::string bytes(size, '\0');
  EXPECT_EQ(::pread(fd, bytes.data(), size, static_cast<off_t>(at)), static_cast<ssize_t>(size));
  return bytes;
}

format::Tail read_tail(int fd) {
  struct stat info{};
  EXPECT_EQ(::fstat(fd, &info), 0);
  format::Tail tail{};
  const auto size = static_cast<std::uint64_t>(info.st_size);
  const std::string bytes = contents(fd, size - format::kTrailerSize - sizeof tail, sizeof tail);
  std::memcpy(&tail, bytes.data(), sizeof tail);
  EXPECT_EQ(tail.magic, format::kMagic);
  EXPECT_EQ(tail.archive_size, size);
  return tail;
}

InodeNumber add(Tree& tree, const std::string& path, InodeSpec spec) {
  const InodeNumber inode = tree.add_inode(std::move(spec));
  EXPECT_TRUE(tree.add_name(path, inode));
  return inode;
}

constexpr InodeSpec directory() {
  return {.mode = S_IFDIR | 0755};
}

TEST(Archive, Data_of_pages_begins_on_a_page_and_small_files_are_packed) {
  Tree tree;
  TestSource source;
  source.bytes[add(tree, "big", {.mode = S_IFREG | 0644, .size = 5000})] = std::string(5000, 'b');
  source.bytes[add(tree, "small", {.mode = S_IFREG | 0644, .size = 3})] = "abc";
  const UniqueFd out = scratch();
  ASSERT_TRUE(write_archive(tree, source, out.get()));
  const auto headers = read_headers(out.get());
  EXPECT_EQ(find(headers, "big").data % format::kAlignment, 0U);
  EXPECT_EQ(contents(out.get(), find(headers, "big").data, 5000), std::string(5000, 'b'));
  EXPECT_EQ(find(headers, "small").name_field, sizeof "small");
  EXPECT_EQ(contents(out.get(), find(headers, "small").data, 3), "abc");
}

TEST(Archive, No_name_field_is_longer_than_Linux_takes) {
  Tree tree;
  TestSource source;
  std::string deep;
  for (int i = 0; i < 14; ++i) {
    deep += (i == 0 ? "" : "/") + std::string(250, static_cast<char>('a' + i));
    add(tree, deep, directory());
  }
  for (int i = 0; i < 60; ++i) {
    const std::string name = deep + "/" + std::to_string(i);
    const std::uint64_t size = 4096 + 61 * static_cast<std::uint64_t>(i);
    source.holes[add(tree, name, {.mode = S_IFREG, .size = size})] = size;
  }
  const UniqueFd out = scratch();
  ASSERT_TRUE(write_archive(tree, source, out.get()));
  int spacers = 0;
  for (const Header& header : read_headers(out.get())) {
    EXPECT_LE(header.name_field, format::kMaxNameField) << header.name;
    spacers += header.name == "." ? 1 : 0;
    if (header.size >= format::kAlignment && S_ISREG(header.mode)) {
      EXPECT_EQ(header.data % format::kAlignment, 0U) << header.name;
    }
  }
  EXPECT_GT(spacers, 1) << "the case that needs them was not met";
}

TEST(Archive, The_last_link_has_the_bytes) {
  Tree tree;
  TestSource source;
  const InodeNumber file = add(tree, "a", {.mode = S_IFREG | 04755, .size = 2});
  source.bytes[file] = "hi";
  add(tree, "d", directory());
  ASSERT_TRUE(tree.add_name("d/b", file));
  ASSERT_TRUE(tree.add_name("z", file));
  const UniqueFd out = scratch();
  ASSERT_TRUE(write_archive(tree, source, out.get()));
  const auto headers = read_headers(out.get());
  for (const char* name : {"a", "d/b", "z"}) {
    EXPECT_EQ(find(headers, name).links, 3U);
    EXPECT_EQ(find(headers, name).inode, find(headers, "a").inode);
    EXPECT_EQ(find(headers, name).size, name == std::string("z") ? 2U : 0U);
  }
  EXPECT_EQ(find(headers, ".").links, 3U) << "itself, its name, d";
}

TEST(Archive, Who_fills_the_tree_in_what_order_leaves_no_trace) {
  const auto make = [](bool reversed) {
    Tree tree;
    TestSource source;
    const auto file = [&](const char* path) {
      source.bytes[add(tree, path, {.mode = S_IFREG, .size = 4, .xattrs = {{"user.x", path}}})] =
          "data";
    };
    add(tree, "d", directory());
    if (reversed) {
      file("e");
      file("d/y");
      file("d.x");
      file("d/x");
    } else {
      file("d/x");
      file("d/y");
      file("d.x");
      file("e");
    }
    UniqueFd out = scratch();
    const auto size = write_archive(tree, source, out.get());
    EXPECT_TRUE(size);
    return contents(out.get(), 0, *size);
  };
  EXPECT_EQ(make(false), make(true));
}

TEST(Archive, What_newc_cannot_hold_is_in_the_index) {
  Tree tree;
  TestSource source;
  add(tree, "old",
      {.mode = S_IFREG, .uid = 70000, .gid = 4'000'000'000, .modified = -5, .modified_ns = 7});
  add(tree, "dev", {.mode = S_IFCHR | 0600, .device_major = 4095, .device_minor = 70000});
  const UniqueFd out = scratch();
  ASSERT_TRUE(write_archive(tree, source, out.get()));
  EXPECT_EQ(find(read_headers(out.get()), "old").time, 0U);
  EXPECT_EQ(find(read_headers(out.get()), "old").uid, 70000U);
  const format::Tail tail = read_tail(out.get());
  ASSERT_EQ(tail.inode_count, 3U);
  std::vector<format::Inode> inodes(3);
  ASSERT_EQ(
      ::pread(out.get(), inodes.data(), 3 * sizeof(format::Inode), static_cast<off_t>(tail.inodes)),
      static_cast<ssize_t>(3 * sizeof(format::Inode)));
  EXPECT_EQ(inodes[1].device, 4095U << 20U | 70000U);
  EXPECT_EQ(inodes[2].modified, -5);
  EXPECT_EQ(inodes[2].modified_ns, 7U);
}

TEST(Archive, A_file_beyond_4_GiB_lies_in_parts) {
  constexpr std::uint64_t kSize = 9 * kGiB + 5;
  Tree tree;
  TestSource source;
  source.holes[add(tree, "huge", {.mode = S_IFREG, .size = kSize})] = kSize;
  add(tree, "next", {.mode = S_IFREG});
  const UniqueFd out = scratch();
  ASSERT_TRUE(write_archive(tree, source, out.get()));
  const auto headers = read_headers(out.get());
  const Header first = find(headers, "huge");
  EXPECT_EQ(first.size, format::kPartSize);
  const std::string prefix = std::string(format::kPartPrefix) + std::to_string(first.inode) + ".";
  EXPECT_EQ(find(headers, prefix + "1").data, first.data + format::kPartDistance);
  EXPECT_EQ(find(headers, prefix + "2").data, first.data + 2 * format::kPartDistance);
  EXPECT_EQ(find(headers, prefix + "2").size, kSize - 2 * format::kPartSize);
  struct stat info{};
  ASSERT_EQ(::fstat(out.get(), &info), 0);
  EXPECT_LT(info.st_blocks, 2048) << "holes stay holes";
}

TEST(Archive, A_source_that_ends_early_is_an_error) {
  for (const std::uint64_t size : {100U, 100'000U}) {
    Tree tree;
    TestSource source;
    source.holes[add(tree, "short", {.mode = S_IFREG, .size = size})] = size - 1;
    const UniqueFd out = scratch();
    const auto written = write_archive(tree, source, out.get());
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().message, "short: read: became shorter while it was read");
  }
}

TEST(Archive, A_small_file_is_read_by_the_index_and_symlinks_stay_inside) {
  Tree tree;
  TestSource source;
  add(tree, "etc", directory());
  add(tree, "usr", directory());
  source.bytes[add(tree, "usr/passwd", {.mode = S_IFREG | 0644, .size = 4})] = "root";
  add(tree, "etc/passwd", {.mode = S_IFLNK | 0777, .target = "../../../usr/passwd"});
  add(tree, "etc/group", {.mode = S_IFLNK | 0777, .target = "/usr/passwd"});
  add(tree, "etc/loop", {.mode = S_IFLNK | 0777, .target = "loop"});
  const UniqueFd out = scratch();
  ASSERT_TRUE(write_archive(tree, source, out.get()));
  const auto read = [&](const char* path, std::size_t most = 100) {
    const auto text = read_archived_file(out.get(), path, most);
    return text ? *text : text.error().message;
  };
  EXPECT_EQ(read("etc/passwd"), "root");
  EXPECT_EQ(read("/etc/group"), "root");
  EXPECT_EQ(read("etc/loop"), "etc/loop: too many symlinks");
  EXPECT_EQ(read("etc/shadow"), "etc/shadow: is not there");
  EXPECT_EQ(read("usr/passwd/x"), "usr/passwd/x: is not there");
  EXPECT_EQ(read("etc"), "etc: is no regular file");
  EXPECT_EQ(read("usr/passwd", 3), "usr/passwd: is too large");
  ASSERT_EQ(::ftruncate(out.get(), 200), 0);
  EXPECT_EQ(read("etc/passwd"), "etc/passwd: the archive contradicts itself");
}

TEST(Tree, Removes_from_the_leaves_and_keeps_what_holds_something) {
  Tree tree;
  add(tree, "d", directory());
  add(tree, "d/keep", {.mode = S_IFREG});
  add(tree, "d/s", directory());
  add(tree, "d/s/x", {.mode = S_IFREG});
  add(tree, "d.x", {.mode = S_IFREG});
  tree.remove("d", [](std::string_view path, InodeNumber) { return path != "d/keep"; });
  EXPECT_NE(tree.find("d"), 0U);
  EXPECT_EQ(tree.find("d/s"), 0U);
  EXPECT_NE(tree.find("d.x"), 0U);
  tree.remove("d", [](std::string_view, InodeNumber) { return true; });
  EXPECT_EQ(tree.names().size(), 1U);
  tree.remove("missing", [](std::string_view, InodeNumber) { return true; });
  tree.remove("", [](std::string_view, InodeNumber) { return true; });
  EXPECT_TRUE(tree.names().empty());
}

TEST(Tree, Refuses_what_is_no_tree) {
  Tree tree;
  const InodeNumber dir = add(tree, "d", directory());
  const InodeNumber file = add(tree, "f", {.mode = S_IFREG});
  for (const char* path :
       {"d", "f/x", "missing/x", "", "d/..", "d/.", "d/", ".runhl.index", ".runhl.part.1.2"}) {
    EXPECT_FALSE(tree.add_name(path, file)) << path;
  }
  EXPECT_FALSE(tree.add_name("e", dir)) << "a second name of a directory";
  EXPECT_FALSE(tree.add_name(std::string(256, 'n'), file));
  EXPECT_TRUE(tree.add_name("d/\xff\n", file)) << "names are bytes";
}

}  // namespace
}  // namespace runhl::initrd
