// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/generation.h"

#include <algorithm>
#include <functional>

#include "hyperlight/elf_image.h"
#include "runhl/base/file_io.h"
#include "runhl/vmm/hyperlight/contract.h"
#include "runhl/vmm/hyperlight/kernel_file.h"

namespace runhl::vmm::hyperlight {
namespace {

bool contains(std::string_view bytes, std::string_view text) {
  const std::boyer_moore_horspool_searcher searcher(text.begin(), text.end());
  return std::search(bytes.begin(), bytes.end(), searcher) != bytes.end();
}

}  // namespace

Result<Generation> detect_generation(std::span<const std::byte> kernel) {
  const std::string_view bytes = as_text(kernel);
  if (contains(bytes, "transport: arena")) {
    return Generation::G3;
  }
  if (contains(bytes, "GetExnStackTop")) {
    return Generation::G2;
  }
  if (contains(bytes, "HLCMDLN") || contains(bytes, "__dispatch")) {
    return Generation::G1;
  }
  return fail(ErrorCode::Unsupported, "no Unikraft-for-Hyperlight kernel of a known generation");
}

Result<Generation> generation_of(const GuestSpec& spec) {
  return spec.generation ? Result<Generation>(*spec.generation) : detect_generation(spec.kernel);
}

Result<Generation> check_kernel_file(std::span<const std::byte> file) {
  TRY(parse_elf(file));
  return detect_generation(file);
}

Result<Generation> check_kernel_for_programs(std::span<const std::byte> file) {
  const Generation generation = TRY(check_kernel_file(file));
  return generation == Generation::G1
             ? Result<Generation>(fail(ErrorCode::Unsupported,
                                       "a kernel of G1, which runs the program that is built into "
                                       "it; `runhl boot` boots it"))
             : Result<Generation>(generation);
}

bool knows_file_times(std::span<const std::byte> kernel) {
  return contains(as_text(kernel), "fs_set_times");
}

Result<unsigned> contract_of(std::span<const std::byte> kernel) {
  constexpr unsigned kContractG2 = 3, kContractG3 = 5, kContractTimes = 7;
  const Generation generation = TRY(detect_generation(kernel));
  if (generation == Generation::G1) {
    return fail(ErrorCode::Unsupported, "a kernel of G1, of which no snapshot is kept on disk");
  }
  if (generation == Generation::G2) {
    return kContractG2;
  }
  return knows_file_times(kernel) ? kContractTimes : kContractG3;
}

}  // namespace runhl::vmm::hyperlight
