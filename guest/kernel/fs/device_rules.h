// SPDX-License-Identifier: Apache-2.0
// What the container's devices cgroup lets through: a node of any other number is EPERM, as Linux
// answers, whether there is such a device or not. Pure.
#pragma once

#include <cstdint>
#include <span>

#include "core/result.h"
#include "runhl/abi/boot.h"
#include "runhl/abi/ring.h"

namespace runhl::kernel {

/// The last rule that matches counts; none: no. What runc and crun let every container have is
/// always let through, since their own rules come behind config.json's.
bool device_allowed(std::span<const abi::BootDeviceRule> rules, const abi::FileAttr& device,
                    std::uint32_t access);

/// EPERM: the container's rules do not let it through. Nothing of what is no device.
Result<void> check_device(const abi::FileAttr& attr, std::uint32_t access);

}  // namespace runhl::kernel
