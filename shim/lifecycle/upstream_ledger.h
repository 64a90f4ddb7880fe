// SPDX-License-Identifier: Apache-2.0
// The field ledger (runhl/oci/ledger.h) of a container on an upstream kernel: the rows whose fate
// is another than with our kernel, among them all that our guest kernel enforces. Nothing that
// restricts a container is silently ignored there either: what is refused, upstream_rules.h
// refuses.
#pragma once

#include <span>

#include "runhl/oci/ledger.h"

namespace runhl::shim {

/// Sorted by pointer. EnforcedByGuest: by the kernel, or by what starts its program.
std::span<const oci::LedgerRow> upstream_ledger();

/// What becomes of a property: of this table, of the nearest of its parents there, or of the
/// ledger's own. None: there is no such property.
const oci::LedgerRow* upstream_ledger_row(std::string_view pointer);

}  // namespace runhl::shim
