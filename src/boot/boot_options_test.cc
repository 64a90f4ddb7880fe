// SPDX-License-Identifier: Apache-2.0
#include "boot/boot_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace runhl::boot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using vmm::hyperlight::Generation;
using Words = std::vector<std::string>;

Result<BootOptions> fit(const Words& words, Generation generation) {
  BootOptions options = *TRY(parse_boot_options(words));
  TRY(fit_options(generation, &options));
  return options;
}

BootOptions parsed(const Words& words, Generation generation = Generation::G3) {
  const Result<BootOptions> options = fit(words, generation);
  EXPECT_TRUE(options) << options.error().message;
  return options ? *options : BootOptions{};
}

std::string refused(const Words& words, Generation generation = Generation::G3) {
  const Result<BootOptions> options = fit(words, generation);
  return options ? "accepted" : options.error().message;
}

TEST(BootOptions, Have_the_defaults_of_upstreams_program) {
  const BootOptions options = parsed({"k"});
  EXPECT_EQ(options.kernel, "k");
  EXPECT_EQ(options.memory_bytes, 512U << 20U);
  EXPECT_EQ(options.entry, "");
  EXPECT_FALSE(options.quiet);
  EXPECT_EQ(options.time_limit_s, 0U);
}

TEST(BootOptions, The_program_is_the_entry_or_the_first_argument) {
  const BootOptions with_entry =
      parsed({"k", "--initrd", "r", "--entry", "/bin/sh", "--", "-c", "ls"});
  EXPECT_EQ(with_entry.entry, "/bin/sh");
  EXPECT_THAT(with_entry.args, ElementsAre("-c", "ls"));
  const BootOptions without = parsed({"k", "--initrd=r", "--", "/bin/sh", "--", "x"});
  EXPECT_EQ(without.entry, "/bin/sh");
  EXPECT_THAT(without.args, ElementsAre("--", "x"));
}

TEST(BootOptions, Code_becomes_the_argument_of_c) {
  const BootOptions options =
      parsed({"k", "--initrd", "r", "--entry", "/usr/bin/python3", "-e", "print(1)"});
  EXPECT_THAT(options.args, ElementsAre("-c", "print(1)"));
  EXPECT_THAT(refused({"k", "--initrd", "r", "-e", "x", "--entry", "/p", "--", "y"}),
              HasSubstr("exclude each other"));
  EXPECT_THAT(refused({"k", "--initrd", "r", "-e", "x"}), HasSubstr("--entry"));
}

TEST(BootOptions, A_program_needs_an_archive_and_an_archive_a_program) {
  EXPECT_THAT(refused({"k", "--entry", "/p"}), HasSubstr("--initrd"));
  EXPECT_THAT(refused({"k", "--initrd", "r"}), HasSubstr("no program"));
}

TEST(BootOptions, The_kernel_may_be_the_stores_default) {
  EXPECT_EQ(parsed({"--initrd", "r", "--", "/p"}).kernel, "");
  EXPECT_EQ(parsed({"k", "--store", "/s", "--pull=never"}).store, "/s");
  EXPECT_THAT(refused({"k", "--pull=always"}), HasSubstr("neither missing nor never"));
}

TEST(BootOptions, Environment_entries_have_a_key) {
  EXPECT_THAT(parsed({"k", "--env", "A=1", "--env", "B="}).env, ElementsAre("A=1", "B="));
  EXPECT_THAT(refused({"k", "--env", "A"}), HasSubstr("KEY=VALUE"));
  EXPECT_THAT(refused({"k", "--env", "=1"}), HasSubstr("KEY=VALUE"));
}

TEST(BootOptions, Memory_is_written_as_upstream_does) {
  EXPECT_EQ(*parse_memory("65536"), 65536U);
  EXPECT_EQ(*parse_memory("64Mi"), 64U << 20U);
  EXPECT_EQ(*parse_memory("1Gi"), 1U << 30U);
  EXPECT_EQ(*parse_memory("64M"), 64'000'000U);
  EXPECT_EQ(*parse_memory("16Gi"), 16ULL << 30U);
  for (const char* bad : {"", "0", "-1", "1.5Gi", "17Gi", "text", "Mi", "1Mib", "1 Mi",
                          "99999999999999999999", "18446744073709551615Gi"}) {
    EXPECT_FALSE(parse_memory(bad)) << bad;
  }
}

TEST(BootOptions, An_abi_is_one_of_three) {
  EXPECT_FALSE(parsed({"k"}).abi);
  EXPECT_EQ(parsed({"k", "--abi", "g1"}).abi, Generation::G1);
  EXPECT_EQ(parsed({"k", "--abi=G3"}).abi, Generation::G3);
  for (const char* bad : {"g4", "1", "g", "g1 ", "hyperlight"}) {
    EXPECT_THAT(refused({"k", std::string("--abi=") + bad}), HasSubstr("none of g1, g2, g3"));
  }
}

TEST(BootOptions, All_words_are_arguments_of_a_G1_kernels_own_program) {
  const BootOptions options = parsed({"k", "--enable-tools", "--", "a", "--", "b"}, Generation::G1);
  EXPECT_EQ(options.entry, "");
  EXPECT_TRUE(options.echo_tool);
  EXPECT_THAT(options.args, ElementsAre("a", "--", "b"));
  EXPECT_THAT(parsed({"k", "-e", "x y"}, Generation::G1).args, ElementsAre("-c", "x y"));
  EXPECT_EQ(parsed({"k", "--repeat", "2"}, Generation::G1).repeat, 2U);
}

TEST(BootOptions, A_tool_is_a_name_and_a_program) {
  const BootOptions options = parsed({"k", "--tool", "weather=/usr/bin/w=x", "--tool=b=./b"});
  ASSERT_EQ(options.tools.size(), 2U);
  EXPECT_EQ(options.tools[0].name, "weather");
  EXPECT_EQ(options.tools[0].path, "/usr/bin/w=x");
  for (const char* bad : {"", "x", "=x", "x=", "a b=/x", "fs_read=/x", "net_x=/x", "__hl=/x"}) {
    EXPECT_THAT(refused({"k", std::string("--tool=") + bad}), HasSubstr("--tool: \"")) << bad;
  }
  EXPECT_THAT(refused({"k", "--tool", "a=/x", "--tool", "a=/y"}), HasSubstr("two of the name a"));
  EXPECT_THAT(refused({"k", "--tool", "echo=/x", "--enable-tools"}, Generation::G1),
              HasSubstr("two of the name echo"));
  EXPECT_THAT(refused({"k", "--initrd", "r", "--save", "d", "--tool", "a=/x"}),
              HasSubstr("--restore"));
}

TEST(BootOptions, What_a_generation_has_not_is_refused_by_name) {
  EXPECT_THAT(refused({"k", "--enable-tools"}), HasSubstr("--enable-tools"));
  EXPECT_THAT(refused({"k", "--entry", "/p"}, Generation::G1), HasSubstr("--entry"));
  EXPECT_THAT(refused({"k", "--env", "A=1"}, Generation::G1), HasSubstr("--env"));
}

TEST(BootOptions, There_is_no_network_unless_it_is_granted) {
  EXPECT_FALSE(parsed({"k"}).network);
  const auto all = parsed({"k", "--net"}).network;
  ASSERT_TRUE(all);
  EXPECT_EQ(all->mode, vmm::net::Mode::All);
  const auto list = parsed({"k", "--net-allow", "a.test:80", "--net-allow", "10.0.0.0/8"}).network;
  ASSERT_TRUE(list);
  EXPECT_EQ(list->mode, vmm::net::Mode::Allow);
  EXPECT_EQ(list->targets.size(), 2U);
  const auto ports = parsed({"k", "--port", "80", "--port", "8000-8010"}).network;
  ASSERT_TRUE(ports);
  EXPECT_EQ(ports->mode, vmm::net::Mode::None);
  EXPECT_EQ(ports->listen.size(), 2U);
}

TEST(BootOptions, Networks_that_cannot_be_are_refused) {
  for (const char* bad : {"0", "65536", "text", "", "9-5", "1-65536", "-1", "80-"}) {
    EXPECT_THAT(refused({"k", std::string("--port=") + bad}), HasSubstr("--port: \"")) << bad;
  }
  for (const char* bad : {"", "10.0.0.1/8", "10.0.0.0/33", "a b", "a:0", "a:x", "[::1", "/8"}) {
    EXPECT_THAT(refused({"k", std::string("--net-allow=") + bad}), HasSubstr("--net-allow: \""))
        << bad;
    EXPECT_THAT(refused({"k", std::string("--net-block=") + bad}), HasSubstr("--net-block: \""))
        << bad;
  }
  EXPECT_THAT(refused({"k", "--net-allow", "a", "--net-block", "b"}), HasSubstr("exclude"));
  EXPECT_THAT(refused({"k", "--net", "--net-block", "b"}), HasSubstr("exclude"));
}

TEST(BootOptions, Repeats_are_a_number_of_runs_of_a_program) {
  EXPECT_EQ(parsed({"k", "--repeat", "0"}).repeat, 0U);
  EXPECT_EQ(parsed({"k", "--initrd", "r", "--repeat", "3", "--", "/p"}).repeat, 3U);
  EXPECT_THAT(refused({"k", "--repeat", "-1"}), HasSubstr("no number"));
  EXPECT_THAT(refused({"k", "--repeat", "2"}), HasSubstr("no program"));
}

TEST(BootOptions, Snapshots_are_saved_without_a_program_and_restored_with_one) {
  const BootOptions saved = parsed({"k", "--initrd", "r", "--save", "d"});
  EXPECT_EQ(saved.save, "d");
  EXPECT_EQ(saved.memory_bytes, 512U << 20U);
  const BootOptions restored = parsed({"k", "--restore", "d", "--", "/p", "x"});
  EXPECT_EQ(restored.restore, "d");
  EXPECT_EQ(restored.entry, "/p");
  EXPECT_EQ(restored.memory_bytes, 0U);
  EXPECT_EQ(parsed({"k", "--restore", "d", "-m", "64Mi", "--", "/p"}).memory_bytes, 64U << 20U);
  EXPECT_THAT(refused({"k", "--save", "d"}), HasSubstr("--initrd"));
  EXPECT_THAT(refused({"k", "--initrd", "r", "--save", "d", "--", "/p"}), HasSubstr("--restore"));
  EXPECT_THAT(refused({"k", "--initrd", "r", "--save", "d", "--mount", "/a"}),
              HasSubstr("--restore"));
  EXPECT_THAT(refused({"k", "--save", "d", "--restore", "d"}), HasSubstr("exclude"));
  EXPECT_THAT(refused({"k", "--initrd", "r", "--restore", "d", "--", "/p"}), HasSubstr("in it"));
  EXPECT_THAT(refused({"k", "--restore", "d"}), HasSubstr("no program"));
}

TEST(BootOptions, What_a_G1_kernel_boots_with_is_in_its_snapshot) {
  const auto said = [](const Words& words) { return refused(words, Generation::G1); };
  EXPECT_EQ(said({"k", "--save", "f"}), "accepted");
  EXPECT_EQ(said({"k", "--initrd", "r", "--mount", "/a", "--save", "f", "--", "x"}), "accepted");
  EXPECT_EQ(said({"k", "--restore", "f"}), "accepted");
  EXPECT_EQ(said({"k", "--restore", "f", "--initrd", "r", "--mount", "/b", "--net", "--repeat", "2",
                  "--tool", "t=/bin/t", "--enable-tools"}),
            "accepted");
  EXPECT_THAT(said({"k", "--save", "f", "--restore", "f"}), HasSubstr("exclude"));
  EXPECT_THAT(said({"k", "--save", "f", "--tool", "t=/bin/t"}), HasSubstr("tools"));
  EXPECT_THAT(said({"k", "--save", "f", "--enable-tools"}), HasSubstr("tools"));
  EXPECT_THAT(said({"k", "--save", "f", "--repeat", "1"}), HasSubstr("--repeat"));
  EXPECT_THAT(said({"k", "--restore", "f", "--", "x"}), HasSubstr("arguments"));
  EXPECT_THAT(said({"k", "--restore", "f", "-e", "x"}), HasSubstr("arguments"));
}

TEST(BootOptions, Isolation_is_a_virtual_machine_or_emulated) {
  EXPECT_EQ(parsed({"k"}).isolation, Choice::Auto);
  EXPECT_EQ(parsed({"--isolation=auto", "k"}).isolation, Choice::Auto);
  EXPECT_EQ(parsed({"--isolation=emulated", "k"}).isolation, Choice::Emulated);
  EXPECT_EQ(parsed({"--isolation=vm", "k"}).isolation, Choice::Vm);
  EXPECT_THAT(refused({"--isolation=cell", "k"}), HasSubstr("ring 0"));
  EXPECT_THAT(refused({"--isolation=x", "k"}), HasSubstr("none of"));
}

TEST(BootOptions, Another_runhls_call_is_refused) {
  EXPECT_THAT(refused({"--caller-version=other", "k"}), HasSubstr("install both again"));
}

TEST(BootOptions, A_time_limit_is_a_number_of_seconds) {
  EXPECT_EQ(parsed({"k", "--time-limit", "5"}).time_limit_s, 5U);
  EXPECT_THAT(refused({"k", "--time-limit", "5s"}), HasSubstr("no number"));
}

TEST(BootOptions, Mounts_are_a_host_directory_a_place_and_a_mode) {
  const BootOptions options =
      parsed({"k", "--mount", "/a", "--mount", "/b:/data/", "--mount", "c:/mnt/x:ro"});
  ASSERT_EQ(options.mounts.size(), 3U);
  EXPECT_EQ(options.mounts[0].guest, "/host");
  EXPECT_EQ(options.mounts[1].guest, "/data");
  EXPECT_FALSE(options.mounts[1].read_only);
  EXPECT_EQ(options.mounts[2].host, "c");
  EXPECT_TRUE(options.mounts[2].read_only);
  EXPECT_EQ(parsed({"k", "--mount", "/a:ro"}).mounts[0].guest, "/host");
}

TEST(BootOptions, Mounts_that_cannot_be_are_refused) {
  for (const char* bad : {"", ":/x", "/a:/b:/c", "/a:/b:ro:x", "/a:b", "/a:/b c", "/a:/[b]",
                          "/a:/b'c", "/a:", "/a:/x/../y", "/a://x", "/a:/x/."}) {
    EXPECT_THAT(refused({"k", "--mount", bad}), HasSubstr("--mount")) << bad;
  }
  for (const char* reserved : {"/a:/", "/a:/bin", "/a:/usr/lib", "/a:/dev/x", "/a:/proc"}) {
    EXPECT_THAT(refused({"k", "--mount", reserved}), HasSubstr("hide")) << reserved;
  }
  EXPECT_EQ(refused({"k", "--mount", "/a:/binary"}), "accepted");
  EXPECT_THAT(refused({"k", "--mount", "/a", "--mount", "/b:/host/"}), HasSubstr("two at /host"));
}

}  // namespace
}  // namespace runhl::boot
