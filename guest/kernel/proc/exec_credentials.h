// SPDX-License-Identifier: Apache-2.0
// What exec does to a task's credentials (capabilities(7), "Transformation of capabilities").
#pragma once

#include <cstdint>

#include "proc/credentials.h"
#include "runhl/abi/ring.h"

namespace runhl::kernel {

struct ExecCredentials {
  Credentials credentials;
  bool secure = false;  // AT_SECURE: the program gained something
};

/// `may_gain`: set-id bits count (no nosuid mount, no no_new_privs).
ExecCredentials credentials_for_exec(const Credentials& before, const abi::FileAttr& program,
                                     bool may_gain);

}  // namespace runhl::kernel
