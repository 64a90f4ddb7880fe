// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/upstream/guest_plan.h"

#include <algorithm>

#include "runhl/base/number.h"
#include "runhl/core/units.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::upstream {
namespace {

constexpr std::uint64_t kUsualMemory = std::uint64_t{512} << 20U;
constexpr std::uint64_t kLeastMemory = std::uint64_t{32} << 20U;

constexpr std::string_view kFormat = "runhl guest plan 1";

/// Words, each with its NUL.
class Writer {
 public:
  void word(std::string_view text) {
    // What comes from config.json has none; a word that had one would become two.
    text_.append(text.substr(0, text.find('\0'))).push_back('\0');
  }
  void number(std::uint64_t value) { word(std::to_string(value)); }
  void words(const std::vector<std::string>& list) {
    number(list.size());
    for (const std::string& one : list) {
      word(one);
    }
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

tl::unexpected<Error> broken() {
  return fail(ErrorCode::InvalidArgument, "a broken plan of a guest");
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<std::string> word() {
    const std::size_t end = text_.find('\0');
    if (end == std::string_view::npos) {
      return broken();
    }
    std::string one(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return one;
  }
  Result<std::uint64_t> number() {
    const std::string text = TRY(word());
    const auto value = whole_number<std::uint64_t>(text);
    return value ? Result<std::uint64_t>(*value) : broken();
  }
  Result<bool> flag() {
    const std::uint64_t value = TRY(number());
    return value < 2 ? Result<bool>(value == 1) : broken();
  }
  /// How many of something follow: each takes a byte at least.
  Result<std::size_t> count() {
    const std::uint64_t value = TRY(number());
    return value <= text_.size() ? Result<std::size_t>(value) : broken();
  }
  Result<std::vector<std::string>> words() {
    const std::size_t count = TRY(this->count());
    std::vector<std::string> list;
    for (std::size_t i = 0; i < count; ++i) {
      list.push_back(TRY(word()));
    }
    return list;
  }
  [[nodiscard]] bool at_end() const { return text_.empty(); }

 private:
  std::string_view text_;
};

Result<PlannedTree> read_tree(Reader* reader) {
  PlannedTree tree;
  tree.tree = TRY(reader->number());
  tree.target = TRY(reader->word());
  tree.directory = TRY(reader->flag());
  tree.read_only = TRY(reader->flag());
  return tree;
}

}  // namespace

std::uint64_t guest_memory(std::uint64_t limit) {
  if (limit == 0) {
    return kUsualMemory;
  }
  const std::uint64_t memory = std::min(kUsualMemory, align_down(limit / 4 * 3, kPageSize));
  return memory < kLeastMemory ? 0 : memory;
}

Result<GuestPlan> plan_guest(const MachineSpec& spec, Cpu cpu) {
  GuestPlan plan;
  plan.cpu = cpu;
  plan.memory_bytes = guest_memory(spec.memory_limit);
  if (plan.memory_bytes == 0) {
    return fail(ErrorCode::InvalidArgument,
                "a memory limit of " + std::to_string(spec.memory_limit) +
                    " bytes, which is not enough for an upstream kernel");
  }
  plan.capabilities = spec.ceiling.capabilities;
  plan.args = spec.process.args;
  plan.env = spec.process.env;
  plan.directory = spec.process.cwd.empty() ? "/" : spec.process.cwd;
  plan.hostname = spec.hostname;
  for (const Mount& mount : spec.mounts) {
    if (mount.kind == MountKind::Tree && mount.tree < spec.trees.size()) {
      plan.trees.push_back({.tree = mount.tree,
                            .target = mount.target,
                            .directory = spec.trees[mount.tree].directory,
                            .read_only = mount.read_only});
    } else if (mount.kind == MountKind::Tmpfs) {
      plan.made.push_back(mount.target);
    }
  }
  return plan;
}

std::string encode(const GuestPlan& plan) {
  Writer writer;
  writer.word(kFormat);
  writer.number(plan.cpu == Cpu::Hardware ? 1 : 0);
  writer.number(plan.memory_bytes);
  writer.number(plan.capabilities);
  writer.words(plan.args);
  writer.words(plan.env);
  writer.word(plan.directory);
  writer.word(plan.hostname);
  writer.words(plan.made);
  writer.number(plan.trees.size());
  for (const PlannedTree& tree : plan.trees) {
    writer.number(tree.tree);
    writer.word(tree.target);
    writer.number(tree.directory ? 1 : 0);
    writer.number(tree.read_only ? 1 : 0);
  }
  return writer.take();
}

Result<GuestPlan> decode_plan(std::string_view text) {
  Reader reader(text);
  if (TRY(reader.word()) != kFormat) {
    return broken();
  }
  GuestPlan plan;
  plan.cpu = TRY(reader.flag()) ? Cpu::Hardware : Cpu::Software;
  plan.memory_bytes = TRY(reader.number());
  plan.capabilities = TRY(reader.number());
  plan.args = TRY(reader.words());
  plan.env = TRY(reader.words());
  plan.directory = TRY(reader.word());
  plan.hostname = TRY(reader.word());
  plan.made = TRY(reader.words());
  const std::size_t trees = TRY(reader.count());
  for (std::size_t i = 0; i < trees; ++i) {
    plan.trees.push_back(TRY(read_tree(&reader)));
  }
  if (plan.args.empty() || !reader.at_end()) {
    return broken();
  }
  return plan;
}

}  // namespace runhl::vmm::upstream
