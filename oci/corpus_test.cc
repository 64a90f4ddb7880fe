// SPDX-License-Identifier: Apache-2.0
// Every config.json of the corpus is accepted, or refused for the reason recorded beside it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "runhl/oci/load_config.h"

namespace runhl::oci {
namespace {

using ::testing::StartsWith;

const std::filesystem::path kCorpus = std::filesystem::path(RUNHL_CORPUS_DIR) / "config";

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::map<std::string, std::string> expectations() {
  std::map<std::string, std::string> out;
  std::istringstream lines(read(kCorpus / "expected.txt"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find('\t');
    if (!line.starts_with('#') && tab != std::string::npos) {
      out[line.substr(0, tab)] = line.substr(tab + 1);
    }
  }
  return out;
}

TEST(Corpus, Each_file_has_an_expectation_and_the_reverse) {
  std::size_t files = 0;
  const auto expected = expectations();
  for (const auto& entry : std::filesystem::directory_iterator(kCorpus)) {
    if (entry.path().extension() == ".json") {
      ++files;
      EXPECT_TRUE(expected.contains(entry.path().stem())) << entry.path();
    }
  }
  EXPECT_GE(files, 50U);
  EXPECT_EQ(files, expected.size());
}

TEST(Corpus, Each_file_is_accepted_or_refused_for_its_reason) {
  for (const auto& [name, outcome] : expectations()) {
    SCOPED_TRACE(name);
    const auto config = parse_config(read(kCorpus / (name + ".json")), "/bundle");
    if (outcome == "ok") {
      ASSERT_TRUE(config.has_value()) << config.error().message;
      EXPECT_FALSE(config->process.args.empty());
      EXPECT_TRUE(config->root_path.starts_with('/'));
    } else {
      ASSERT_FALSE(config.has_value());
      EXPECT_EQ(config.error().code, ErrorCode::Unsupported);
      EXPECT_THAT(config.error().message, StartsWith(outcome));
      EXPECT_EQ(config.error().message.find('\n'), std::string::npos);
    }
  }
}

// What the engines of Debian write is understood to the last property.
TEST(Corpus, Accepted_files_have_no_unknown_property) {
  for (const auto& [name, outcome] : expectations()) {
    const auto config = parse_config(read(kCorpus / (name + ".json")), "/bundle");
    if (!config) {
      continue;
    }
    for (const std::string& warning : config->warnings) {
      EXPECT_EQ(warning.find("unknown"), std::string::npos) << name << ": " << warning;
    }
  }
}

}  // namespace
}  // namespace runhl::oci
