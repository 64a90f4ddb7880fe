// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/rewrite_children.h"

#include <span>

namespace runhl::kernel {

void ChildSites::note(UserAddress call, std::uint32_t number) {
  if (busy_.exchange(true)) {
    return;
  }
  Site& site = site_entry(std::span<Site>(sites_), call, kThreshold);
  if (++site.traps == kThreshold) {
    const Result<MappingInfo> mapping = find_mapping(call);
    if (mapping && mapping->object != nullptr) {
      site.number = number;
      site.object = mapping->object;
      site.offset = mapping->offset + (call - mapping->start);
      ++ready_;
    } else {
      site.traps = -kTryAgain;
    }
  }
  busy_.store(false);
}

}  // namespace runhl::kernel
