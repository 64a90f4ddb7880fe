// SPDX-License-Identifier: Apache-2.0
// Where a registry's API is, by the registry's name: first its mirrors, then itself. Mirrors come
// from hosts.toml (hosts.h), authorities from there or from docker's certs.d.
//
//   for (Endpoint& endpoint : TRY(endpoints_of("ghcr.io", {}))) …
#pragma once

#include <string>
#include <vector>

#include "runhl/registry/client.h"
#include "session.h"

namespace runhl::oci {

/// At least one; the last is the registry itself. Errors: InvalidArgument (the file), of the host
/// (a certificate that it names).
Result<std::vector<Endpoint>> endpoints_of(const std::string& domain, const ClientOptions& options);

}  // namespace runhl::oci
