// SPDX-License-Identifier: Apache-2.0
// The last steps of every end: a deleted container, a `run` that is over, a failed create.
#pragma once

#include "runhl/base/result.h"
#include "runhl/shim/state_dir.h"

namespace runhl::shim {

enum class Poststop : std::uint8_t { Run, Skip };

/// For a container whose monitor is dead: control groups, poststop hooks (a failing one is logged),
/// then the state directory, so that a removal that fails half-way can be repeated.
Result<void> remove_container(const StateRoot& root, const ContainerState& state,
                              Poststop poststop);

}  // namespace runhl::shim
