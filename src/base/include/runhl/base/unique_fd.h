// SPDX-License-Identifier: Apache-2.0
// Owners that close themselves: UniqueFd for a descriptor, Mapping for an mmap, ScopeGuard for the
// one-off.
//
//   UniqueFd dir{open("/run", O_PATH | O_CLOEXEC)};
//   if (!dir) return fail_errno("open /run");
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <span>
#include <utility>

namespace runhl {

/// Owns one file descriptor; -1 is none. close() is never retried on EINTR: Linux has freed the
/// number already.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    const int old = std::exchange(fd_, fd);
    if (old >= 0) {
      ::close(old);
    }
  }

 private:
  int fd_ = -1;
};

/// Owns a mapped range of this process.
class Mapping {
 public:
  Mapping() = default;
  explicit Mapping(std::span<std::byte> bytes) : bytes_(bytes) {}
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    reset();
    bytes_ = std::exchange(other.bytes_, {});
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { reset(); }

  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
  void reset() {
    if (!bytes_.empty()) {
      ::munmap(bytes_.data(), bytes_.size());
      bytes_ = {};
    }
  }

 private:
  std::span<std::byte> bytes_;
};

/// Runs a function at the end of the scope unless dismissed.
template <typename F>
class [[nodiscard]] ScopeGuard {
 public:
  explicit ScopeGuard(F function) : function_(std::move(function)) {}
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;
  ScopeGuard(ScopeGuard&&) = delete;
  ScopeGuard& operator=(ScopeGuard&&) = delete;
  ~ScopeGuard() {
    if (armed_) {
      function_();
    }
  }
  void dismiss() { armed_ = false; }

 private:
  F function_;
  bool armed_ = true;
};

}  // namespace runhl
