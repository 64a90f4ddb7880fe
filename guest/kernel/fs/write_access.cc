// SPDX-License-Identifier: Apache-2.0
#include "fs/write_access.h"

#include <boost/intrusive/set.hpp>

#include "core/first_use.h"
#include "mm/heap.h"
#include "sched/locks.h"

namespace runhl::kernel {

struct WriteHold::Count : boost::intrusive::set_base_hook<> {
  InodeKey key;
  std::int64_t value = 0;
  std::uint64_t holds = 0;
  Mutex turn{LockRank::FileWrite};
  friend bool operator<(const Count& a, const Count& b) { return a.key < b.key; }
};

namespace {

std::int64_t step_of(WriteHold::Kind kind) {
  switch (kind) {
    case WriteHold::Kind::Writer:
      return 1;
    case WriteHold::Kind::Program:
      return -1;
    case WriteHold::Kind::Unseen:
      return 0;
  }
  return 0;
}

struct KeyLess {
  bool operator()(const InodeKey& a, const WriteHold::Count& b) const { return a < b.key; }
  bool operator()(const WriteHold::Count& a, const InodeKey& b) const { return a.key < b; }
};
using Counts = boost::intrusive::set<WriteHold::Count>;

constinit SpinLock g_counts_lock{LockRank::Pipe};
constinit FirstUse<Counts> g_counts;  // guarded by g_counts_lock

}  // namespace

Result<WriteHold> WriteHold::create(const InodeKey& key, Kind kind) {
  Owned<Count> fresh = TRY(make<Count>());  // not under the lock
  fresh->key = key;
  const std::int64_t step = step_of(kind);
  const SpinLock::Guard guard(g_counts_lock);
  Counts& counts = *g_counts;
  const auto [at, is_new] = counts.insert(*fresh);
  if (is_new) {
    (void)fresh.release();  // the set's now
  } else if (at->value * step < 0) {
    return fail(ETXTBSY);
  }
  at->value += step;
  ++at->holds;
  return WriteHold(*at, kind);
}

WriteHold::~WriteHold() {
  if (count_ == nullptr) {
    return;
  }
  const Owned<Count> last = [this]() -> Owned<Count> {
    const SpinLock::Guard guard(g_counts_lock);
    count_->value -= step_of(kind_);
    if (--count_->holds != 0) {
      return nullptr;
    }
    g_counts->erase(Counts::s_iterator_to(*count_));
    return Owned<Count>(count_);
  }();
}

Mutex& WriteHold::turn() const {
  return count_->turn;
}

bool runs_as_program(const InodeKey& key) {
  const SpinLock::Guard guard(g_counts_lock);
  const Counts& counts = *g_counts;
  const auto at = counts.find(key, KeyLess{});
  return at != counts.end() && at->value < 0;
}

}  // namespace runhl::kernel
