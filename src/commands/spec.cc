// SPDX-License-Identifier: Apache-2.0
#include "runhl/oci/spec.h"

#include <fcntl.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"
#include "runhl/base/unique_fd.h"

namespace runhl::commands_internal {
namespace {

/// Never over an existing file: it may be somebody's work.
Result<void> write_new_file(const std::string& path, const std::string& text) {
  constexpr mode_t kMode = 0666;  // and the umask
  const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode)};
  if (!file) {
    return fail_errno("create " + path);
  }
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    const auto error = fail_errno("write " + path);
    (void)::unlink(path.c_str());  // nothing half-written stays
    return error;
  }
  return {};
}

}  // namespace

Result<int> spec(const GlobalOptions&, Arguments args) {
  std::string bundle = ".";
  bool rootless = false;
  Options options("runhl spec", "Writes a config.json to start from into the bundle directory.");
  options.value("-b,--bundle", "the directory (default: the working directory)", &bundle);
  options.flag("--rootless", "for a container of an ordinary user", &rootless);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  TRY(write_new_file(bundle + "/config.json", TRY(oci::default_spec(rootless)) + "\n"));
  return 0;
}

}  // namespace runhl::commands_internal
