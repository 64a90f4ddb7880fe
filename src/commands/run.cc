// SPDX-License-Identifier: Apache-2.0
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <optional>

#include "commands.h"
#include "commands/create_options.h"
#include "commands/run_image.h"
#include "commands/upstream_container.h"
#include "options.h"
#include "output.h"

namespace runhl::commands_internal {
namespace {

/// A person names the bundle ("run ./hello/"); an engine names the container. An id has no '/'.
bool names_bundle(const std::string& argument) {
  struct stat info{};
  return argument.find('/') != std::string::npos &&
         ::stat((argument + "/config.json").c_str(), &info) == 0;
}

Result<std::string> random_id() {
  std::array<unsigned char, 6> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail_errno("getrandom");
  }
  constexpr const char* kDigits = "0123456789abcdef";
  std::string id = "run-";
  for (const unsigned char byte : bytes) {
    id += {kDigits[byte >> 4U], kDigits[byte & 0xfU]};
  }
  return id;
}

}  // namespace

namespace {

struct RunOptions {
  shim::RunRequest request;
  VerbOptions verb;
  ImageRunOptions image;
  bool detach = false, keep = false, no_subreaper = false;
};

void declare_run_options(Options& options, RunOptions* run) {
  declare_create_options(options, &run->request.create, &run->verb);
  options.flag("-d,--detach", "do not wait for its end", &run->detach);
  options.flag("--keep", "do not remove it after its end", &run->keep);
  options.flag("--no-subreaper", "accepted: nothing is reparented to this process",
               &run->no_subreaper);
  declare_image_options(options, &run->image);
  options.footer(
      "What comes first without an option is, in this order:\n"
      "  a bundle, where it has a '/' in it and a config.json lies there, or begins with / or .\n"
      "  the name of a new container of --bundle's bundle, or of this directory's where a\n"
      "    config.json lies here and neither a command nor an option for images is given\n"
      "  an image of the store, else; what follows is its command\n");
}

/// `words`: what stands behind the options.
bool names_image(const RunOptions& run, Arguments words) {
  const std::string& name = words.front();
  if (run.request.create.bundle != "." || name.starts_with('/') || name.starts_with('.') ||
      names_bundle(name)) {
    return false;
  }
  const bool has_command = words.size() > 1 && !words[1].starts_with('-');
  return has_command || run.image.any() || ::access("config.json", F_OK) != 0;
}

Result<void> prepare_bundle_run(const std::string& name, RunOptions* run) {
  if (run->image.any()) {
    return fail(ErrorCode::InvalidArgument,
                "runhl run: an option for images is given, and " + name +
                    " names a container or a bundle; its config.json says such things");
  }
  shim::CreateRequest& request = run->request.create;
  request.id = name;
  TRY(apply_rootfs_options(run->verb, &request));
  if (names_bundle(name)) {
    request.bundle = name;
    request.id = TRY(random_id());
  }
  return {};
}

Result<void> prepare_image(Arguments words, RunOptions* run, StepTimes* times) {
  shim::CreateRequest& request = run->request.create;
  if (run->detach && run->image.remove) {
    return fail(ErrorCode::Unsupported,
                "--rm with --detach: nobody would be there to remove it; use `runhl delete`");
  }
  request.id = run->image.name.empty() ? TRY(random_id()) : run->image.name;
  TRY(apply_rootfs_options(run->verb, &request));
  return prepare_image_run(words.front(), words.subspan(1), run->image, run->verb, times, &request);
}

/// As `runhl boot`: 127 where there is no program, 126 where the kernel cannot load it.
std::optional<int> code_of_missing_program(const Error& error) {
  constexpr int kNotFound = 127, kNotLoadable = 126;
  if (error.message.find(": exec: \"") == std::string::npos) {
    return std::nullopt;
  }
  switch (error.code) {
    case ErrorCode::NotFound:
      return kNotFound;
    case ErrorCode::Permission:
      return kNotLoadable;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<int> run(const GlobalOptions& globals, Arguments args) {
  RunOptions run;
  std::vector<std::string> words;
  Options options(
      "runhl run",
      "Creates a container, starts it, waits for its end and removes it.\n"
      "Arguments: IMAGE [COMMAND…], BUNDLE/, or the container's name as with runc\n"
      "The exit code is the program's, 128+N after signal N, 1 when it did not start\n"
      "(on an upstream kernel 127 where there is none, 126 where it cannot be loaded).");
  declare_run_options(options, &run);
  if (!TRY(options.parse_prefix(args, &words))) {
    return 0;
  }
  if (words.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "runhl run: an image, a bundle or a container-id is required");
  }
  const bool image = names_image(run, words);
  StepTimes times(run.image.timings ? StepTimes::Print::Yes : StepTimes::Print::No);
  if (image) {
    TRY(with_context("run " + words.front(), prepare_image(words, &run, &times)));
  } else {
    std::string name;
    options.positional("container-id|bundle", "", &name, Presence::Required);
    if (!TRY(options.parse(args))) {  // once more: options may stand behind the name, too
      return 0;
    }
    TRY(prepare_bundle_run(name, &run));
  }
  shim::RunRequest& request = run.request;
  request.after_start = run.detach ? shim::AfterStart::Detach : shim::AfterStart::Wait;
  const shim::GuestChooser chooser = guest_chooser(
      globals, run.verb, {.store = run.image.store.empty() ? globals.store : run.image.store});
  bool upstream = false;
  request.create.choose = [&](const oci::Config& config) -> Result<shim::GuestKind> {
    shim::GuestKind kind = TRY(chooser(config));
    upstream = !kind.upstream_kernel.empty();
    return kind;
  };
  request.after_exit = run.keep ? shim::AfterExit::Keep : shim::AfterExit::Delete;
  const shim::StateRoot root(TRY(shim::StateRoot::path_for(globals.root)));
  const Result<int> ran =
      with_context("run " + request.create.id, shim::run(root, request, cell_factory()));
  if (!ran && upstream) {
    if (const std::optional<int> code = code_of_missing_program(ran.error())) {
      log_error("{}", ran.error().message);
      return *code;
    }
  }
  const int code = TRY(ran);
  times.done(run.detach ? "container started" : "container started and ended");
  if (image && run.detach) {
    TRY(print(request.create.id + "\n"));
  }
  return code;
}

}  // namespace runhl::commands_internal
