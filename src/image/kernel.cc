// SPDX-License-Identifier: Apache-2.0
// runhl kernel pull|ls|rm|use: upstream kernels in the store.
#include <array>

#include "image/artifacts.h"
#include "image/registry_options.h"
#include "image/verbs.h"
#include "image_archive.h"

namespace runhl::image {
namespace {

constexpr auto kKind = oci::ArtifactKind::Kernel;

Result<int> pull_kernel(Arguments args) {
  std::string store_option, text;
  RegistryOptions registry;
  oci::PullOptions pull;
  PullOutput output;
  Options options("runhl kernel pull",
                  "Brings an upstream kernel, an image's file /kernel, into the store.");
  declare_store(options, &store_option);
  registry.declare(options, "change the kernel");
  declare_pull_output(options, &output);
  options.positional("REFERENCE", "as ghcr.io/owner/kernel:tag, or name@sha256:…", &text,
                     Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  TRY(registry.finish());
  pull.client = registry.client;
  const oci::Reference reference = TRY(oci::Reference::parse(text));
  const oci::Store store = TRY(open_store(store_option));
  TRY(pull_and_print(output, std::move(pull), [&](const oci::PullOptions& told) {
    return pull_artifact(store, kKind, reference, told);
  }));
  return 0;
}

Result<int> list_kernels(Arguments args) {
  std::string store_option;
  bool quiet = false, check = false;
  Options options("runhl kernel ls", "Lists the upstream kernels of the store.");
  declare_store(options, &store_option);
  options.flag("-q,--quiet", "names alone", &quiet);
  options.flag("--verify", "read all of them again; exit 1 where one is damaged", &check);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const oci::Store store = TRY(open_store(store_option));
  if (check) {
    return verify_artifacts(store, kKind);
  }
  TRY(print_artifacts(store, kKind, quiet));
  return 0;
}

Result<int> remove_kernels(Arguments args) {
  std::string store_option;
  std::vector<std::string> names;
  Options options("runhl kernel rm",
                  "Removes names of kernels, and files that no other name needs.\n"
                  "Arguments: NAME [NAME…]");
  declare_store(options, &store_option);
  if (!TRY(options.parse_prefix(args, &names))) {
    return 0;
  }
  if (names.empty()) {
    return fail(ErrorCode::InvalidArgument, "runhl kernel rm: NAME is required");
  }
  TRY(remove_artifacts(TRY(open_store(store_option)), kKind, names));
  return 0;
}

Result<int> use_kernel(Arguments args) {
  std::string store_option, text;
  Options options(
      "runhl kernel use",
      "Gives a kernel of the store the name `default` too, which stays with it whatever "
      "is pulled later: `runhl boot` without KERNEL takes it.");
  declare_store(options, &store_option);
  options.positional("NAME", "a kernel of the store", &text, Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const oci::Store store = TRY(open_store(store_option));
  const oci::Store kernels = TRY(open_artifacts(store.directory(), kKind));
  const UniqueFd use = TRY(kernels.begin_adding());  // nobody removes it meanwhile
  const oci::StoredArtifact kernel = TRY(with_context("kernel", find_artifact(kernels, text)));
  TRY(kernels.set_name(std::string(oci::kDefaultArtifact), kernel.named.descriptor));
  return 0;
}

struct Word {
  std::string_view name;
  Result<int> (*run)(Arguments args);
};
constexpr std::array kWords = {Word{"ls", list_kernels}, Word{"pull", pull_kernel},
                               Word{"rm", remove_kernels}, Word{"use", use_kernel}};

}  // namespace

Result<int> kernel(Arguments args) {
  std::vector<std::string> rest;
  Options options("runhl kernel", "Upstream kernels of the store.");
  options.footer(
      "Commands: pull, ls, rm, use; 'runhl kernel COMMAND --help' shows a command's options.\n");
  if (!TRY(options.parse_prefix(args, &rest))) {
    return 0;
  }
  for (const Word& word : kWords) {
    if (!rest.empty() && rest.front() == word.name) {
      return word.run(Arguments(rest).subspan(1));
    }
  }
  return fail(ErrorCode::InvalidArgument,
              "runhl kernel: " + (rest.empty() ? "a command" : "\"" + rest.front() + "\"") +
                  (rest.empty() ? " is required: " : " is none of ") + "pull, ls, rm, use");
}

}  // namespace runhl::image
