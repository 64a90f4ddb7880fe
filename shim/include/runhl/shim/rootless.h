// SPDX-License-Identifier: Apache-2.0
// A caller without privilege gets them in a user namespace that maps one id: the container's user
// inside is the caller outside.
//
//   const Privilege privilege = TRY(enter_user_namespace_if_needed(sys, proc_fd, {.uid = 0}));
//   if (privilege == Privilege::Rootless) TRY(refuse_limits(config.resources));
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "runhl/base/result.h"
#include "runhl/base/sys.h"
#include "runhl/oci/config.h"

namespace runhl::shim {

enum class Privilege : std::uint8_t {
  Full,      ///< the caller may mount; nothing was changed
  Rootless,  ///< in a user namespace of our own now
};

/// The ids inside that the caller's own become: process.user.
struct InsideIds {
  uid_t uid = 0;
  gid_t gid = 0;
};

/// Whether this process must go the rootless way (it lacks CAP_SYS_ADMIN).
Result<Privilege> privilege_of_caller(Sys& sys);

/// Does nothing for a caller with CAP_SYS_ADMIN. Must come before any other namespace: those made
/// after it belong to it. The process must have one thread.
/// @param proc a directory descriptor of the host's /proc
/// Errors: Permission (the host forbids unprivileged user namespaces; one line says which call).
Result<Privilege> enter_user_namespace_if_needed(Sys& sys, int proc, InsideIds inside);

/// Without privilege there is no control group to hold a limit, so none is accepted.
/// Errors: Unsupported, beginning with the JSON pointer of the first limit.
Result<void> refuse_limits(const oci::Resources& resources);

}  // namespace runhl::shim
