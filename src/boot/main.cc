// SPDX-License-Identifier: Apache-2.0
// runhl-boot: upstream kernels, apart from runhl, because starting a container must not pay for
// what they need. It lies in libexec; people call it as `runhl boot`.
#include <cstdio>
#include <string>
#include <vector>

#include "boot/boot.h"
#include "boot/boot_options.h"
#include "boot/container.h"
#include "boot/seed.h"
#include "output.h"
#include "runhl/vmm/upstream/guest_descriptors.h"
#include "version.h"

namespace runhl::boot {
namespace {

Result<int> run(std::span<const std::string> args) {
  const std::optional<BootOptions> options = TRY(parse_boot_options(args));
  if (!options) {
    return 0;
  }
  if (options->print_version) {
    TRY(print(version_text()));
    return 0;
  }
  return boot(*options);
}

}  // namespace
}  // namespace runhl::boot

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  const std::string_view name(argc > 0 ? argv[0] : "");
  if (name.substr(name.rfind('/') + 1) == runhl::boot::kSeedName) {
    return runhl::boot::run_seed(args);
  }
  if (!args.empty() && args.back() == runhl::vmm::upstream::kContainerFlag) {
    return runhl::boot::serve_container(args.front());
  }
  const runhl::Result<int> code = runhl::boot::run(args);
  if (!code) {
    (void)std::fprintf(stderr, "runhl boot: %s\n", code.error().message.c_str());
    return 1;
  }
  return *code;
}
