// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/creation.h"
#include "runhl/shim/lifecycle.h"

namespace runhl::shim {

Result<void> create(const StateRoot& root, const CreateRequest& request,
                    const MachineFactory& factory) {
  Creation creation = TRY(Creation::begin(root, request, Presence::Detached, factory));
  return creation.commit();
}

}  // namespace runhl::shim
