// SPDX-License-Identifier: Apache-2.0
// A guest kernel as bytes of this executable. The text starts with an abi::KernelHeader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace runhl::vmm {

struct KernelImage {
  std::span<const std::byte> text;  ///< page-aligned, whole pages: the launcher moves these pages
  std::span<const std::byte> data;  ///< copied into the kernel memory
  std::string_view symbols;         ///< lines "hex-address name", ascending; may be empty
};

/// Our kernel, embedded by guest/kernel. (A test links another definition: test/hostile.)
KernelImage embedded_kernel();

}  // namespace runhl::vmm
