// SPDX-License-Identifier: Apache-2.0
// mm/aspace.h as a table of pages, for the tests of the VMA layer: no memory is touched.
#include "hosted/task_hosted.h"
#include "mm/aspace.h"
#include "runhl/core/units.h"

namespace runhl::kernel {

namespace hosted {
namespace {
std::map<std::uint64_t, Page> g_pages;
std::uint64_t g_identity = 1;
int g_failure = 0;
unsigned g_calls_to_failure = 0;
std::uint64_t g_cut = 0;
}  // namespace

std::map<std::uint64_t, Page>& pages() {
  return g_pages;
}
void fail_aspace_call(unsigned count, int error) {
  g_calls_to_failure = count;
  g_failure = error;
}
void cut_host_mapping(std::uint64_t at) {
  g_cut = at;
}
}  // namespace hosted

namespace aspace {

using hosted::g_pages;

namespace {
Result<void> begin() {
  if (hosted::g_failure != 0 && --hosted::g_calls_to_failure == 0) {
    return fail(std::exchange(hosted::g_failure, 0));
  }
  return {};
}
}  // namespace

Result<void> map_anon(std::uint64_t address, std::uint64_t length, std::uint32_t protection) {
  TRY(begin());
  for (std::uint64_t at = address; at < address + length; at += kPageSize) {
    g_pages[at] = {.protection = protection, .identity = hosted::g_identity++};
  }
  return {};
}

Result<void> map_file(std::uint64_t address, std::uint64_t length, std::uint32_t protection,
                      const Backing& backing, Sharing /*sharing*/) {
  TRY(begin());
  for (std::uint64_t at = address; at < address + length; at += kPageSize) {
    g_pages[at] = {
        .protection = protection,
        .slot = backing.kind == Backing::Kind::BeyondEnd ? hosted::kBeyondEnd : backing.slot,
        .offset = backing.offset + (at - address)};
  }
  return {};
}

Result<void> unmap(std::uint64_t address, std::uint64_t length) {
  TRY(begin());
  g_pages.erase(g_pages.lower_bound(address), g_pages.lower_bound(address + length));
  return {};
}

Result<void> protect(std::uint64_t address, std::uint64_t length, std::uint32_t protection) {
  TRY(begin());
  for (std::uint64_t at = address; at < address + length; at += kPageSize) {
    const auto page = g_pages.find(at);
    if (page == g_pages.end()) {
      return fail(ENOMEM);
    }
    page->second.protection = protection;
  }
  return {};
}

Result<void> move(std::uint64_t from, std::uint64_t from_length, std::uint64_t to,
                  std::uint64_t to_length) {
  TRY(begin());
  const hosted::Page first = g_pages.at(from);
  if (from < hosted::g_cut && hosted::g_cut < from + from_length) {
    return fail(EFAULT);  // two mappings of the host
  }
  for (std::uint64_t at = 0; at < to_length; at += kPageSize) {
    if (at < from_length) {
      g_pages[to + at] = g_pages.at(from + at);
      g_pages.erase(from + at);
    } else {
      g_pages[to + at] = {.protection = first.protection,
                          .slot = first.slot,
                          .offset = first.slot < 0 ? 0 : first.offset + at,
                          .identity = first.slot < 0 ? hosted::g_identity++ : 0};
    }
  }
  return {};
}

Result<void> discard(std::uint64_t address, std::uint64_t length) {
  TRY(begin());
  for (std::uint64_t at = address; at < address + length; at += kPageSize) {
    g_pages.at(at).identity = hosted::g_identity++;
  }
  return {};
}

Result<void> advise(std::uint64_t /*address*/, std::uint64_t /*length*/, int /*advice*/) {
  return begin();
}

Result<void> resident(std::uint64_t address, std::span<std::byte> pages) {
  TRY(begin());
  for (std::byte& page : pages) {
    if (!g_pages.contains(address)) {
      return fail(ENOMEM);
    }
    page = std::byte{1};
    address += kPageSize;
  }
  return {};
}

}  // namespace aspace
}  // namespace runhl::kernel
