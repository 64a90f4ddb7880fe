// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "jail/forked_test.h"
#include "runhl/base/sys_recording.h"
#include "runhl/shim/netns.h"

namespace runhl::shim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Namespaces : public ::testing::Test {
 protected:
  void SetUp() override { proc_ = *sys_.open(AT_FDCWD, "/proc", O_PATH, 0); }
  Result<void> enter() {
    sys_.calls.clear();
    return enter_namespaces(sys_, config_, proc_.get());
  }
  RecordingSys sys_;
  UniqueFd proc_;
  oci::Config config_;
};

TEST_F(Namespaces, None_asked_for_leaves_the_callers) {
  config_.namespaces = {{oci::NamespaceType::Pid, ""}, {oci::NamespaceType::Mount, ""}};
  EXPECT_TRUE(enter());
  EXPECT_THAT(sys_.calls, IsEmpty());
}

TEST_F(Namespaces, New_ones_are_made_and_filled) {
  config_.namespaces = {{oci::NamespaceType::Ipc, ""},
                        {oci::NamespaceType::Uts, ""},
                        {oci::NamespaceType::Network, ""}};
  config_.hostname = "box";
  config_.domainname = "example";
  config_.sysctl = {{"net.ipv4.ip_forward", "1"}};
  EXPECT_TRUE(enter());
  EXPECT_THAT(sys_.calls,
              ElementsAre("unshare network namespace", "interface_up lo", "unshare uts namespace",
                          "unshare ipc namespace", "sethostname box", "setdomainname example",
                          "open_resolved /proc/sys/net/ipv4/ip_forward 0xe",
                          "write </proc/sys/net/ipv4/ip_forward> 1"));
}

TEST_F(Namespaces, A_path_is_joined_and_its_lo_left_alone) {
  config_.namespaces = {{oci::NamespaceType::Network, "/run/netns/a"}};
  sys_.fs_magics["/run/netns/a"] = NSFS_MAGIC;
  EXPECT_TRUE(enter());
  EXPECT_THAT(sys_.calls, ElementsAre("open /run/netns/a", "statfs </run/netns/a>",
                                      "setns </run/netns/a> network namespace"));
}

TEST_F(Namespaces, A_path_that_is_no_namespace_is_named) {
  config_.namespaces = {{oci::NamespaceType::Pid, ""},
                        {oci::NamespaceType::Network, "/etc/passwd"}};
  const auto entered = enter();
  ASSERT_FALSE(entered);
  EXPECT_EQ(entered.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(entered.error().message, "/linux/namespaces/1/path: /etc/passwd is not a namespace");
  EXPECT_FALSE(sys_.called("setns"));
}

TEST_F(Namespaces, A_namespace_of_another_type_is_named) {
  config_.namespaces = {{oci::NamespaceType::Network, "/proc/1/ns/uts"}};
  sys_.fs_magics["/proc/1/ns/uts"] = NSFS_MAGIC;
  sys_.fail("setns", EINVAL);
  EXPECT_EQ(enter().error().message,
            "/linux/namespaces/0/path: /proc/1/ns/uts is not a network namespace");
}

TEST_F(Namespaces, A_missing_path_and_a_forbidden_call_are_named) {
  config_.namespaces = {{oci::NamespaceType::Uts, "/gone"}};
  sys_.fail("open /gone", ENOENT);
  EXPECT_THAT(enter().error().message, HasSubstr("/linux/namespaces/0/path: open /gone"));
  config_.namespaces = {{oci::NamespaceType::Uts, ""}};
  sys_.fail("unshare uts", EPERM);
  EXPECT_EQ(enter().error().message,
            "/linux/namespaces/0: unshare uts namespace: Operation not permitted");
}

TEST_F(Namespaces, The_hosts_own_name_and_sysctls_are_never_changed) {
  config_.hostname = "box";
  EXPECT_THAT(enter().error().message, HasSubstr("/hostname: needs"));
  config_.hostname.clear();
  config_.sysctl = {{"net.core.somaxconn", "1"}};
  EXPECT_THAT(enter().error().message, HasSubstr("/linux/sysctl/net.core.somaxconn: needs"));
  config_.namespaces = {{oci::NamespaceType::Network, ""}};
  config_.sysctl = {{"kernel.panic", "1"}};
  EXPECT_EQ(enter().error().code, ErrorCode::Unsupported);
  EXPECT_FALSE(sys_.called("sethostname"));
  EXPECT_FALSE(sys_.called("open_resolved"));
}

TEST_F(Namespaces, Either_separator_names_a_sysctl) {
  config_.namespaces = {{oci::NamespaceType::Network, ""}};
  config_.sysctl = {{"net/ipv4/conf/eth0.1/forwarding", "1"}};
  EXPECT_TRUE(enter());
  EXPECT_TRUE(sys_.called("open_resolved /proc/sys/net/ipv4/conf/eth0.1/forwarding"));
  config_.sysctl = {{"net.ipv4.conf.eth0/1.forwarding", "1"}};
  EXPECT_TRUE(enter());
  EXPECT_TRUE(sys_.called("open_resolved /proc/sys/net/ipv4/conf/eth0.1/forwarding"));
}

TEST(NamespacesForReal, A_new_network_namespace_has_lo_up_and_its_own_sysctls) {
  in_forked_root([] {
    Sys& sys = linux_sys();
    const auto proc = sys.open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
    const auto before = sys.read_file(proc->get(), "sys/net/ipv4/ip_default_ttl", 64);
    oci::Config config;
    config.namespaces = {{oci::NamespaceType::Network, ""}, {oci::NamespaceType::Uts, ""}};
    config.hostname = "runhl-test";
    config.sysctl = {{"net.ipv4.ip_default_ttl", "77"}};
    expect_in_fork(*before != "77\n", "the host's value differs");
    const auto entered = enter_namespaces(sys, config, proc->get());
    expect_in_fork(entered.has_value(), entered ? "" : entered.error().message);
    expect_in_fork(*sys.read_file(proc->get(), "sys/net/ipv4/ip_default_ttl", 64) == "77\n", "ttl");
    std::array<char, 64> name{};
    (void)::gethostname(name.data(), name.size());
    expect_in_fork(std::string(name.data()) == "runhl-test", "hostname");
    ifreq request{};
    std::string("lo").copy(request.ifr_name, IFNAMSIZ - 1);
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    expect_in_fork(::ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0, "SIOCGIFFLAGS");
    expect_in_fork((request.ifr_flags & IFF_UP) != 0, "lo is up");
  });
}

}  // namespace
}  // namespace runhl::shim
