// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/file_tools.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>
#include <utility>

#include "hyperlight/base64.h"
#include "hyperlight/beneath.h"
#include "runhl/base/file_io.h"
#include "runhl/base/utf8.h"

namespace runhl::vmm::hyperlight {
namespace {

constexpr std::uint64_t kMaxText = std::uint64_t{16} << 20U;
constexpr std::uint64_t kMaxEncoded = kMaxText / 3 * 4 + 4;
constexpr std::uint64_t kMaxOffset = std::uint64_t{1} << 30U;
constexpr std::uint64_t kDefaultRead = 65536;
constexpr std::size_t kMaxEntries = 100'000;
constexpr std::uint64_t kNanoseconds = 1'000'000'000;

tl::unexpected<Error> refuse(ErrorCode code, std::string what) {
  return fail(code, std::move(what));
}

tl::unexpected<Error> missing(const std::string& tool, const char* key) {
  return refuse(ErrorCode::InvalidArgument, tool + ": missing '" + key + "'");
}

/// One call of a tool, for its messages.
class FileCall {
 public:
  FileCall(const char* tool, const MountedFiles& files) : tool_(tool), files_(files) {}

  /// What the path of the arguments names.
  Result<void> find(const ToolArguments& args) {
    std::optional<std::string> path = args.text("path");
    return path ? find(std::move(*path)) : missing(tool_, "path");
  }
  Result<void> find(std::string path) {
    path_ = std::move(path);
    place_ = TRY(files_.resolve(path_));
    if (place_.path.find('\0') != std::string::npos) {
      return refuse(ErrorCode::InvalidArgument,
                    about("file name contained an unexpected NUL byte"));
    }
    return {};
  }
  [[nodiscard]] const MountedPath& place() const { return place_; }
  [[nodiscard]] std::string about(const std::string& what) const {
    return tool_ + " " + rust_quoted(path_) + ": " + what;
  }
  [[nodiscard]] tl::unexpected<Error> failed(int os_errno) const {
    if (os_errno == EXDEV) {
      return refuse(ErrorCode::Permission,
                    "path escapes mount root (symlink): " + rust_quoted(place_.given));
    }
    return refuse(ErrorCode::Io, about(os_text(os_errno)));
  }

  [[nodiscard]] Result<UniqueFd> open(int flags) const { return open(place_.path, flags); }
  [[nodiscard]] Result<UniqueFd> open(const std::string& path, int flags) const {
    UniqueFd fd;
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    const int error = writes && place_.mount->read_only
                          ? EROFS
                          : open_beneath(place_.mount->directory_fd, path, flags, &fd);
    return error == 0 ? Result<UniqueFd>(std::move(fd)) : failed(error);
  }
  [[nodiscard]] Result<UniqueFd> open_file(int flags) const {
    UniqueFd fd = TRY(open(flags));
    const int error = require_file(fd.get());
    return error == 0 ? Result<UniqueFd>(std::move(fd)) : failed(error);
  }
  [[nodiscard]] Result<void> require_writable() const {
    return place_.mount->read_only ? failed(EROFS) : Result<void>();
  }

 private:
  std::string tool_, path_;
  const MountedFiles& files_;
  MountedPath place_;
};

struct Split {
  std::string parent, name;
};
/// Of a path that has a name.
Split split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? Split{"", path}
                                    : Split{path.substr(0, slash), path.substr(slash + 1)};
}

Result<std::string> read_text(const MountedFiles& files, const ToolArguments& args) {
  FileCall call("fs_read", files);
  TRY(call.find(args));
  const UniqueFd fd = TRY(call.open_file(O_RDONLY));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) {
    return call.failed(errno);
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > kMaxText) {
    return refuse(ErrorCode::InvalidArgument,
                  call.about("file too large (" + std::to_string(size) + " bytes, max " +
                             std::to_string(kMaxText) + ")"));
  }
  const std::string text = TRY(read_up_to(fd.get(), kMaxText, "file"));
  if (!is_utf8(text)) {
    return refuse(ErrorCode::InvalidArgument, call.about("stream did not contain valid UTF-8"));
  }
  return ToolResult().add("text", text).take();
}

Result<std::string> read_bytes(const MountedFiles& files, const ToolArguments& args) {
  FileCall call("fs_read_bytes", files);
  TRY(call.find(args));
  const UniqueFd fd = TRY(call.open_file(O_RDONLY));
  const std::uint64_t offset = args.number("offset").value_or(0);
  const std::uint64_t length = std::min(args.number("len").value_or(kDefaultRead), kMaxText);
  if (offset > static_cast<std::uint64_t>(LLONG_MAX)) {
    FileCall seek("fs_read_bytes seek", files);
    TRY(seek.find(args));
    return seek.failed(EINVAL);
  }
  std::string bytes(length, '\0');
  const ssize_t got = ::pread(fd.get(), bytes.data(), length, static_cast<off_t>(offset));
  if (got < 0) {
    return call.failed(errno);
  }
  bytes.resize(static_cast<std::size_t>(got));
  return ToolResult()
      .add("bytes_read", std::uint64_t{bytes.size()})
      .add("data", to_base64(bytes))
      .add("eof", bytes.size() < length)
      .take();
}

Result<std::string> written(const FileCall& call, int fd, const std::string& bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno != EINTR) {
      return call.failed(errno);
    }
    done += put < 0 ? 0 : static_cast<std::size_t>(put);
  }
  return ToolResult().add("bytes_written", std::uint64_t{done}).take();
}

Result<std::string> write_text(const MountedFiles& files, const ToolArguments& args) {
  FileCall call("fs_write", files);
  TRY(call.find(args));
  const std::optional<std::string> text = args.text("text");
  if (!text) {
    return missing("fs_write", "text");
  }
  if (text->size() > kMaxText) {
    return refuse(ErrorCode::InvalidArgument, "fs_write: text too large (" +
                                                  std::to_string(text->size()) + " bytes, max " +
                                                  std::to_string(kMaxText) + ")");
  }
  const int mode = args.flag("append") ? O_APPEND : O_TRUNC;
  const UniqueFd fd = TRY(call.open_file(O_WRONLY | O_CREAT | mode));
  return written(call, fd.get(), *text);
}

Result<std::string> write_bytes(const MountedFiles& files, const ToolArguments& args) {
  FileCall call("fs_write_bytes", files);
  TRY(call.find(args));
  const std::optional<std::string> data = args.text("data");
  if (!data) {
    return missing("fs_write_bytes", "data");
  }
  if (data->size() > kMaxEncoded) {
    return refuse(ErrorCode::InvalidArgument, "fs_write_bytes: data too large (" +
                                                  std::to_string(data->size()) + " bytes, max " +
                                                  std::to_string(kMaxEncoded) + ")");
  }
  const std::string bytes = TRY(with_context("fs_write_bytes: bad base64", from_base64(*data)));
  const bool append = args.flag("append");
  const std::optional<std::uint64_t> offset = append ? std::nullopt : args.number("offset");
  if (offset && *offset > kMaxOffset) {
    return refuse(ErrorCode::InvalidArgument, "fs_write_bytes: offset too large (" +
                                                  std::to_string(*offset) + ", max " +
                                                  std::to_string(kMaxOffset) + ")");
  }
  const int mode = append ? O_APPEND : offset ? 0 : O_TRUNC;
  const UniqueFd fd = TRY(call.open_file(O_WRONLY | O_CREAT | mode));
  if (offset && ::lseek(fd.get(), static_cast<off_t>(*offset), SEEK_SET) < 0) {
    return call.failed(errno);
  }
  return written(call, fd.get(), bytes);
}

/// The name first: kernels take the first `is_dir` behind it for its own.
std::string entry_of(const Listed& entry) {
  const std::string kind = ToolResult()
                               .add("is_dir", entry.type == DT_DIR)
                               .add("is_file", entry.type == DT_REG)
                               .add("is_symlink", entry.type == DT_LNK)
                               .take();
  return "{\"name\":" + json_text(entry.name) + "," + kind.substr(1);
}

Result<std::string> list(const MountedFiles& files, const ToolArguments& args) {
  FileCall call("fs_list", files);
  TRY(call.find(args.text("path").value_or("")));
  std::vector<Listed> entries;
  UniqueFd fd = TRY(call.open(O_RDONLY | O_DIRECTORY));
  const int error = list_directory(std::move(fd), &entries);
  if (error != 0) {
    return call.failed(error);
  }
  std::string text = "[";
  for (const Listed& entry : std::span(entries).first(std::min(entries.size(), kMaxEntries))) {
    text.append(text.size() > 1 ? "," : "").append(entry_of(entry));
  }
  return ToolResult().add_json("entries", text + "]").take();
}

std::uint64_t nanoseconds(const timespec& time) {
  return time.tv_sec < 0 ? 0
                         : static_cast<std::uint64_t>(time.tv_sec) * kNanoseconds +
                               static_cast<std::uint64_t>(time.tv_nsec);
}

Result<std::string> stat_path(const MountedFiles& files, const ToolArguments& args) {
  FileCall call("fs_stat", files);
  TRY(call.find(args));
  const UniqueFd fd = TRY(call.open(O_PATH));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) {
    return call.failed(errno);
  }
  return ToolResult()
      .add("size", static_cast<std::uint64_t>(info.st_size))
      .add("is_dir", S_ISDIR(info.st_mode))
      .add("is_file", S_ISREG(info.st_mode))
      .add("mtime_ns", nanoseconds(info.st_mtim))
      .add("atime_ns", nanoseconds(info.st_atim))
      .take();
}

Result<std::string> truncate(const MountedFiles& files, const ToolArguments& args) {
  FileCall call("fs_truncate", files);
  TRY(call.find(args));
  const std::optional<std::uint64_t> length = args.number("length");
  if (!length) {
    return missing("fs_truncate", "length");
  }
  if (*length > kMaxOffset) {
    return refuse(ErrorCode::InvalidArgument, "fs_truncate: length too large (" +
                                                  std::to_string(*length) + " bytes, max " +
                                                  std::to_string(kMaxOffset) + ")");
  }
  const UniqueFd fd = TRY(call.open_file(O_WRONLY));
  return ::ftruncate(fd.get(), static_cast<off_t>(*length)) == 0
             ? Result<std::string>(ToolResult().take())
             : call.failed(errno);
}

/// The directory `path`, or else an errno. EEXIST where it is there.
int make_one(const FileCall& call, const std::string& path) {
  const Split parts = split(path);
  UniqueFd parent;
  const int error =
      open_beneath(call.place().mount->directory_fd, parts.parent, O_PATH | O_DIRECTORY, &parent);
  if (error != 0) {
    return error;
  }
  return ::mkdirat(parent.get(), parts.name.c_str(), 0755) == 0 ? 0 : errno;
}

bool is_directory(const FileCall& call, const std::string& path) {
  UniqueFd fd;
  return open_beneath(call.place().mount->directory_fd, path, O_PATH | O_DIRECTORY, &fd) == 0;
}

Result<std::string> make_directory(const MountedFiles& files, const ToolArguments& args) {
  FileCall call("fs_mkdir", files);
  TRY(call.find(args));
  TRY(call.require_writable());
  const std::string& path = call.place().path;
  const bool parents = args.flag("parents");
  for (std::size_t end = path.find('/'); parents && end != std::string::npos;
       end = path.find('/', end + 1)) {
    const int error = make_one(call, path.substr(0, end));
    if (error != 0 && error != EEXIST) {
      return call.failed(error);
    }
  }
  int error = path.empty() ? EEXIST : make_one(call, path);
  if (error == EEXIST && parents && is_directory(call, path)) {
    error = 0;
  }
  return error == 0 ? Result<std::string>(ToolResult().take()) : call.failed(error);
}

/// A link is removed itself, as unlink(2) does, and not what it leads to.
Result<std::string> unlink(const MountedFiles& files, const ToolArguments& args) {
  FileCall call("fs_unlink", files);
  TRY(call.find(args));
  if (call.place().path.empty()) {
    return refuse(ErrorCode::Permission, "fs_unlink: cannot remove mount root");
  }
  TRY(call.require_writable());
  const Split parts = split(call.place().path);
  const UniqueFd parent = TRY(call.open(parts.parent, O_PATH | O_DIRECTORY));
  if (::unlinkat(parent.get(), parts.name.c_str(), 0) == 0 ||
      ((errno == EISDIR || errno == EPERM) &&
       ::unlinkat(parent.get(), parts.name.c_str(), AT_REMOVEDIR) == 0)) {
    return ToolResult().take();
  }
  return call.failed(errno);
}

/// What is left of `path` where `target` names a mount that it is in.
std::optional<std::string_view> behind(std::string_view path, std::string_view target) {
  if (!path.starts_with(target)) {
    return std::nullopt;
  }
  path.remove_prefix(target.size());
  return path.empty() || path.starts_with('/') ? std::optional(path) : std::nullopt;
}

/// Without ".", "..", and doubled slashes. None: it leads out.
std::optional<std::string> cleaned(std::string_view path) {
  std::vector<std::string_view> names;
  while (!path.empty()) {
    const std::string_view name = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(name.size() + 1, path.size()));
    if (name == ".." && names.empty()) {
      return std::nullopt;
    }
    if (name == "..") {
      names.pop_back();
    } else if (!name.empty() && name != ".") {
      names.push_back(name);
    }
  }
  std::string clean;
  for (const std::string_view name : names) {
    clean.append(clean.empty() ? "" : "/").append(name);
  }
  return clean;
}

}  // namespace

MountedFiles::MountedFiles(std::vector<HostMount> mounts) : mounts_(std::move(mounts)) {
  std::sort(mounts_.begin(), mounts_.end(), [](const HostMount& a, const HostMount& b) {
    return a.target.size() > b.target.size();
  });
}

Result<MountedPath> MountedFiles::resolve(std::string_view path) const {
  for (const HostMount& mount : mounts_) {
    std::optional<std::string_view> rest = behind(path, mount.target);
    if (!rest) {
      continue;
    }
    rest->remove_prefix(std::min(rest->find_first_not_of('/'), rest->size()));
    const std::optional<std::string> clean = cleaned(*rest);
    if (!clean) {
      return refuse(ErrorCode::Permission, "path escapes mount root: " + rust_quoted(*rest));
    }
    return MountedPath{&mount, *clean, std::string(*rest)};
  }
  return refuse(ErrorCode::NotFound,
                "path " + rust_quoted(path) + " does not match any preopened mount");
}

void add_file_tools(JsonTools* tools, const MountedFiles* files) {
  using Run = Result<std::string> (*)(const MountedFiles&, const ToolArguments&);
  constexpr std::pair<const char*, Run> kTools[] = {
      {"fs_read", read_text},    {"fs_read_bytes", read_bytes},   {"fs_write", write_text},
      {"fs_list", list},         {"fs_write_bytes", write_bytes}, {"fs_stat", stat_path},
      {"fs_truncate", truncate}, {"fs_mkdir", make_directory},    {"fs_unlink", unlink}};
  for (const auto& [name, serve] : kTools) {
    tools->add(name, [files, run = serve](const ToolArguments& args) { return run(*files, args); });
  }
}

}  // namespace runhl::vmm::hyperlight
