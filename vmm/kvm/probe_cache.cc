// SPDX-License-Identifier: Apache-2.0
#include "kvm/probe_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <string_view>

#include "kvm/kvm_calls.h"
#include "runhl/base/file_io.h"
#include "runhl/base/output_file.h"
#include "runhl/base/owned_directory.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::kvm {
namespace {

constexpr std::string_view kFinding = "finding: ", kReason = "reason: ";
constexpr std::size_t kMostBytes = 4096;
constexpr mode_t kDirectoryMode = 0711;  // as the state directory's
constexpr std::array kRemembered = {Finding::Hardware, Finding::Absent, Finding::Emulating};

std::string read_small(int directory, const char* path) {
  const UniqueFd fd(::openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  Result<std::string> text = fd ? read_up_to(fd.get(), kMostBytes, path) : std::string();
  return text ? std::move(*text) : std::string();
}

/// The rest of the line behind `name`, which `text` loses.
std::optional<std::string_view> take_line(std::string_view* text, std::string_view name) {
  const std::size_t end = text->find('\n');
  if (!text->starts_with(name) || end == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view value = text->substr(name.size(), end - name.size());
  text->remove_prefix(end + 1);
  return value;
}

}  // namespace

std::string probe_key() {
  utsname host{};
  struct stat device{};
  (void)::uname(&host);  // cannot fail
  std::string inode = "none";
  if (::stat(kDevicePath, &device) == 0) {
    inode = std::to_string(device.st_dev) + ":" + std::to_string(device.st_ino) + ":" +
            std::to_string(device.st_rdev);
  }
  return "runhl's probe of KVM, 1\nboot: " +
         read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id") + "kernel: " + host.release + " " +
         host.version + "\ndevice: " + inode + "\n";
}

std::optional<Probe> read_probe(const std::string& directory, const std::string& key) {
  const Result<UniqueFd> fd = open_owned_directory(directory);
  if (!fd) {
    return std::nullopt;
  }
  const std::string file = read_small(fd->get(), kProbeFile);
  std::string_view text = file;
  if (!text.starts_with(key)) {
    return std::nullopt;
  }
  text.remove_prefix(key.size());
  const auto finding = take_line(&text, kFinding);
  const auto reason = take_line(&text, kReason);
  if (!finding || !reason) {
    return std::nullopt;
  }
  for (const Finding known : kRemembered) {
    if (to_string(known) == *finding) {
      return Probe{known, std::string(*reason), true};
    }
  }
  return std::nullopt;
}

void write_probe(const std::string& directory, const std::string& key, const Probe& probe) {
  for (const Finding known : kRemembered) {
    if (known == probe.finding) {
      // It saves time alone: without it the next caller probes again.
      (void)write_output_file(directory, kProbeFile,
                              key + std::string(kFinding) + std::string(to_string(probe.finding)) +
                                  "\n" + std::string(kReason) + probe.reason + "\n");
    }
  }
}

Probe remembered_probe(const std::string& directory) {
  (void)::mkdir(directory.c_str(), kDirectoryMode);  // where it cannot be, nothing is remembered
  const std::string key = probe_key();
  const std::optional<Probe> known = read_probe(directory, key);
  if (known && known->usable() && ::access(kDevicePath, R_OK | W_OK) != 0) {
    return {Finding::Denied, fail_errno(kDevicePath).value().message};
  }
  if (known) {
    return *known;
  }
  Probe found = probe(&linux_kvm(), host_cpu());
  if (open_owned_directory(directory)) {
    write_probe(directory, key, found);
  }
  return found;
}

}  // namespace runhl::vmm::kvm
