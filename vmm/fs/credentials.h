// SPDX-License-Identifier: Apache-2.0
// The ceiling, kept per operation: the calling thread takes the file-system uid, gid, groups and
// effective capabilities that the guest's task names, cut to what the container may be.
//
// - another uid than the ceiling's only if the ceiling has CAP_SETUID, another gid or groups only
//   with CAP_SETGID; else the ceiling's own (never an error: a forged id gains nothing);
// - capabilities: the guest's ∩ the ceiling's.
//
// The thread switches only when the request's credentials differ from the last one's.
#pragma once

#include "runhl/abi/ring.h"
#include "runhl/vmm/machine.h"

namespace runhl::vmm::fs {

class OperationCredentials {
 public:
  explicit OperationCredentials(Ceiling ceiling);

  /// What `wanted` (hostile) becomes under the ceiling. group_count beyond the array counts as 0.
  [[nodiscard]] abi::FsCredentials limit(const abi::FsCredentials& wanted) const;

  /// Makes the calling thread act with limit(wanted). False: the host refused; the operation must
  /// not run.
  bool apply(const abi::FsCredentials& wanted);

 private:
  Ceiling ceiling_;
  abi::FsCredentials current_{};
  bool applied_ = false;
};

}  // namespace runhl::vmm::fs
