// SPDX-License-Identifier: Apache-2.0
#include "proc/stack_builder.h"

#include <elf.h>
#include <linux/auxvec.h>

#include "runhl/core/units.h"

namespace runhl::kernel {
namespace {

constexpr std::string_view kPlatform{"x86_64", 7};  // with its NUL

/// Writes downwards, first strings, or upwards from a start, 8 bytes at a time.
class WordWriter {
 public:
  explicit WordWriter(UserAddress at) : at_(at) {}
  Result<void> put(std::uint64_t word) {
    block_[used_++] = word;
    return used_ == block_.size() ? flush() : Result<void>{};
  }
  Result<void> put_pointers(std::string_view strings, UserAddress address) {
    std::size_t at = 0;
    while (at < strings.size()) {
      TRY(put(address + at));
      at = strings.find('\0', at) + 1;
    }
    return put(0);
  }
  Result<void> flush() {
    TRY(copy_to_user(at_, block_.data(), used_ * sizeof(std::uint64_t)));
    at_ += used_ * sizeof(std::uint64_t);
    used_ = 0;
    return {};
  }

 private:
  std::array<std::uint64_t, 64> block_{};
  std::size_t used_ = 0;
  UserAddress at_;
};

class Downwards {
 public:
  explicit Downwards(UserAddress at) : at_(at) {}
  Result<UserAddress> put(const void* bytes, std::size_t size) {
    at_ -= size;
    TRY(copy_to_user(at_, bytes, size));
    return at_;
  }
  [[nodiscard]] UserAddress at() const { return at_; }

 private:
  UserAddress at_;
};

}  // namespace

Result<UserAddress> build_stack(UserAddress top, std::uint64_t limit,
                                const StackContents& contents) {
  const StringBlock& arguments = *contents.arguments;
  const StringBlock& environment = *contents.environment;
  constexpr std::size_t kOwnAux = 4;  // EXECFN PLATFORM RANDOM NULL
  const std::uint64_t words = 1 + arguments.count() + 1 + environment.count() + 1 +
                              2 * (contents.auxiliary.size() + kOwnAux);
  const std::uint64_t strings = sizeof(std::uint64_t) + contents.file_name.size() + 1 +
                                environment.bytes().size() + arguments.bytes().size() +
                                kPlatform.size() + contents.random.size();
  if (strings + words * sizeof(std::uint64_t) + 64 > limit) {
    return fail(E2BIG);
  }
  Downwards down(top);
  const std::uint64_t end_marker = 0;
  TRY(down.put(&end_marker, sizeof end_marker));
  TRY(down.put("", 1));
  const UserAddress file_name = TRY(down.put(contents.file_name.data(), contents.file_name.size()));
  const UserAddress env_at = TRY(down.put(environment.bytes().data(), environment.bytes().size()));
  const UserAddress args_at = TRY(down.put(arguments.bytes().data(), arguments.bytes().size()));
  const UserAddress platform = TRY(down.put(kPlatform.data(), kPlatform.size()));
  const UserAddress random = TRY(down.put(contents.random.data(), contents.random.size()));

  const UserAddress stack_pointer = align_down(down.at() - words * sizeof(std::uint64_t), 16);
  WordWriter up(stack_pointer);
  TRY(up.put(arguments.count()));
  TRY(up.put_pointers(arguments.bytes(), args_at));
  TRY(up.put_pointers(environment.bytes(), env_at));
  const auto put_aux = [&up](std::uint64_t type, std::uint64_t value) -> Result<void> {
    TRY(up.put(type));
    return up.put(value);
  };
  for (const AuxEntry& entry : contents.auxiliary) {
    TRY(put_aux(entry.type, entry.value));
  }
  TRY(put_aux(AT_RANDOM, random));
  TRY(put_aux(AT_EXECFN, file_name));
  TRY(put_aux(AT_PLATFORM, platform));
  TRY(put_aux(AT_NULL, 0));
  TRY(up.flush());
  return stack_pointer;
}

}  // namespace runhl::kernel
