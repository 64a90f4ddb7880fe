// SPDX-License-Identifier: Apache-2.0
#include "boot/seed.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <utility>

#include "boot/boot.h"
#include "boot/exit_codes.h"
#include "output.h"
#include "version.h"

namespace runhl::boot {
namespace {

constexpr const char* kVersion = "0.4.0";  // whose command line it is
constexpr int kUsage = 2;
constexpr std::uint64_t kDefaultHeap = 0x20000;  // what -m 0 means

constexpr const char* kHelp =
    "hyperlight-unikraft: boots a Unikraft-for-Hyperlight kernel of generation G1, as the program\n"
    "of that name and version 0.4 did; `runhl boot` boots all generations.\n\n"
    "Usage: hyperlight-unikraft [OPTIONS] <KERNEL> [-- <APP_ARGS>...]\n\n"
    "  --initrd FILE                 the root file system, a newc CPIO archive\n"
    "  -m, --memory SIZE             the kernel's heap (512Mi)\n"
    "  --stack SIZE                  accepted (8Mi)\n"
    "  -q, --quiet                   no lines about kernel, memory and runs\n"
    "  --enable-tools                the tool `echo`\n"
    "  --tool NAME=PROGRAM           a tool of one's own: a program of the host's, repeatable\n"
    "  --mount HOST[:GUEST]          a host directory (at /host), repeatable\n"
    "  --net                         the host's network\n"
    "  --net-allow HOST_OR_IP        to there alone, repeatable\n"
    "  --net-block HOST_OR_IP        everywhere but there, repeatable\n"
    "  --port PORT                   where the guest may listen, repeatable\n"
    "  --repeat N                    so many more runs (0)\n"
    "  -e, --exec CODE               the arguments are -c and this code\n"
    "  --abi g1|g2|g3                the kernel's generation, where its bytes do not tell\n"
    "  --isolation vm|emulated|auto  what executes it (auto)\n"
    "  --time-limit SECONDS          stop the guest then\n"
    "  -h, --help; -V, --version\n";

Result<void> add_mounts(const SeedOptions& seed, BootOptions* boot) {
  for (const std::string& text : seed.mounts) {
    MountOption mount = TRY(parse_seed_mount(text));
    struct stat info{};
    const std::unique_ptr<char, decltype(&std::free)> path(::realpath(mount.host.c_str(), nullptr),
                                                           &std::free);
    if (!path || ::stat(path.get(), &info) != 0) {
      const int error = errno;
      return fail(ErrorCode::NotFound, "canonicalize preopen host dir \"" + mount.host +
                                           "\": " + std::generic_category().message(error) +
                                           " (os error " + std::to_string(error) + ")");
    }
    mount.host = path.get();
    if (!S_ISDIR(info.st_mode)) {
      return fail(ErrorCode::InvalidArgument,
                  "mount root is not a directory: \"" + mount.host + "\"");
    }
    for (const MountOption& other : boot->mounts) {
      if (other.guest == mount.guest) {
        return fail(ErrorCode::InvalidArgument,
                    "duplicate --mount guest path: \"" + mount.guest + "\"");
      }
    }
    boot->mounts.push_back(std::move(mount));
  }
  return {};
}

Result<void> add_network(const SeedOptions& seed, BootOptions* boot) {
  using vmm::net::Mode;
  const bool allows = !seed.net_allow.empty(), blocks = !seed.net_block.empty();
  if (!seed.net && !allows && !blocks && seed.ports.empty()) {
    return {};
  }
  vmm::net::PolicySpec spec;
  spec.mode = allows ? Mode::Allow : blocks ? Mode::Block : Mode::All;
  for (const std::string& text : allows ? seed.net_allow : seed.net_block) {
    spec.targets.push_back(TRY(vmm::net::parse_target(text)));
  }
  for (const std::uint16_t port : seed.ports) {
    spec.listen.push_back({port, port});
  }
  boot->network = std::move(spec);
  return {};
}

Result<void> require_file(const char* what, const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0
             ? Result<void>()
             : fail(ErrorCode::NotFound, std::string(what) + " not found: \"" + path + "\"");
}

/// What stands before the kernel's own lines.
void print_start(const SeedOptions& seed, std::uint64_t memory, std::uint64_t stack) {
  (void)std::fprintf(stderr, "hyperlight-unikraft v%s\nKernel: \"%s\"\n", kVersion,
                     seed.kernel.c_str());
  if (!seed.initrd.empty()) {
    (void)std::fprintf(stderr, "Initrd: \"%s\"\n", seed.initrd.c_str());
  }
  (void)std::fprintf(stderr, "Memory: %llu B, Stack: %llu B\n",
                     static_cast<unsigned long long>(memory),
                     static_cast<unsigned long long>(stack));
}

Result<BootOptions> options_of(const SeedOptions& seed) {
  const std::uint64_t memory = TRY(parse_seed_memory(seed.memory));
  const std::uint64_t stack = TRY(parse_seed_memory(seed.stack));
  BootOptions boot;
  boot.as_seed = true;
  boot.kernel = seed.kernel;
  boot.initrd = seed.initrd;
  boot.pull = "never";
  boot.memory_bytes = memory == 0 ? kDefaultHeap : memory;
  boot.repeat = seed.repeat;
  boot.time_limit_s = seed.time_limit_s;
  boot.quiet = seed.quiet;
  boot.echo_tool = seed.enable_tools;
  const char* const trace = std::getenv("HL_DISPATCH_DEBUG");  // NOLINT(concurrency-mt-unsafe): one
  boot.trace_tools = trace != nullptr && std::string_view(trace) == "1";
  boot.args = seed.args;
  boot.code = seed.code;
  boot.argument_line = seed_argument_line(seed);
  boot.isolation = TRY(parse_isolation(seed.isolation));
  boot.abi = TRY(parse_abi(seed.abi));
  boot.tools = TRY(parse_tools(seed.tools, seed.enable_tools));
  if (!seed.quiet) {
    print_start(seed, memory, stack);
  }
  TRY(add_mounts(seed, &boot));
  for (const MountOption& mount : boot.mounts) {
    if (!seed.quiet) {
      (void)std::fprintf(stderr, "Preopened: \"%s\" -> %s (guest)\n", mount.host.c_str(),
                         mount.guest.c_str());
    }
  }
  TRY(add_network(seed, &boot));
  TRY(require_file("Kernel", seed.kernel));
  if (!seed.initrd.empty()) {
    TRY(require_file("Initrd", seed.initrd));
  }
  return boot;
}

Result<int> run(const SeedOptions& seed) {
  if (seed.help) {
    TRY(print(kHelp));
    return 0;
  }
  if (seed.version) {
    TRY(print(std::string(kSeedName) + " " + kVersion + " (runhl " +
              std::string(program_version()) + ")\n"));
    return 0;
  }
  return boot(TRY(options_of(seed)));
}

}  // namespace

int run_seed(std::span<const std::string> args) {
  const Result<SeedOptions> seed = parse_seed_options(args);
  if (!seed) {
    (void)std::fprintf(stderr, "error: %s\n", seed.error().message.c_str());
    return kUsage;
  }
  const Result<int> code = run(*seed);
  if (!code) {
    (void)std::fprintf(stderr, "Error: %s\n", code.error().message.c_str());
  }
  return code ? *code : kFailed;
}

}  // namespace runhl::boot
