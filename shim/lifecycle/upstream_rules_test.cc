// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/upstream_rules.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <functional>
#include <string>

#include "runhl/oci/load_config.h"

namespace runhl::shim {
namespace {

oci::Config usual_config() {
  oci::Config config;
  config.process.args = {"/bin/program", "", "two words", "\"quoted\""};
  config.process.env = {"PATH=/bin"};
  config.process.cwd = "/";
  config.root_path = "/b/rootfs";
  config.masked_paths = {"/proc/kcore", "/sys/firmware"};
  config.readonly_paths = {"/proc/sys"};
  return config;
}

oci::ConfigMount mount_at(const char* destination, const char* type) {
  oci::ConfigMount mount;
  mount.destination = destination;
  mount.type = type;
  return mount;
}

oci::ConfigMount bind_of(const char* source, const char* destination) {
  oci::ConfigMount mount = mount_at(destination, "bind");
  mount.bind = true;
  mount.source = source;
  return mount;
}

/// Where the refusal points, after one change of what is taken.
std::string refused_at(const std::function<void(oci::Config&)>& change) {
  oci::Config config = usual_config();
  change(config);
  const Result<void> checked = check_upstream(config);
  return checked ? "" : checked.error().message.substr(0, checked.error().message.find(':'));
}

TEST(UpstreamRules, What_engines_give_every_container_is_taken) {
  oci::Config config = usual_config();
  config.process.no_new_privileges = true;
  config.process.capabilities = oci::CapabilitySets{};
  config.process.user.additional_gids = {1, 10};
  config.process.rlimits = {{RLIMIT_NOFILE, 1024, 1024}, {RLIMIT_CORE, 0, 0}};
  config.resources.memory_limit = 256 << 20;
  config.resources.pids_limit = 50;
  config.mounts = {mount_at("/proc", "proc"),           mount_at("/dev", "tmpfs"),
                   mount_at("/dev/shm", "tmpfs"),       mount_at("/sys", "sysfs"),
                   mount_at("/dev/pts", "devpts"),      mount_at("/sys/fs/cgroup", "cgroup"),
                   bind_of("/etc/hosts", "/etc/hosts"), bind_of("/tmp", "/data")};
  config.mounts[2].size_bytes = 64 << 20;
  config.mounts[2].no_exec = true;
  config.mounts[3].size_bytes = 64 << 20;  // containerd's
  const Result<void> checked = check_upstream(config);
  EXPECT_TRUE(checked) << checked.error().message;
}

TEST(UpstreamRules, Users_other_than_root_are_refused) {
  EXPECT_EQ(refused_at([](auto& c) { c.process.user.uid = 1000; }), "/process/user/uid");
  EXPECT_EQ(refused_at([](auto& c) { c.process.user.gid = 7; }), "/process/user/gid");
  EXPECT_EQ(refused_at([](auto& c) { c.process.user.umask = 077; }), "/process/user/umask");
  EXPECT_EQ(refused_at([](auto& c) { c.process.user.umask = 022; }), "");
}

TEST(UpstreamRules, Limits_that_would_bind_are_refused) {
  const auto limit = [](int resource, std::uint64_t soft) {
    return [=](oci::Config& c) {
      c.process.rlimits = {{RLIMIT_CORE, 0, 0}, {resource, soft, RLIM_INFINITY}};
    };
  };
  EXPECT_EQ(refused_at(limit(RLIMIT_NOFILE, 100)), "/process/rlimits/1");
  EXPECT_EQ(refused_at(limit(RLIMIT_CPU, 1)), "/process/rlimits/1");
  EXPECT_EQ(refused_at(limit(RLIMIT_FSIZE, 4096)), "/process/rlimits/1");
  EXPECT_EQ(refused_at(limit(RLIMIT_NPROC, 10)), "/process/rlimits/1");
  EXPECT_EQ(refused_at(limit(RLIMIT_FSIZE, RLIM_INFINITY)), "");
}

TEST(UpstreamRules, Words_that_do_not_fit_are_refused) {
  EXPECT_EQ(refused_at([](auto& c) { c.process.args.emplace_back(40'000, 'x'); }), "/process/args");
  EXPECT_EQ(refused_at([](auto& c) { c.process.env.resize(9'000, "A="); }), "/process/args");
}

TEST(UpstreamRules, What_the_root_file_system_cannot_keep_is_refused) {
  EXPECT_EQ(refused_at([](auto& c) { c.root_readonly = true; }), "/root/readonly");
  EXPECT_EQ(refused_at([](auto& c) { c.masked_paths.emplace_back("/etc/secret"); }),
            "/linux/maskedPaths/2");
  EXPECT_EQ(refused_at([](auto& c) { c.masked_paths.emplace_back("/process"); }),
            "/linux/maskedPaths/2");
  EXPECT_EQ(refused_at([](auto& c) { c.readonly_paths = {"/usr"}; }), "/linux/readonlyPaths/0");
}

TEST(UpstreamRules, What_is_run_or_kept_by_our_kernel_alone_is_refused) {
  EXPECT_EQ(refused_at([](auto& c) { c.hooks.start_container.resize(1); }),
            "/hooks/startContainer");
  EXPECT_EQ(refused_at([](auto& c) { c.guest_sysctl["kernel.shmmax"] = "1"; }),
            "/linux/sysctl/kernel.shmmax");
  EXPECT_EQ(refused_at([](auto& c) { c.resources.memory_limit = 16 << 20; }),
            "/linux/resources/memory/limit");
}

TEST(UpstreamRules, Binds_of_directories_are_taken_and_files_copied) {
  const auto bind = [](const oci::ConfigMount& mount) {
    return [mount](oci::Config& c) { c.mounts = {mount_at("/proc", "proc"), mount}; };
  };
  EXPECT_EQ(refused_at(bind(bind_of("/tmp", "/data"))), "");
  EXPECT_EQ(refused_at(bind(bind_of("/etc/passwd", "/etc/passwd"))), "/mounts/1/options");
  oci::ConfigMount read_only = bind_of("/etc/passwd", "/etc/passwd");
  read_only.read_only = true;
  EXPECT_EQ(refused_at(bind(read_only)), "");
  EXPECT_EQ(refused_at(bind(bind_of("/dev/null", "/etc/x"))), "/mounts/1/source");
  EXPECT_EQ(refused_at(bind(bind_of("/nosuch", "/data"))), "/mounts/1/source");
  EXPECT_EQ(refused_at(bind(bind_of("/tmp", "/dev/x"))), "/mounts/1/destination");
  EXPECT_EQ(refused_at(bind(bind_of("/tmp", "/proc"))), "/mounts/1/destination");
  for (const char* const place : {"/a b", "/a:b", "/a[b", "/a'b", "/a\"b", "/a\\b", "/a\nb"}) {
    EXPECT_EQ(refused_at(bind(bind_of("/tmp", place))), "/mounts/1/destination") << place;
  }
  oci::ConfigMount no_exec = bind_of("/tmp", "/data");
  no_exec.no_exec = true;
  EXPECT_EQ(refused_at(bind(no_exec)), "/mounts/1/options");
}

TEST(UpstreamRules, More_binds_than_a_kernel_takes_are_refused) {
  const auto binds = [](std::size_t count, const std::string& place) {
    return [=](oci::Config& c) {
      for (std::size_t i = 0; i < count; ++i) {
        c.mounts.push_back(bind_of("/tmp", (place + std::to_string(i)).c_str()));
      }
    };
  };
  EXPECT_EQ(refused_at(binds(32, "/d")), "");
  EXPECT_EQ(refused_at(binds(33, "/d")), "/mounts/32");
  EXPECT_EQ(refused_at(binds(4, "/" + std::string(1'000, 'd'))), "/mounts/2");
}

TEST(UpstreamRules, Places_in_memory_are_taken_as_far_as_they_restrict_nothing) {
  const auto tmpfs = [](const std::function<void(oci::ConfigMount&)>& change) {
    return [change](oci::Config& c) {
      c.mounts = {mount_at("/scratch", "tmpfs")};
      change(c.mounts[0]);
    };
  };
  EXPECT_EQ(refused_at(tmpfs([](auto& /*m*/) {})), "");
  EXPECT_EQ(refused_at(tmpfs([](auto& m) { m.size_bytes = 1ULL << 40U; })), "");
  EXPECT_EQ(refused_at(tmpfs([](auto& m) { m.size_bytes = 1 << 20; })), "/mounts/0/options");
  EXPECT_EQ(refused_at(tmpfs([](auto& m) { m.no_exec = true; })), "/mounts/0/options");
  EXPECT_EQ(refused_at(tmpfs([](auto& m) { m.read_only = true; })), "/mounts/0/options");
}

}  // namespace
}  // namespace runhl::shim
