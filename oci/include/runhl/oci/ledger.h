// SPDX-License-Identifier: Apache-2.0
// The field ledger: the fate of every property that the OCI runtime specification knows. Nothing
// that restricts a container is silently ignored, and this table is where one looks it up.
//
//   for (const LedgerRow& row : ledger()) print(row.pointer, row.disposition, row.reason);
//
// A test walks the specification's JSON schema and fails on a property without a row.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace runhl::oci {

enum class Disposition : std::uint8_t {
  EnforcedOnHost,
  EnforcedByGuest,
  HoldsBecause,  ///< nothing needs doing: the reason says why what it asks is true anyway
  Refused,       ///< unless it asks nothing (empty, null, 0, false)
};

/// Who judges the value.
enum class Judged : std::uint8_t {
  ByDisposition,  ///< Refused rows: parse_config, here; others need no more than their type
  ByValue,        ///< the reader of the section accepts some values and refuses others by pointer
  Opaque,         ///< as ByValue, and what lies beneath are names, not properties
};

/// Where the property comes from.
enum class Origin : std::uint8_t {
  Schema,  ///< the schema that the test reads (runtime-spec 1.0.2 and what followed it)
  Newer,   ///< later versions of the specification
};

struct LedgerRow {
  std::string_view pointer;  ///< JSON pointer; "*" stands for any index
  Disposition disposition;
  std::string_view reason;  ///< one line; of a refusal: what a user can do about it
  Judged judged = Judged::ByDisposition;
  Origin origin = Origin::Schema;
};

/// Sorted by pointer.
std::span<const LedgerRow> ledger();
const LedgerRow* find_ledger_row(std::string_view pointer);

std::string_view to_string(Disposition disposition);

}  // namespace runhl::oci
