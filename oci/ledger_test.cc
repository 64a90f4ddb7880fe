// SPDX-License-Identifier: Apache-2.0
// The ledger against the specification's own schema, as Debian ships it.
#include "runhl/oci/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace runhl::oci {
namespace {

using nlohmann::json;

constexpr const char* kSchemas =
    "/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema/";

/// Collects the JSON pointers of all properties that the schema describes for Linux.
class SchemaWalk {
 public:
  std::set<std::string> properties;

  void walk(const json& node, const std::string& file, const std::string& pointer) {
    if (node.contains("$ref")) {
      follow(node["$ref"], file, pointer);
    }
    if (node.contains("properties")) {
      for (const auto& [name, child] : node["properties"].items()) {
        properties.insert(pointer + "/" + name);
        walk(child, file, pointer + "/" + name);
      }
    }
    for (const char* many : {"anyOf", "allOf", "oneOf"}) {
      for (const json& part : node.value(many, json::array())) {
        walk(part, file, pointer);
      }
    }
    for (const char* one : {"items", "additionalProperties"}) {
      if (node.contains(one) && node[one].is_object()) {
        walk(node[one], file, pointer + "/*");
      }
    }
  }

  void follow(const std::string& reference, const std::string& from, const std::string& pointer) {
    static const std::set<std::string> kOtherSystems = {"config-solaris.json", "config-vm.json",
                                                        "config-windows.json", "config-zos.json"};
    const std::size_t hash = reference.find('#');
    const std::string file = hash == 0 ? from : reference.substr(0, hash);
    if (!kOtherSystems.contains(file)) {
      std::string way = reference.substr(hash + 1);
      way.insert(0, way.starts_with('/') ? "" : "/");
      walk(load(file).at(json::json_pointer(way)), file, pointer);
    }
  }

  const json& load(const std::string& file) {
    if (!files_.contains(file)) {
      std::ifstream stream(kSchemas + file);  // packaging/apt-packages.txt brings it
      EXPECT_TRUE(stream.good()) << kSchemas << file;
      files_[file] = json::parse(stream, nullptr, false);
    }
    return files_[file];
  }

 private:
  std::map<std::string, json> files_;
};

std::set<std::string> schema_properties() {
  SchemaWalk walk;
  walk.walk(walk.load("config-schema.json"), "config-schema.json", "");
  return walk.properties;
}

TEST(Ledger, Every_property_of_the_schema_has_a_row) {
  const std::set<std::string> properties = schema_properties();
  EXPECT_GE(properties.size(), 200U);
  for (const std::string& property : properties) {
    const LedgerRow* row = find_ledger_row(property);
    ASSERT_NE(row, nullptr) << property;
    EXPECT_EQ(row->origin, Origin::Schema) << property;
  }
}

TEST(Ledger, Every_row_is_a_property) {
  const std::set<std::string> properties = schema_properties();
  for (const LedgerRow& row : ledger()) {
    EXPECT_EQ(properties.contains(std::string(row.pointer)), row.origin == Origin::Schema)
        << row.pointer;
  }
}

TEST(Ledger, Every_row_has_a_one_line_reason) {
  for (const LedgerRow& row : ledger()) {
    EXPECT_FALSE(row.reason.empty()) << row.pointer;
    EXPECT_EQ(row.reason.find('\n'), std::string_view::npos) << row.pointer;
  }
}

}  // namespace
}  // namespace runhl::oci
