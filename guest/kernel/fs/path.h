// SPDX-License-Identifier: Apache-2.0
// The one path walk. It follows "..", mounts and symlinks itself and lets a file system see only
// plain runs of names, as long as can be, so that most paths cost one request:
//
//   Owned<PathWalk> walk = TRY(PathWalk::create(start));       // cwd, an open directory
//   TRY(walk->set_path("../etc/passwd"));                       // or copy_path(user address)
//   abi::FileAttr attr = TRY(walk->run(Follow::Yes, [](Node& base, const PathSpec& at) {
//     return base.walk(at);
//   }));
//
// run() repeats the operation when it stopped at a symlink. After it, mount(), path() and base()
// tell where that was.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/result.h"
#include "core/user_memory.h"
#include "fs/mount.h"
#include "mm/heap.h"

namespace runhl::kernel {

enum class Follow : bool { No, Yes };
enum class LastName : std::uint8_t { Normal, Dot, DotDot, Root };
enum class EmptyPath : bool { Refuse, Allow };

class PathWalk {
 public:
  /// `start` is where relative paths begin.
  static Result<Owned<PathWalk>> create(const Ref<Directory>& start);
  PathWalk(const PathWalk&) = delete;
  PathWalk& operator=(const PathWalk&) = delete;
  ~PathWalk() = default;

  Result<void> set_path(std::string_view path, EmptyPath empty = EmptyPath::Refuse);
  Result<void> copy_path(UserAddress path, EmptyPath empty = EmptyPath::Refuse);
  /// Instead of a path: the object that a magic link leads to. `fill(LinkStop&)` says which.
  template <typename F>
  Result<void> set_object(F&& fill) {
    TRY(go_to_root());
    rest_at_ = rest_end_ = 0;
    stop_.start = stop_.end = 0;
    TRY(fill(stop_));
    return jump();
  }

  /// The path as given (until the walk begins).
  [[nodiscard]] std::string_view given() const { return {rest_.data() + rest_at_, rest_size()}; }

  /// Resolves and runs `act(base, spec)` at the last name. `act` must be repeatable up to the
  /// point where it reports ELOOP with a LinkStop.
  template <typename F>
  auto run(Follow follow, F&& act) -> decltype(act(std::declval<Node&>(), PathSpec{})) {
    for (;;) {
      TRY(consume());
      TRY(refuse_overlong());
      stop_.hit = false;
      auto result = act(*base_, spec(follow));
      if (result || !stop_.hit) {
        return result;
      }
      TRY(follow_link());
    }
  }
  /// Everything but the last name is resolved and known to be free of symlinks: for operations on
  /// two paths. The last name is not looked at: overlong() tells that it is longer than any can be.
  Result<void> resolve_parent();
  [[nodiscard]] bool overlong() const { return overlong_; }
  /// Goes one plain name down without asking whether it exists or is a mount point.
  Result<void> descend(std::string_view name);

  [[nodiscard]] Mount& mount() const { return *mount_; }
  /// Within the mount.
  [[nodiscard]] std::string_view path() const { return {path_.data(), path_size_}; }
  [[nodiscard]] const Ref<Node>& base() const { return base_; }
  [[nodiscard]] PathSpec spec(Follow follow);
  [[nodiscard]] bool must_be_directory() const { return must_be_directory_; }
  [[nodiscard]] LastName last() const { return last_; }
  /// The last name, without its directories; empty at a mount's root.
  [[nodiscard]] std::string_view name() const;
  [[nodiscard]] bool at_mount_root() const { return path_size_ == 0; }

 private:
  PathWalk() = default;
  static constexpr std::size_t kRestSize = std::size_t{2} * abi::kMaxPath;

  [[nodiscard]] std::size_t rest_size() const { return rest_end_ - rest_at_; }
  Result<void> consume();
  Result<void> take(std::string_view name);
  Result<void> append(std::string_view name);
  Result<void> go_up();
  Result<void> verify();
  Result<void> verify_parent_of_overlong();
  Result<void> refuse_overlong() {
    return overlong_ ? verify_parent_of_overlong().and_then(
                           []() -> Result<void> { return fail(ENAMETOOLONG); })
                     : Result<void>{};
  }
  Result<void> follow_link();
  Result<void> jump();
  Result<void> begin_at(const Directory& directory);
  Result<void> go_to_root();
  void enter_mounts();
  void truncate_path(std::size_t size);

  Mount* mount_ = nullptr;
  Ref<Node> base_;
  std::size_t base_size_ = 0;  // of path_, which base_ stands for
  std::size_t path_size_ = 0;
  std::size_t verified_size_ = 0;  // up to here path_ is known to exist without symlinks
  std::size_t rest_at_ = 0, rest_end_ = 0;
  unsigned links_ = 0;
  LastName last_ = LastName::Root;
  bool must_be_directory_ = false;
  bool overlong_ = false;  // the last name, which path_ then does not have
  LinkStop stop_;
  std::array<char, abi::kMaxPath> path_;
  std::array<char, kRestSize> rest_;
};

}  // namespace runhl::kernel
