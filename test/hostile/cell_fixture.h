// SPDX-License-Identifier: Apache-2.0
// Runs the hostile kernel as a container does: the real launcher, machine, loop and file service.
//
//   class Foo : public CellFixture {};
//   TEST_F(Foo, Ends) { EXPECT_EQ(run({"exit"}).exit->code, 0); }
//
// Every test ends with the same questions: is a descriptor or a process left?
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runhl/vmm/cell/cell.h"

namespace runhl::vmm {

/// Made of attacks (kernel/).
KernelImage hostile_kernel();

class CellFixture : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// A container whose first argument names the attack, on the test's tree.
  MachineSpec spec(std::vector<std::string> args);
  /// The same with a second tree, "volume", that is read-only.
  MachineSpec spec_with_volume(std::vector<std::string> args);

  struct Outcome {
    std::optional<Error> refused;  ///< by create()
    std::optional<Result<void>> ready;
    std::optional<Exit> exit;
    std::string output;  ///< stdout
  };
  /// `on_ready` runs when the guest is ready; by default it starts it.
  using OnReady = std::function<void(Machine& machine)>;
  Outcome run(MachineSpec spec, const OnReady& on_ready);
  Outcome run(std::vector<std::string> args) { return run(spec(std::move(args)), start); }
  static void start(Machine& machine);

  /// The attack came to its end and failed.
  void expect_repelled_in(MachineSpec spec);
  void expect_repelled(std::vector<std::string> args) { expect_repelled_in(spec(std::move(args))); }

  [[nodiscard]] static bool privileged();
  [[nodiscard]] const std::filesystem::path& tree() const { return tree_; }
  [[nodiscard]] std::filesystem::path outside() const { return directory_ / "outside"; }

 private:
  void make_tree();
  void make_places_of_others();

  std::filesystem::path directory_, tree_;
  std::size_t descriptors_ = 0;
};

}  // namespace runhl::vmm
