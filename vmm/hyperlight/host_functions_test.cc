// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/host_functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hyperlight/host_files.h"
#include "hyperlight/host_services.h"
#include "hyperlight/host_sockets.h"

namespace runhl::vmm::hyperlight {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> names(Generation generation, const HostFiles* files, HostSockets* sockets,
                               const std::vector<HostCall>* calls = nullptr) {
  static const BootAnswers answers;
  static Console console;
  static Events events;
  HostFunctions functions;
  add_host_functions(&functions, generation, {&answers, &console, &events, files, sockets, calls});
  std::vector<std::string> names;
  for (const HostFunction& function : functions.all()) {
    names.emplace_back(function.name);
  }
  return names;
}

class HostFunctionsTest : public ::testing::TestWithParam<Generation> {};

TEST_P(HostFunctionsTest, A_guest_without_grants_has_no_files_sockets_or_tools) {
  const auto all = names(GetParam(), nullptr, nullptr);
  EXPECT_THAT(all, Contains("Exited"));
  EXPECT_THAT(all, Each(AllOf(Not(StartsWith("fs_")), Not(StartsWith("net_")), Not("HostCall"),
                              Not("GetHostFsChunkSize"))));
}

TEST_P(HostFunctionsTest, Each_grant_gives_its_own) {
  const HostFiles files({}, StatFormat::Times);
  HostSockets sockets(nullptr);
  const auto with_files = names(GetParam(), &files, nullptr);
  EXPECT_THAT(with_files, Contains("fs_stat"));
  EXPECT_THAT(with_files, Each(Not(StartsWith("net_"))));
  const auto with_sockets = names(GetParam(), nullptr, &sockets);
  EXPECT_THAT(with_sockets, Contains("net_socket"));
  EXPECT_THAT(with_sockets, Each(Not(StartsWith("fs_"))));
}

TEST_P(HostFunctionsTest, No_name_is_there_twice) {
  const HostFiles files({}, StatFormat::Times);
  HostSockets sockets(nullptr);
  const std::vector<HostCall> calls;
  auto all = names(GetParam(), &files, &sockets, &calls);
  EXPECT_THAT(all, Contains("HostCall"));
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

TEST(HostFunctions, Of_a_G1_guest_are_its_console_and_the_way_to_its_tools) {
  const HostFiles files({}, StatFormat::Times);
  HostSockets sockets(nullptr);
  EXPECT_THAT(names(Generation::G1, &files, &sockets), ElementsAre("HostPrint", "__dispatch"));
}

INSTANTIATE_TEST_SUITE_P(Of, HostFunctionsTest, ::testing::Values(Generation::G2, Generation::G3),
                         [](const auto& of) { return std::string(to_string(of.param)); });

}  // namespace
}  // namespace runhl::vmm::hyperlight
