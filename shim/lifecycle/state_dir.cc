// SPDX-License-Identifier: Apache-2.0
#include "runhl/shim/state_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <utility>

#include "lifecycle/small_file.h"

namespace runhl::shim {
namespace {

constexpr std::size_t kMaxStateBytes = 8UL * 1024 * 1024;
constexpr std::size_t kMaxProgressBytes = 64;
constexpr mode_t kDirectoryMode =
    0711;  // engines look through the root for nothing; others may not list it
constexpr mode_t kContainerMode = 0700;

Result<void> make_directories(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
      return fail_errno("make state directory " + part);
    }
    if (end == std::string::npos) {
      return {};
    }
  }
}

/// A fallback root lies where everybody may write: another user must not have made it.
Result<void> check_owner(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    return fail_errno("state directory " + path);
  }
  if (!S_ISDIR(info.st_mode) || (info.st_uid != 0 && info.st_uid != ::geteuid())) {
    return fail(
        ErrorCode::Permission,
        "state directory " + path + " is not a directory of this user; give one with --root");
  }
  return {};
}

using Directory = std::unique_ptr<DIR, decltype([](DIR* dir) { ::closedir(dir); })>;

template <typename F>
Result<void> for_each_entry(UniqueFd fd, F function) {
  const Directory dir{::fdopendir(fd.get())};
  if (!dir) {
    return fail_errno("read directory");
  }
  (void)fd.release();  // closed by closedir
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") {
      function(name);
    }
  }
  return {};
}

Result<void> unlink_in(const StateDir& dir, const std::string& name) {
  if (::unlinkat(dir.fd(), name.c_str(), 0) != 0 && errno != ENOENT) {
    return fail_errno("remove " + dir.path() + "/" + name);
  }
  return {};
}

/// Whatever is left: a verb was killed while it wrote.
Result<void> unlink_all(const StateDir& dir) {
  UniqueFd listing{::openat(dir.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!listing) {
    return fail_errno("state directory " + dir.path());
  }
  std::vector<std::string> names;
  TRY(for_each_entry(std::move(listing), [&](std::string_view name) { names.emplace_back(name); }));
  for (const std::string& name : names) {
    TRY(unlink_in(dir, name));
  }
  return {};
}

}  // namespace

Result<void> check_container_id(std::string_view id) {
  constexpr std::size_t kMaxBytes = 255;  // one path component
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == ',' || c == '-' || c == '.';
  };
  if (id.size() > kMaxBytes) {
    return fail(ErrorCode::InvalidArgument, "invalid container ID format: longer than 255 bytes");
  }
  if (id.empty() || id == "." || id == ".." || !std::all_of(id.begin(), id.end(), allowed)) {
    return fail(ErrorCode::InvalidArgument,
                "invalid container ID format: \"" + std::string(id) +
                    "\" is not one or more of letters, digits and _ + , - .");
  }
  return {};
}

Result<void> StateDir::write(const ContainerState& state) const {
  const std::string text = to_json(state);
  if (text.size() > kMaxStateBytes) {
    return fail(ErrorCode::InvalidArgument, path_ + "/state.json: larger than 8 MiB");
  }
  return with_context(path_, replace_file_at(fd_.get(), "state.json", text, 0600));
}

Result<ContainerState> StateDir::read() const {
  const std::string text =
      TRY(with_context(path_, read_file_at(fd_.get(), "state.json", kMaxStateBytes)));
  return with_context(path_ + "/state.json", parse_state_json(text));
}

Result<UniqueFd> StateDir::make_progress() const {
  constexpr mode_t kMode = 0600;
  UniqueFd file{
      ::openat(fd_.get(), "exit", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kMode)};
  if (!file) {
    return fail_errno("create " + path_ + "/exit");
  }
  return file;
}

Result<Progress> StateDir::read_progress() const {
  const std::string text =
      TRY(with_context(path_, read_file_at(fd_.get(), "exit", kMaxProgressBytes)));
  return with_context(path_ + "/exit", parse_progress(text));
}

Result<std::string> StateRoot::path_for(const std::string& option) {
  if (option.starts_with('/')) {
    return option;
  }
  if (!option.empty()) {
    std::array<char, PATH_MAX> cwd{};
    if (::getcwd(cwd.data(), cwd.size()) == nullptr) {
      return fail_errno("--root " + option + ": working directory");
    }
    return std::string(cwd.data()) + "/" + option;
  }
  // Root of an outer user namespace that may not write /run is an ordinary user here.
  if (::geteuid() == 0 && ::access("/run", W_OK) == 0) {
    return std::string("/run/runhl");
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the verbs have one thread
  if (const char* runtime_dir = std::getenv("XDG_RUNTIME_DIR");
      runtime_dir != nullptr && runtime_dir[0] == '/') {
    return std::string(runtime_dir) + "/runhl";
  }
  return "/tmp/runhl-" + std::to_string(::geteuid());
}

Result<void> StateDir::make_bundle(std::string_view config_text) const {
  TRY(with_context(path_ + "/config.json",
                   replace_file_at(fd_.get(), "config.json", config_text, 0600)));
  constexpr mode_t kMode = 0755;
  return ::mkdirat(fd_.get(), "rootfs", kMode) == 0 ? Result<void>{}
                                                    : fail_errno(path_ + "/rootfs");
}

Result<StateDir> StateRoot::claim(const std::string& id) const {
  TRY(check_container_id(id));
  const std::string path = path_ + "/" + id;
  int made = ::mkdir(path.c_str(), kContainerMode);
  if (made != 0 && errno == ENOENT) {
    TRY(make_directories(path_));
    made = ::mkdir(path.c_str(), kContainerMode);
  }
  if (made != 0 && errno == EEXIST) {
    return fail(ErrorCode::AlreadyExists, "container with given ID already exists");
  }
  if (made != 0) {
    return fail_errno("make state directory " + path);
  }
  auto owned = check_owner(path_);
  if (owned) {
    auto found = find(id);
    if (found) {
      return found;
    }
    owned = tl::unexpected(found.error());
  }
  (void)::rmdir(path.c_str());  // only undoes the mkdir
  return tl::unexpected(owned.error());
}

Result<StateDir> StateRoot::find(const std::string& id) const {
  TRY(check_container_id(id));
  std::string path = path_ + "/" + id;
  UniqueFd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd && errno == ENOENT) {
    return fail(ErrorCode::NotFound, "container does not exist");
  }
  if (!fd) {
    return fail_errno("state directory " + path);
  }
  return StateDir(std::move(fd), std::move(path));
}

Result<void> StateRoot::remove(const std::string& id) const {
  auto dir = find(id);
  if (!dir) {
    if (dir.error().code == ErrorCode::NotFound) {
      return {};
    }
    return tl::unexpected(dir.error());
  }
  for (const char* name : {"state.json", "exit", "control.sock"}) {
    TRY(unlink_in(*dir, name));
  }
  if (::unlinkat(dir->fd(), "rootfs", AT_REMOVEDIR) != 0 && errno != ENOENT) {  // make_bundle's
    return fail_errno("remove " + dir->path() + "/rootfs");
  }
  int removed = ::rmdir(dir->path().c_str());
  if (removed != 0 && errno == ENOTEMPTY) {
    TRY(unlink_all(*dir));
    removed = ::rmdir(dir->path().c_str());
  }
  if (removed != 0 && errno != ENOENT) {
    return fail_errno("remove " + dir->path());
  }
  return {};
}

Result<std::vector<std::string>> StateRoot::ids() const {
  std::vector<std::string> ids;
  UniqueFd fd{::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd && errno == ENOENT) {
    return ids;
  }
  if (!fd) {
    return fail_errno("state directory " + path_);
  }
  TRY(for_each_entry(std::move(fd), [&](std::string_view name) {
    if (check_container_id(name)) {
      ids.emplace_back(name);
    }
  }));
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace runhl::shim
