// SPDX-License-Identifier: Apache-2.0
// Extended attributes.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <array>
#include <string>
#include <utility>

#include "syscall_test.h"

namespace {

class Xattr : public FileTest {
 protected:
  static int set(const std::string& path, const char* name, const std::string& value,
                 int flags = 0) {
    return ::setxattr(path.c_str(), name, value.data(), value.size(), flags);
  }
  static std::string get(const std::string& path, const char* name) {
    std::array<char, 256> value{};
    const ssize_t size = ::getxattr(path.c_str(), name, value.data(), value.size());
    return size < 0 ? "<" + error_name(errno) + ">" : std::string(value.data(), size);
  }
};
INSTANTIATE_ON_FILE_SYSTEMS(Xattr);

TEST_P(Xattr, A_value_is_kept_replaced_and_removed) {
  const Fd file = make_file("a");
  EXPECT_THAT(set(path("a"), "user.one", "1"), Succeeds());
  EXPECT_EQ(get(path("a"), "user.one"), "1");
  EXPECT_THAT(set(path("a"), "user.one", "longer"), Succeeds());
  EXPECT_EQ(get(path("a"), "user.one"), "longer");
  EXPECT_THAT(::fsetxattr(file.get(), "user.two", "", 0, 0), Succeeds());
  EXPECT_EQ(get(path("a"), "user.two"), "");
  EXPECT_THAT(::removexattr(path("a").c_str(), "user.one"), Succeeds());
  EXPECT_EQ(get(path("a"), "user.one"), "<ENODATA>");
  EXPECT_THAT(::fremovexattr(file.get(), "user.one"), FailsWith(ENODATA));
}

TEST_P(Xattr, Create_and_replace_insist) {
  make_file("a");
  EXPECT_THAT(set(path("a"), "user.x", "1", XATTR_REPLACE), FailsWith(ENODATA));
  EXPECT_THAT(set(path("a"), "user.x", "1", XATTR_CREATE), Succeeds());
  EXPECT_THAT(set(path("a"), "user.x", "2", XATTR_CREATE), FailsWith(EEXIST));
  EXPECT_THAT(set(path("a"), "user.x", "2", XATTR_REPLACE), Succeeds());
  EXPECT_THAT(set(path("a"), "user.x", "2", 4), FailsWith(EINVAL));
}

TEST_P(Xattr, Sizes_are_told_and_too_little_room_is_ERANGE) {
  make_file("a");
  EXPECT_THAT(set(path("a"), "user.x", "12345"), Succeeds());
  std::array<char, 4> small{};
  EXPECT_THAT(::getxattr(path("a").c_str(), "user.x", nullptr, 0), SucceedsWith(5));
  EXPECT_THAT(::getxattr(path("a").c_str(), "user.x", small.data(), 4), FailsWith(ERANGE));
  EXPECT_THAT(::listxattr(path("a").c_str(), small.data(), 4), FailsWith(ERANGE));
}

TEST_P(Xattr, Names_are_listed) {
  const Fd file = make_file("a");
  EXPECT_THAT(set(path("a"), "user.one", "1"), Succeeds());
  std::array<char, 512> names{};
  const ssize_t size = ::flistxattr(file.get(), names.data(), names.size());
  ASSERT_THAT(size, Succeeds());
  EXPECT_NE(std::string(names.data(), size).find(std::string("user.one\0", 9)), std::string::npos);
  EXPECT_THAT(::listxattr(path("a").c_str(), nullptr, 0), SucceedsWith(size));
}

TEST_P(Xattr, Bad_names_are_refused) {
  make_file("a");
  EXPECT_THAT(set(path("a"), "", "1"), FailsWith(ERANGE));
  EXPECT_THAT(set(path("a"), std::string(256, 'x').c_str(), "1"), FailsWith(ERANGE));
  EXPECT_THAT(set(path("a"), "nonsense", "1"), FailsWith(EOPNOTSUPP));
  EXPECT_THAT(set(path("missing"), "user.x", "1"), FailsWith(ENOENT));
}

TEST_P(Xattr, Symlinks_have_no_user_attributes) {
  make_file("a");
  ASSERT_THAT(::symlink("a", path("l").c_str()), Succeeds());
  EXPECT_THAT(::lsetxattr(path("l").c_str(), "user.x", "1", 1, 0), FailsWith(EPERM));
  EXPECT_THAT(::lgetxattr(path("l").c_str(), "user.x", nullptr, 0), FailsWith(ENODATA));
  EXPECT_THAT(set(path("l"), "user.x", "1"), Succeeds());
  EXPECT_EQ(get(path("a"), "user.x"), "1");
}

TEST_P(Xattr, A_name_of_no_kind_is_asked_for_as_the_bytes_are) {
  make_file("a");
  make_file("closed");
  ASSERT_THAT(::chmod(path("closed").c_str(), 0), Succeeds());
  const Fd open{::open(path("a").c_str(), O_RDONLY)};
  ASSERT_THAT(::fchmod(open.get(), 0), Succeeds());
  const bool privileged = ::geteuid() == 0;  // CAP_DAC_OVERRIDE
  const int error = privileged ? EOPNOTSUPP : EACCES;
  EXPECT_THAT(::getxattr(path("closed").c_str(), "nonsense", nullptr, 0), FailsWith(error));
  EXPECT_THAT(::fgetxattr(open.get(), "nonsense", nullptr, 0), FailsWith(error));
  EXPECT_THAT(::fsetxattr(open.get(), "nonsense", "1", 1, 0), FailsWith(error));
  EXPECT_THAT(::fremovexattr(open.get(), "nonsense"), FailsWith(error));
  EXPECT_THAT(::fgetxattr(open.get(), "trusted.x", nullptr, 0), FailsWith(ENODATA));
}

TEST(SocketXattr, Tells_the_protocol) {
  for (const auto& [type, protocol] : {std::pair(SOCK_STREAM, std::string("UNIX-STREAM")),
                                       std::pair(SOCK_DGRAM, std::string("UNIX")),
                                       std::pair(SOCK_SEQPACKET, std::string("UNIX"))}) {
    const Fd socket{::socket(AF_UNIX, type, 0)};
    const std::string name = "system.sockprotoname";
    std::array<char, 64> bytes{};
    const auto size = static_cast<ssize_t>(name.size() + 1);
    EXPECT_THAT(::flistxattr(socket.get(), bytes.data(), bytes.size()), SucceedsWith(size));
    EXPECT_EQ(bytes.data(), name);
    EXPECT_THAT(::flistxattr(socket.get(), nullptr, 0), SucceedsWith(size));
    EXPECT_THAT(::flistxattr(socket.get(), bytes.data(), 2), FailsWith(ERANGE));
    EXPECT_THAT(::fgetxattr(socket.get(), name.c_str(), bytes.data(), bytes.size()),
                SucceedsWith(protocol.size() + 1));
    EXPECT_EQ(bytes.data(), protocol);
    EXPECT_THAT(::fgetxattr(socket.get(), name.c_str(), bytes.data(), 2), FailsWith(ERANGE));
    EXPECT_THAT(::fsetxattr(socket.get(), name.c_str(), "x", 1, 0), FailsWith(EOPNOTSUPP));
  }
}

TEST_P(Xattr, Path_only_descriptors_are_refused) {
  make_file("a");
  const Fd place{::open(path("a").c_str(), O_PATH)};
  EXPECT_THAT(::fgetxattr(place.get(), "user.x", nullptr, 0), FailsWith(EBADF));
}

}  // namespace
