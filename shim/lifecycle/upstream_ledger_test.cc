// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/upstream_ledger.h"

#include <gtest/gtest.h>

#include <string>

namespace runhl::shim {
namespace {

using oci::Disposition;

TEST(UpstreamLedger, What_our_guest_kernel_enforces_has_a_fate_of_its_own) {
  for (const oci::LedgerRow& row : oci::ledger()) {
    if (row.disposition != Disposition::EnforcedByGuest) {
      continue;
    }
    const oci::LedgerRow* const here = upstream_ledger_row(row.pointer);
    ASSERT_NE(here, nullptr) << row.pointer;
    EXPECT_NE(here, &row) << row.pointer << " would be said to be enforced by a kernel that is "
                          << "not there";
  }
}

TEST(UpstreamLedger, Every_row_is_of_a_property_that_there_is) {
  for (const oci::LedgerRow& row : upstream_ledger()) {
    EXPECT_NE(oci::find_ledger_row(row.pointer), nullptr) << row.pointer;
    EXPECT_FALSE(row.reason.empty()) << row.pointer;
  }
  EXPECT_EQ(upstream_ledger_row("/nosuch"), nullptr);
}

TEST(UpstreamLedger, Members_go_with_their_parent) {
  EXPECT_EQ(upstream_ledger_row("/hooks/startContainer/*/path")->disposition, Disposition::Refused);
  EXPECT_EQ(upstream_ledger_row("/hooks/prestart/*/path")->disposition,
            Disposition::EnforcedOnHost);
  EXPECT_EQ(upstream_ledger_row("/process/terminal")->disposition, Disposition::Refused);
  EXPECT_EQ(upstream_ledger_row("/linux/resources/memory/limit")->disposition,
            Disposition::EnforcedOnHost);
}

}  // namespace
}  // namespace runhl::shim
