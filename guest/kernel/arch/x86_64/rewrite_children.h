// SPDX-License-Identifier: Apache-2.0
// The system call sites that a process's forked children trap at. Each of them makes such a call
// once or twice (close, dup2, sigaction before exec; exit) and would never rewrite its site; the
// parent does, before the next fork, and all further children have the jump from it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "arch/x86_64/site_entry.h"
#include "core/user_memory.h"
#include "mm/map_object.h"
#include "mm/ref.h"
#include "mm/user_map.h"

namespace runhl::kernel {

/// Used by one task at a time: who comes meanwhile goes uncounted.
class ChildSites : public RefCounted<ChildSites> {
 public:
  struct Site {
    UserAddress call = 0;
    std::int32_t traps = 0;  // below 0: refused, counts up to another try
    std::uint32_t number = 0;
    // What the child had mapped there, once it has trapped often enough: the parent's memory may be
    // another by now. `object` is compared and never used.
    const MapObject* object = nullptr;
    std::uint64_t offset = 0;

    [[nodiscard]] bool is_text_of(const MappingInfo& mapping) const {
      return object == mapping.object && offset == mapping.offset + (call - mapping.start);
    }
  };

  /// In a child: it has trapped at `call`. Takes the mm lock.
  void note(UserAddress call, std::uint32_t number);

  /// In the parent: rewrite(site) for each that is worth it, whose answer is whether it is done.
  template <typename F>
  void take_ready(F&& rewrite) {
    if (ready_ == 0 || busy_.exchange(true)) {
      return;
    }
    for (Site& site : sites_) {
      if (site.object != nullptr) {
        site = rewrite(site) ? Site{} : Site{.call = site.call, .traps = -kTryAgain};
      }
    }
    ready_ = 0;
    busy_.store(false);
  }

 private:
  static constexpr std::int32_t kThreshold = 16;  // traps before the parent's work pays

  std::array<Site, 64> sites_{};
  unsigned ready_ = 0;
  std::atomic<bool> busy_ = false;
};

}  // namespace runhl::kernel
