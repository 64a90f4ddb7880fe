// SPDX-License-Identifier: Apache-2.0
// A KVM for tests: writes down what it is asked, answers as told, and executes nothing. A run of
// its CPU is a function that fills in the page as KVM would.
//
//   RecordingKvm kvm;
//   kvm.fail(KVM_CREATE_VM, ENOMEM);
//   kvm.then([](kvm_run& page) { page.exit_reason = KVM_EXIT_HLT; return 0; });
#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kvm/cpuid_entries.h"
#include "kvm/kvm_calls.h"
#include "runhl/core/units.h"
#include "runhl/vmm/kvm/kvm_abi.h"

namespace runhl::vmm::kvm {

/// One answer of CPUID: EAX, EBX, ECX, EDX.
inline kvm_cpuid_entry2 leaf(std::uint32_t number, std::array<std::uint32_t, 4> values,
                             std::uint32_t index = 0) {
  kvm_cpuid_entry2 entry{};
  entry.function = number;
  entry.index = index;
  entry.eax = values[0], entry.ebx = values[1], entry.ecx = values[2], entry.edx = values[3];
  return entry;
}

class RecordingKvm final : public KvmCalls {
 public:
  /// 0, or -errno, as KVM_RUN.
  using Run = std::function<int(kvm_run& page)>;
  static constexpr std::size_t kRunSize = 3 * kPageSize;

  RecordingKvm() : run_file_(::memfd_create("recording-kvm", MFD_CLOEXEC)) {
    (void)!::ftruncate(run_file_.get(), kRunSize);
    page_ = Mapping({static_cast<std::byte*>(::mmap(nullptr, kRunSize, PROT_READ | PROT_WRITE,
                                                    MAP_SHARED, run_file_.get(), 0)),
                     kRunSize});
  }

  // The world
  int version = KVM_API_VERSION;
  int open_error = 0;
  int run_size = kRunSize;
  int parts = 0;  ///< that an instruction still has when KVM is to finish it
  std::map<std::uintptr_t, int> capabilities{{KVM_CAP_SYNC_REGS, 7}};  ///< default: 1
  CpuidEntries cpuid{leaf(1, {0, 0, 1U << 26, 0}), leaf(0xd, {0x2e7, 0, 0, 0})};

  // What was seen
  std::vector<std::string> calls;  ///< without KVM_CHECK_EXTENSION
  std::vector<kvm_userspace_memory_region> slots;
  kvm_sregs sregs{};
  std::array<std::uint32_t, sizeof(kvm_xsave) / 4> xsave{};
  kvm_xcrs xcrs{};
  std::map<std::uint32_t, std::uint64_t> msrs;
  std::uint64_t tsc_offset = 0;  ///< its counter is this plus kHostTsc
  bool tsc_follows = true;
  static constexpr std::uint64_t kHostTsc = 5000;
  CpuidEntries guest_cpuid;
  std::map<std::uint32_t, std::uint8_t> msr_ranges;  ///< first -> the bitmap's first byte
  std::uint32_t msr_flags = 0;

  /// Until it is told 0.
  void fail(unsigned long request, int os_errno) { failures_[request] = os_errno; }
  void then(Run run) { runs_.push_back(std::move(run)); }

  int open_device() override {
    calls.emplace_back("open");
    return open_error != 0 ? -open_error : ::eventfd(0, EFD_CLOEXEC);
  }
  int control(int /*fd*/, unsigned long request, std::uintptr_t argument) override {
    if (request != KVM_CHECK_EXTENSION) {
      calls.push_back(request_name(request));
    }
    const int failure = failures_[request];
    return failure != 0 ? -failure : answer(request, argument);
  }

 private:
  template <typename T>
  static T* as(std::uintptr_t argument) {
    return reinterpret_cast<T*>(argument);
  }
  int answer(unsigned long request, std::uintptr_t argument);
  int put_cpuid(kvm_cpuid2* table) const;
  void take_filter(const kvm_msr_filter& filter);
  int transfer(unsigned long request, kvm_msrs* list);
  int attribute(unsigned long request, const kvm_device_attr& it);
  int run();

  UniqueFd run_file_;
  Mapping page_;
  std::map<unsigned long, int> failures_;
  std::deque<Run> runs_;
};

inline int RecordingKvm::put_cpuid(kvm_cpuid2* table) const {
  if (table->nent < cpuid.size()) {
    return -E2BIG;
  }
  table->nent = static_cast<std::uint32_t>(cpuid.size());
  std::memcpy(table->entries, cpuid.data(), cpuid.size() * sizeof cpuid[0]);
  return 0;
}

inline void RecordingKvm::take_filter(const kvm_msr_filter& filter) {
  msr_flags = filter.flags;
  for (const kvm_msr_filter_range& range : filter.ranges) {
    if (range.nmsrs != 0) {
      msr_ranges[range.base] = *range.bitmap;
    }
  }
}

/// None but those of `msrs`, and the counter.
inline int RecordingKvm::transfer(unsigned long request, kvm_msrs* list) {
  msrs[0x10] = kHostTsc + tsc_offset;
  for (std::uint32_t i = 0; i < list->nmsrs; ++i) {
    kvm_msr_entry& entry = list->entries[i];
    const auto found = msrs.find(entry.index);
    if (found == msrs.end()) {
      return static_cast<int>(i);
    }
    if (request == KVM_SET_MSRS) {
      found->second = entry.data;
    } else {
      entry.data = found->second;
    }
  }
  return static_cast<int>(list->nmsrs);
}

inline int RecordingKvm::attribute(unsigned long request, const kvm_device_attr& it) {
  if (it.group != KVM_VCPU_TSC_CTRL || it.attr != KVM_VCPU_TSC_OFFSET) {
    return -ENXIO;
  }
  auto* const value = as<std::uint64_t>(it.addr);
  if (request == KVM_GET_DEVICE_ATTR) {
    *value = tsc_offset;
  } else if (tsc_follows) {
    tsc_offset = *value;
  }
  return 0;
}

inline int RecordingKvm::run() {
  auto& page = *reinterpret_cast<kvm_run*>(page_.bytes().data());
  page.kvm_dirty_regs = 0;
  if (page.immediate_exit != 0) {
    return parts > 0 ? (--parts, 0) : -EINTR;
  }
  if (runs_.empty()) {
    return -EIO;
  }
  const Run next = std::move(runs_.front());
  runs_.pop_front();
  return next(page);
}

inline int RecordingKvm::answer(unsigned long request, std::uintptr_t argument) {
  switch (request) {
    case KVM_GET_API_VERSION:
      return version;
    case KVM_CHECK_EXTENSION: {
      const auto found = capabilities.find(argument);
      return found == capabilities.end() ? 1 : found->second;
    }
    case KVM_GET_VCPU_MMAP_SIZE:
      return run_size;
    case KVM_CREATE_VM:
      return ::eventfd(0, EFD_CLOEXEC);
    case KVM_CREATE_VCPU:
      return ::fcntl(run_file_.get(), F_DUPFD_CLOEXEC, 0);
    case KVM_GET_SUPPORTED_CPUID:
      return put_cpuid(as<kvm_cpuid2>(argument));
    case KVM_SET_CPUID2: {
      const auto* const table = as<kvm_cpuid2>(argument);
      guest_cpuid.assign(table->entries, table->entries + table->nent);
      return 0;
    }
    case KVM_X86_SET_MSR_FILTER:
      take_filter(*as<kvm_msr_filter>(argument));
      return 0;
    case KVM_SET_USER_MEMORY_REGION:
      slots.push_back(*as<kvm_userspace_memory_region>(argument));
      return 0;
    case KVM_SET_SREGS:
      sregs = *as<kvm_sregs>(argument);
      return 0;
    case KVM_GET_SREGS:
      *as<kvm_sregs>(argument) = sregs;
      return 0;
    case KVM_GET_MSRS:
    case KVM_SET_MSRS:
      return transfer(request, as<kvm_msrs>(argument));
    case KVM_GET_DEVICE_ATTR:
    case KVM_SET_DEVICE_ATTR:
      return attribute(request, *as<kvm_device_attr>(argument));
    case KVM_GET_XSAVE:
      std::memcpy(as<void>(argument), xsave.data(), sizeof xsave);
      return 0;
    case KVM_GET_XCRS:
      *as<kvm_xcrs>(argument) = xcrs;
      return 0;
    case KVM_SET_XSAVE:
      std::memcpy(xsave.data(), as<void>(argument), sizeof xsave);
      return 0;
    case KVM_SET_XCRS:
      xcrs = *as<kvm_xcrs>(argument);
      return 0;
    case KVM_RUN:
      return run();
    default:
      return -ENOTTY;
  }
}

}  // namespace runhl::vmm::kvm
