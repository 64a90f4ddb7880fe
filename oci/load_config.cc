// SPDX-License-Identifier: Apache-2.0
#include "runhl/oci/load_config.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "convert.h"
#include "ledger_walk.h"
#include "runhl/base/unique_fd.h"

namespace runhl::oci {
namespace {

Result<std::uint64_t> checked_size(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) {
    return fail_errno("config.json");
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::InvalidArgument, S_ISDIR(status.st_mode)
                                                ? "config.json: is a directory"
                                                : "config.json: is not a regular file");
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > kMaxConfigBytes) {
    return fail(ErrorCode::InvalidArgument,
                "config.json: has " + std::to_string(size) + " bytes, more than 32 MiB");
  }
  return size;
}

/// Reads up to the size that was checked, however much longer the file may grow meanwhile.
Result<std::string> read_file(int fd, std::uint64_t size) {
  std::string text(size, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = ::read(fd, text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return fail_errno("read config.json");
    }
    if (got == 0) {
      break;
    }
    filled += static_cast<std::size_t>(got);
  }
  text.resize(filled);
  return text;
}

Result<void> read_version(const Node& document, Config* config) {
  const Node version = TRY(document.required("ociVersion"));
  config->oci_version = TRY(version.string());
  const std::string_view text = config->oci_version;
  const bool one = text.starts_with("1.") && text.size() > 2 && text[2] >= '0' && text[2] <= '9';
  if (!one) {
    return version.refuse("must be 1.x, is \"" + printable(text) + "\"");
  }
  return {};
}

Result<void> read_names(const Node& document, Config* config) {
  constexpr std::size_t kMaxName = 64;  // Linux: __NEW_UTS_LEN
  for (const auto& [key, out] :
       {std::pair{"hostname", &config->hostname}, std::pair{"domainname", &config->domainname}}) {
    if (const auto name = document.member(key)) {
      *out = TRY(name->string());
      if (out->size() > kMaxName) {
        return name->refuse("is longer than 64 bytes");
      }
    }
  }
  return {};
}

Result<void> read_annotations(const Node& document, Config* config) {
  const auto annotations = document.member("annotations");
  if (!annotations) {
    return {};
  }
  for (const Node& item : TRY(annotations->members())) {
    if (item.value().key.empty()) {
      return annotations->refuse("a key must not be empty");
    }
    config->annotations[item.value().key] = TRY(item.string());
  }
  return {};
}

}  // namespace

Result<Config> parse_config(std::string_view text, std::string_view bundle_path) {
  const Value value = TRY(parse_json(text));
  const Node document(value);
  if (!document.as_object()) {
    return fail(ErrorCode::InvalidArgument, "must be a JSON object");
  }
  Config config;
  TRY(read_version(document, &config));
  TRY(walk_ledger(document, &config.warnings));
  TRY(convert_process(document, &config));
  TRY(convert_root(document, bundle_path, &config));
  TRY(read_names(document, &config));
  TRY(convert_mounts(document, bundle_path, &config));
  TRY(convert_hooks(document, &config));
  TRY(read_annotations(document, &config));
  TRY(convert_linux(document, &config));
  TRY(convert_resources(document, &config));
  TRY(check_security(document, &config));
  TRY(check_unread(document));
  return config;
}

Result<Config> load_config(int bundle_dir_fd, std::string_view bundle_path) {
  // O_NONBLOCK: a FIFO without a writer must not hang the open.
  const UniqueFd fd{
      ::openat(bundle_dir_fd, "config.json", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!fd) {
    return fail_errno("config.json");
  }
  const std::uint64_t size = TRY(checked_size(fd.get()));
  const std::string text = TRY(read_file(fd.get(), size));
  return with_context("config.json", parse_config(text, bundle_path));
}

}  // namespace runhl::oci
