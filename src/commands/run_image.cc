// SPDX-License-Identifier: Apache-2.0
#include "commands/run_image.h"

#include <fcntl.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <memory>

#include "image_archive.h"
#include "image_helper.h"
#include "runhl/base/file_io.h"
#include "runhl/initrd/archive_reader.h"
#include "runhl/run_spec/run_spec.h"
#include "size_text.h"

namespace runhl {
namespace {

constexpr std::size_t kMaxAccountsBytes = 1U << 20U;  // passwd and group; as `exec` reads them

std::vector<std::string> own_environment() {
  std::vector<std::string> out;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    out.emplace_back(*entry);
  }
  return out;
}

Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t kMost = 1U << 20U;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return fail_errno(path);
  }
  std::string text = TRY(read_up_to(fd.get(), kMost + 1, path));
  if (text.size() > kMost) {
    return fail(ErrorCode::InvalidArgument, path + ": is larger than 1 MiB");
  }
  return text;
}

Result<std::vector<std::string>> environment_of(const ImageRunOptions& image) {
  const std::vector<std::string> own = own_environment();
  std::vector<std::string> env;
  for (const std::string& path : image.env_files) {
    const std::string text = TRY(with_context("--env-file", read_file(path)));
    for (std::string& entry : oci::parse_env_file(text, own)) {
      env.push_back(std::move(entry));
    }
  }
  for (const std::string& text : image.env) {
    if (auto entry = oci::parse_env(text, own)) {
      env.push_back(std::move(*entry));
    }
  }
  return env;
}

Result<double> parse_cpus(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  constexpr double kLeast = 0.01, kMost = 100'000;  // the kernel's least quota is a millisecond
  if (end == text.c_str() || *end != '\0' || !(value >= kLeast && value <= kMost)) {
    return fail(ErrorCode::InvalidArgument, "--cpus: \"" + text + "\" is no number of CPUs");
  }
  return value;
}

Result<oci::RunNetwork> parse_network(const std::string& text) {
  if (text.empty() || text == "none") {
    return oci::RunNetwork::None;
  }
  if (text == "host") {
    return oci::RunNetwork::Host;
  }
  return fail(ErrorCode::Unsupported,
              "--network: \"" + text + "\" is neither none (the default) nor host");
}

Result<oci::RunWishes> wishes_of(Arguments command, const ImageRunOptions& image,
                                 const std::string& id) {
  oci::RunWishes wishes;
  wishes.args.assign(command.begin(), command.end());
  if (!image.entrypoint.empty()) {
    wishes.entrypoint = image.entrypoint.back();
  }
  wishes.env = TRY(environment_of(image));
  wishes.working_dir = image.working_dir;
  constexpr std::size_t kMaxHostname = 64;  // Linux's
  wishes.hostname = image.hostname.empty() ? id.substr(0, kMaxHostname) : image.hostname;
  for (const std::string& volume : image.volumes) {
    wishes.volumes.push_back(TRY(oci::parse_volume(volume)));
  }
  wishes.read_only = image.read_only;
  if (!image.memory.empty()) {
    const std::uint64_t bytes = TRY(with_context("--memory", parse_size(image.memory)));
    if (bytes == 0 || bytes > INT64_MAX) {
      return fail(ErrorCode::InvalidArgument, "--memory: \"" + image.memory + "\" is no limit");
    }
    wishes.memory_bytes = static_cast<std::int64_t>(bytes);
  }
  if (!image.cpus.empty()) {
    wishes.cpus = TRY(parse_cpus(image.cpus));
  }
  wishes.network = TRY(parse_network(image.network));
  wishes.rootless = ::geteuid() != 0;
  if (wishes.memory_bytes || wishes.cpus) {
    wishes.cgroups_path = "/runhl/" + id;
  }
  return wishes;
}

/// Runs runhl-image, which tells of its own steps.
Result<void> run_helper(std::vector<std::string> args, const std::string& image, bool timings,
                        HelperOutput output = HelperOutput::Dropped) {
  if (timings) {
    args.emplace_back("--timings");
    output = HelperOutput::Shown;
  }
  args.insert(args.end(), {"--", image});
  return run_image_helper(std::move(args), output);
}

/// A person sees how far it is; a log does not.
Result<void> pull(const oci::Store& store, const initrd::Cache& cache, const std::string& reference,
                  bool timings) {
  std::vector<std::string> args = {"pull", "--store", store.directory(), "--cache",
                                   cache.directory()};
  const bool seen = ::isatty(STDERR_FILENO) == 1;
  if (!seen) {
    args.emplace_back("--quiet");
  }
  return run_helper(std::move(args), reference, timings,
                    seen ? HelperOutput::Shown : HelperOutput::Dropped);
}

Result<oci::StoredImage> find_or_pull(const oci::Store& store, const initrd::Cache& cache,
                                      const std::string& reference, const ImageRunOptions& image) {
  const std::string& policy = image.pull;
  if (!policy.empty() && policy != "missing" && policy != "always" && policy != "never") {
    return fail(ErrorCode::InvalidArgument,
                "--pull: \"" + policy + "\" is none of missing, always, never");
  }
  if (policy == "always") {
    TRY(pull(store, cache, reference, image.timings));
  }
  Result<oci::StoredImage> found = find_image(store, reference);
  if (found || found.error().code != ErrorCode::NotFound || policy == "never") {
    return found;
  }
  TRY(pull(store, cache, reference, image.timings));
  return find_image(store, reference);
}

Result<UniqueFd> find_or_make_archive(const oci::StoredImage& image, const oci::Store& store,
                                      const initrd::Cache& cache, bool timings) {
  UniqueFd found = TRY(cache.find(archive_manifest(image)));
  if (found) {
    return found;
  }
  TRY(run_helper({"cache-add-image", "--store", store.directory(), "--cache", cache.directory()},
                 image.named.name, timings));
  found = TRY(cache.find(archive_manifest(image)));
  if (!found) {
    return fail(ErrorCode::Io, image.named.name + ": its archive disappeared from the cache");
  }
  return found;
}

/// Of the image; empty where it has no such file.
Result<std::string> accounts(int archive, const char* path) {
  Result<std::string> text = initrd::read_archived_file(archive, path, kMaxAccountsBytes);
  return !text && text.error().code == ErrorCode::NotFound ? Result<std::string>("") : text;
}

/// Without -i nobody is asked anything.
Result<void> close_input() {
  const UniqueFd null_device(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null_device || ::dup2(null_device.get(), STDIN_FILENO) < 0) {
    return fail_errno("/dev/null");
  }
  return {};
}

}  // namespace

bool ImageRunOptions::any() const {
  for (const std::string* text :
       {&name, &working_dir, &user, &memory, &cpus, &hostname, &network, &store, &pull}) {
    if (!text->empty()) {
      return true;
    }
  }
  for (const auto* list : {&env, &env_files, &volumes, &entrypoint}) {
    if (!list->empty()) {
      return true;
    }
  }
  return interactive || terminal || remove || read_only || timings;
}

void declare_image_options(Options& options, ImageRunOptions* image) {
  options.flag("-i,--interactive", "image: give it this standard input", &image->interactive);
  options.flag("-t,--tty", "image: a terminal (not supported yet)", &image->terminal);
  options.flag("--rm", "image: accepted, it is removed after its end", &image->remove);
  options.value("--name", "image: the container's name (default: made up)", &image->name);
  options.values("-e,--env", "image: NAME=VALUE, or NAME from here", &image->env);
  options.values("--env-file", "image: a file of such lines", &image->env_files);
  options.value("-w,--workdir", "image: the working directory", &image->working_dir);
  options.value("-u,--user", "image: USER[:GROUP], names of the image's or numbers", &image->user);
  options.values("-v,--volume", "image: SOURCE:DESTINATION[:ro], a path of this machine",
                 &image->volumes);
  options.flag("--read-only", "image: nothing in its root file system can be changed",
               &image->read_only);
  options.values("--entrypoint", "image: the program, instead of the image's", &image->entrypoint);
  options.value("-m,--memory", "image: limit, as 512M", &image->memory);
  options.value("--cpus", "image: limit, as 1.5", &image->cpus);
  options.value("--hostname", "image: the host's name inside (default: the container's)",
                &image->hostname);
  options.value("--network", "image: none (the default) or host", &image->network);
  options.value("--pull", "image: missing (the default), always or never", &image->pull);
  options.value("--store", "image: the store's directory", &image->store);
  options.flag("--timings", "image: print on standard error how long each step took",
               &image->timings);
}

Result<void> prepare_image_run(const std::string& reference, Arguments command,
                               const ImageRunOptions& image, const VerbOptions& verb,
                               StepTimes* times, shim::CreateRequest* request) {
  if (image.terminal) {
    return fail(ErrorCode::Unsupported, "-t: terminals are not supported yet");
  }
  if (!request->rootfs_mode.empty() && request->rootfs_mode != "initrd") {
    return fail(ErrorCode::Unsupported, "--rootfs-mode: an image runs from its archive (initrd)");
  }
  const oci::Store store = TRY(open_store(image.store));
  const initrd::Cache cache = TRY(open_cache(verb.cache));
  const oci::StoredImage stored = TRY(find_or_pull(store, cache, reference, image));
  times->done("image in the store");
  auto archive =
      std::make_shared<UniqueFd>(TRY(find_or_make_archive(stored, store, cache, image.timings)));
  times->done("archive in the cache");
  const oci::ImageUser user = TRY(oci::find_user(
      image.user.empty() ? stored.config.user : image.user,
      TRY(accounts(archive->get(), "etc/passwd")), TRY(accounts(archive->get(), "etc/group"))));
  oci::RunWishes wishes = TRY(wishes_of(command, image, request->id));
  wishes.image = stored.named.name;
  request->config_text = TRY(oci::make_run_spec(stored.config, wishes, user));
  request->rootfs_mode = "initrd";
  // Shared by the copies of the function alone.
  request->initrd = [archive](const std::string& /*rootfs*/) -> Result<UniqueFd> {
    return std::move(*archive);
  };
  return image.interactive ? Result<void>{} : close_input();
}

}  // namespace runhl
