// SPDX-License-Identifier: Apache-2.0
// With which open files runhl-boot begins as a container's guest process, beside its streams.
#pragma once

namespace runhl::vmm::upstream {

inline constexpr int kChannelDescriptor = 3;  ///< guest_channel.h
inline constexpr int kPlanDescriptor = 4;     ///< guest_plan.h, encoded
inline constexpr int kKernelDescriptor = 5;
inline constexpr int kArchiveDescriptor = 6;
inline constexpr int kKvmDescriptor = 7;  ///< /dev/kvm; not there: isolation emulated
/// cgroup.procs of the group that it goes to once it has its virtual machine; or not there. Linux
/// before 6.13 puts a thread of the kernel's own, which no freezer of version 2 stops, into the
/// groups that a machine is made in.
inline constexpr int kGroupDescriptor = 8;
inline constexpr int kGuestDescriptors = 9;

/// Its one argument, beside its caller's version.
inline constexpr const char* kContainerFlag = "--container";

}  // namespace runhl::vmm::upstream
