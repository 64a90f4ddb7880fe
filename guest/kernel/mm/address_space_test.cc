// SPDX-License-Identifier: Apache-2.0
#include "mm/address_space.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <random>

#include "hosted/task_hosted.h"

namespace runhl::kernel {
namespace {

constexpr std::uint32_t kAnon = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr UserAddress kArea = 0x10'0000'0000;
constexpr std::uint64_t kPage = kPageSize;

class FakeFile final : public MapObject {
 public:
  Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t, MapUse) override {
    return aspace::Backing{.slot = 70, .offset = offset};
  }
};

class AddressSpaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hosted::pages().clear();
    hosted::fail_next_aspace_call(0);
    ASSERT_TRUE(mm_.reset(make_user_layout(false)));
  }

  Result<UserAddress> map_at(UserAddress at, std::uint64_t pages, std::uint32_t protection,
                             std::uint32_t flags = kAnon | MAP_FIXED) {
    MapRequest request;
    request.address = at;
    request.length = pages * kPage;
    request.protection = protection;
    request.flags = flags;
    return mm_.map(request);
  }
  int map_error(UserAddress at, std::uint64_t length, std::uint32_t flags) {
    MapRequest request;
    request.address = at;
    request.length = length;
    request.flags = flags;
    const auto result = mm_.map(request);
    return result ? 0 : to_int(result.error());
  }

  static const Rlimits& limits_of_a_new_process() {
    hosted::reset_task();
    return current().process->rlimits;
  }

  AddressSpace mm_{limits_of_a_new_process()};
};

template <typename T>
int error_of(const Result<T>& result) {
  return result ? 0 : to_int(result.error());
}

TEST_F(AddressSpaceTest, Places_mappings_downwards_from_the_top) {
  const auto first = map_at(0, 4, PROT_READ, kAnon);
  const auto second = map_at(0, 2, PROT_READ, kAnon);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, abi::kUserMmapTop - 4 * kPage);
  EXPECT_EQ(*second, *first - 2 * kPage);
}

TEST_F(AddressSpaceTest, Uses_a_free_hint_and_leaves_a_taken_one) {
  EXPECT_EQ(*map_at(kArea, 1, PROT_READ, kAnon), kArea);
  EXPECT_NE(*map_at(kArea, 1, PROT_READ, kAnon), kArea);
}

TEST_F(AddressSpaceTest, Refuses_what_Linux_refuses) {
  EXPECT_EQ(map_error(kArea, 0, kAnon), EINVAL);
  EXPECT_EQ(map_error(kArea + 1, kPage, kAnon | MAP_FIXED), EINVAL);
  EXPECT_EQ(map_error(0x1000, kPage, kAnon | MAP_FIXED), EPERM);
  EXPECT_EQ(map_error(abi::kUserEnd, kPage, kAnon | MAP_FIXED), ENOMEM);
  EXPECT_EQ(map_error(kArea, ~0ULL, kAnon), ENOMEM);
  ASSERT_TRUE(map_at(kArea, 1, PROT_READ));
  EXPECT_EQ(map_error(kArea, kPage, kAnon | MAP_FIXED_NOREPLACE), EEXIST);
  EXPECT_EQ(error_of(mm_.unmap(kArea, 0)), EINVAL);
  EXPECT_EQ(error_of(mm_.protect(kArea, 2 * kPage, PROT_NONE)), ENOMEM);
}

TEST_F(AddressSpaceTest, A_shared_file_stays_read_only) {
  MapRequest request;
  request.length = kPage;
  request.protection = PROT_READ;
  request.flags = MAP_SHARED;
  request.object = *make_ref<FakeFile>();
  request.max_protection = PROT_READ;
  const UserAddress at = *mm_.map(request);
  EXPECT_EQ(error_of(mm_.protect(at, kPage, PROT_READ | PROT_WRITE)), EACCES);
}

TEST_F(AddressSpaceTest, Address_space_limit_is_enforced) {
  current().process->rlimits[RLIMIT_AS].soft = 4 * kPage;
  EXPECT_TRUE(map_at(kArea, 4, PROT_READ));
  EXPECT_EQ(map_error(0, kPage, kAnon), ENOMEM);
  EXPECT_TRUE(mm_.unmap(kArea, kPage));
  EXPECT_EQ(map_error(0, kPage, kAnon), 0);
}

TEST_F(AddressSpaceTest, Break_grows_and_shrinks) {
  mm_.set_heap_start(kArea);
  EXPECT_EQ(mm_.set_break(0), kArea);
  EXPECT_EQ(mm_.set_break(kArea + 100), kArea + 100);
  EXPECT_EQ(hosted::pages().count(kArea), 1U);
  EXPECT_EQ(mm_.set_break(kArea + 3 * kPage), kArea + 3 * kPage);
  EXPECT_EQ(mm_.set_break(kArea + kPage), kArea + kPage);
  EXPECT_EQ(hosted::pages().size(), 1U);
  ASSERT_TRUE(map_at(kArea + 2 * kPage, 1, PROT_READ));
  EXPECT_EQ(mm_.set_break(kArea + 4 * kPage), kArea + kPage) << "something is in the way";
}

TEST_F(AddressSpaceTest, Remap_grows_in_place_or_moves) {
  ASSERT_TRUE(map_at(kArea, 2, PROT_READ | PROT_WRITE));
  EXPECT_EQ(*mm_.remap({kArea, 2 * kPage, 3 * kPage, 0, 0}), kArea);
  ASSERT_TRUE(map_at(kArea + 3 * kPage, 1, PROT_READ));
  EXPECT_EQ(error_of(mm_.remap({kArea, 3 * kPage, 4 * kPage, 0, 0})), ENOMEM);
  const std::uint64_t identity = hosted::pages().at(kArea).identity;
  const UserAddress moved = *mm_.remap({kArea, 3 * kPage, 4 * kPage, MREMAP_MAYMOVE, 0});
  EXPECT_NE(moved, kArea);
  EXPECT_EQ(hosted::pages().at(moved).identity, identity);
  EXPECT_EQ(hosted::pages().count(kArea), 0U);
  EXPECT_EQ(error_of(mm_.find(kArea)), ENOMEM);
}

TEST_F(AddressSpaceTest, A_failed_host_call_changes_nothing) {
  ASSERT_TRUE(map_at(kArea, 4, PROT_READ));
  hosted::fail_next_aspace_call(ENOMEM);
  EXPECT_EQ(error_of(mm_.unmap(kArea, 4 * kPage)), ENOMEM);
  EXPECT_TRUE(mm_.require_mapped(kArea, 4 * kPage));
  hosted::fail_next_aspace_call(ENOMEM);
  EXPECT_FALSE(map_at(kArea, 2, PROT_WRITE));
  EXPECT_EQ(mm_.find(kArea)->protection, std::uint32_t{PROT_READ});
}

TEST_F(AddressSpaceTest, An_annex_lies_near_and_is_executable) {
  ASSERT_TRUE(map_at(kArea, 16, PROT_READ | PROT_EXEC));
  const UserAddress annex = *mm_.reserve_annex(kArea + 4 * kPage);
  EXPECT_LT(kArea > annex ? kArea - annex : annex - kArea, 2 * kMiB);
  EXPECT_EQ(hosted::pages().at(annex).protection, std::uint32_t{PROT_READ | PROT_EXEC});
}

TEST_F(AddressSpaceTest, A_forked_child_has_the_map_and_its_own_changes) {
  mm_.set_heap_start(kArea + 100 * kPage);
  ASSERT_EQ(mm_.set_break(kArea + 101 * kPage), kArea + 101 * kPage);
  ASSERT_TRUE(map_at(kArea, 4, PROT_READ));
  const auto child = *mm_.clone_for_fork(current().process->rlimits);
  EXPECT_EQ(child->total_bytes(), mm_.total_bytes());
  EXPECT_EQ(child->set_break(0), kArea + 101 * kPage);
  ASSERT_TRUE(child->protect(kArea, kPage, PROT_READ | PROT_WRITE));
  EXPECT_EQ(mm_.find(kArea)->end, kArea + 4 * kPage) << "the parent's mapping is whole";
}

TEST_F(AddressSpaceTest, Fork_marks_are_kept_by_page_and_obeyed) {
  ASSERT_TRUE(map_at(kArea, 6, PROT_READ | PROT_WRITE));
  ASSERT_TRUE(mm_.advise(kArea, kPage, MADV_DONTFORK));
  ASSERT_TRUE(mm_.advise(kArea + 2 * kPage, 2 * kPage, MADV_WIPEONFORK));
  ASSERT_TRUE(mm_.advise(kArea + 3 * kPage, kPage, MADV_KEEPONFORK));
  const auto before = hosted::pages();
  const auto child = *mm_.clone_for_fork(current().process->rlimits);
  ASSERT_TRUE(child->finish_fork());
  EXPECT_EQ(error_of(child->find(kArea)), ENOMEM);
  EXPECT_TRUE(mm_.find(kArea));
  EXPECT_FALSE(hosted::pages().contains(kArea));
  EXPECT_EQ(hosted::pages().at(kArea + kPage).identity, before.at(kArea + kPage).identity);
  EXPECT_NE(hosted::pages().at(kArea + 2 * kPage).identity, before.at(kArea + 2 * kPage).identity);
  EXPECT_EQ(hosted::pages().at(kArea + 3 * kPage).identity, before.at(kArea + 3 * kPage).identity);
  ASSERT_TRUE(mm_.advise(kArea, 6 * kPage, MADV_DOFORK));
  EXPECT_EQ(mm_.find(kArea)->end, kArea + 2 * kPage) << "equal again, so one with its neighbour";
}

TEST_F(AddressSpaceTest, Wipe_on_fork_is_for_private_anonymous_memory) {
  ASSERT_TRUE(map_at(kArea, 1, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED));
  EXPECT_EQ(error_of(mm_.advise(kArea, kPage, MADV_WIPEONFORK)), EINVAL);
  EXPECT_EQ(error_of(mm_.advise(kArea, 2 * kPage, MADV_DONTFORK)), ENOMEM) << "a hole behind it";
}

/// A file of kernel memory in pieces of two pages, `pages` long.
class PiecesFile final : public MapObject {
 public:
  explicit PiecesFile(std::uint64_t count) : pages(count) {}
  Result<aspace::Backing> backing(std::uint64_t offset, std::uint64_t length, MapUse) override {
    const std::uint64_t page = offset / kPage;
    if (page >= pages) {
      return aspace::Backing{.kind = aspace::Backing::Kind::BeyondEnd, .length = length};
    }
    return aspace::Backing{.kind = aspace::Backing::Kind::KernelMemory,
                           .slot = 3,
                           .offset = offset,
                           .length = std::min(2 - page % 2, pages - page) * kPage};
  }
  std::uint64_t mapped_end() override { return pages * kPage; }
  std::uint64_t pages;
};

TEST_F(AddressSpaceTest, An_object_in_pieces_is_mapped_up_to_its_end) {
  const auto file = *make_ref<PiecesFile>(3U);
  MapRequest request;
  request.address = kArea;
  request.length = 5 * kPage;
  request.protection = PROT_READ | PROT_WRITE;
  request.flags = MAP_SHARED | MAP_FIXED;
  request.object = file;
  ASSERT_TRUE(mm_.map(request));
  EXPECT_EQ(hosted::pages().at(kArea + 2 * kPage).offset, 2 * kPage);
  EXPECT_EQ(hosted::pages().at(kArea + 3 * kPage).slot, hosted::kBeyondEnd);
  EXPECT_EQ(mm_.resolve_bus_error(kArea + 3 * kPage), FaultOutcome::BehindEnd);
  file->pages = 5;
  EXPECT_EQ(mm_.resolve_bus_error(kArea + 4 * kPage), FaultOutcome::Retry);
  EXPECT_EQ(hosted::pages().at(kArea + 4 * kPage).offset, 4 * kPage);
  EXPECT_EQ(hosted::pages().at(kArea + 3 * kPage).slot, hosted::kBeyondEnd);
}

TEST_F(AddressSpaceTest, What_lies_behind_the_end_of_a_cut_file_is_a_bus_error) {
  const auto file = *make_ref<PiecesFile>(5U);
  MapRequest request;
  request.address = kArea;
  request.length = 3 * kPage;
  request.protection = PROT_READ | PROT_WRITE;
  request.flags = MAP_SHARED | MAP_FIXED;
  request.object = file;
  request.offset = 2 * kPage;
  ASSERT_TRUE(mm_.map(request));
  file->pages = 3;
  mm_.mend_cut_files();
  EXPECT_EQ(hosted::pages().at(kArea + kPage).slot, 3) << "no file was cut, so far as it knows";
  mapped_file_was_cut();
  const auto child = *mm_.clone_for_fork(current().process->rlimits);
  mm_.mend_cut_files();
  EXPECT_EQ(hosted::pages().at(kArea).slot, 3);
  EXPECT_EQ(hosted::pages().at(kArea + kPage).slot, hosted::kBeyondEnd);
  EXPECT_EQ(hosted::pages().at(kArea + 2 * kPage).slot, hosted::kBeyondEnd);
  file->pages = 1;
  child->mend_cut_files();
  EXPECT_EQ(hosted::pages().at(kArea).slot, hosted::kBeyondEnd) << "a child has it to do too";
}

TEST_F(AddressSpaceTest, A_refusal_between_pieces_leaves_nothing_mapped) {
  ASSERT_TRUE(map_at(kArea, 4, PROT_READ));
  MapRequest request;
  request.address = kArea;
  request.length = 4 * kPage;
  request.protection = PROT_READ;
  request.flags = MAP_PRIVATE | MAP_FIXED;
  request.object = *make_ref<PiecesFile>(4U);
  hosted::fail_aspace_call(2, ENOMEM);
  EXPECT_EQ(error_of(mm_.map(request)), ENOMEM);
  EXPECT_EQ(error_of(mm_.find(kArea)), ENOMEM);
  EXPECT_TRUE(hosted::pages().empty());
  EXPECT_EQ(mm_.total_bytes(), 0U);
}

TEST_F(AddressSpaceTest, Growth_by_fault_stops_at_the_limit_and_the_gap) {
  current().process->rlimits[RLIMIT_STACK].soft = 1 * kMiB;
  ASSERT_TRUE(map_at(kArea, 4, PROT_READ | PROT_WRITE, kAnon | MAP_FIXED | MAP_GROWSDOWN));
  EXPECT_EQ(mm_.resolve_fault(kArea - 3 * kPage, PROT_WRITE), FaultOutcome::Retry);
  EXPECT_EQ(mm_.find(kArea - 3 * kPage)->end, kArea + 4 * kPage);
  EXPECT_TRUE(hosted::pages().contains(kArea - 3 * kPage));
  EXPECT_EQ(mm_.resolve_fault(kArea + 4 * kPage - kMiB, PROT_WRITE), FaultOutcome::Retry);
  EXPECT_EQ(mm_.resolve_fault(kArea + 3 * kPage - kMiB, PROT_WRITE), FaultOutcome::NotMapped);
  current().process->rlimits[RLIMIT_STACK].soft = ~0ULL;
  const UserAddress below = kArea - 4 * kMiB;
  ASSERT_TRUE(map_at(below, 1, PROT_READ));
  EXPECT_EQ(mm_.resolve_fault(below + kPage + kStackGuardGap, PROT_READ), FaultOutcome::Retry);
  EXPECT_EQ(mm_.resolve_fault(below + kStackGuardGap, PROT_READ), FaultOutcome::NotMapped);
}

TEST_F(AddressSpaceTest, Placement_keeps_the_gap_below_a_stack) {
  const UserAddress stack = abi::kUserMmapTop - kPage;
  ASSERT_TRUE(map_at(stack, 1, PROT_READ, kAnon | MAP_FIXED | MAP_GROWSDOWN));
  EXPECT_EQ(*map_at(0, 1, PROT_READ, kAnon), stack - kStackGuardGap - kPage);
  EXPECT_NE(*map_at(stack - kPage, 1, PROT_READ, kAnon), stack - kPage) << "a hint in the gap";
}

TEST_F(AddressSpaceTest, Protection_from_the_start_of_a_stack) {
  ASSERT_TRUE(map_at(kArea, 4, PROT_READ, kAnon | MAP_FIXED | MAP_GROWSDOWN));
  ASSERT_TRUE(mm_.protect(kArea + 3 * kPage, kPage, PROT_READ | PROT_WRITE | PROT_GROWSDOWN));
  EXPECT_EQ(mm_.find(kArea)->protection, std::uint32_t{PROT_READ | PROT_WRITE});
  ASSERT_TRUE(map_at(kArea + 8 * kPage, 1, PROT_READ));
  EXPECT_EQ(error_of(mm_.protect(kArea + 8 * kPage, kPage, PROT_READ | PROT_GROWSDOWN)), EINVAL);
}

TEST_F(AddressSpaceTest, Remap_moves_what_the_host_keeps_apart) {
  ASSERT_TRUE(map_at(kArea, 5, PROT_READ | PROT_WRITE));
  ASSERT_TRUE(map_at(kArea + 5 * kPage, 1, PROT_READ));
  const auto before = hosted::pages();
  hosted::cut_host_mapping(kArea + 3 * kPage);
  const UserAddress to = *mm_.remap({kArea, 5 * kPage, 7 * kPage, MREMAP_MAYMOVE, 0});
  hosted::cut_host_mapping(0);
  for (std::uint64_t page = 0; page < 5; ++page) {
    EXPECT_EQ(hosted::pages().at(to + page * kPage).identity,
              before.at(kArea + page * kPage).identity);
  }
  EXPECT_TRUE(hosted::pages().contains(to + 6 * kPage));
  EXPECT_FALSE(hosted::pages().contains(kArea + 4 * kPage));
}

TEST_F(AddressSpaceTest, Remap_knows_all_its_forms) {
  ASSERT_TRUE(map_at(kArea, 2, PROT_READ | PROT_WRITE));
  const std::uint64_t identity = hosted::pages().at(kArea).identity;
  constexpr int kKeep = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
  EXPECT_EQ(error_of(mm_.remap({kArea, 2 * kPage, kPage, kKeep, 0})), EINVAL);
  const UserAddress to = *mm_.remap({kArea, 2 * kPage, 2 * kPage, kKeep, 0});
  EXPECT_EQ(hosted::pages().at(to).identity, identity);
  EXPECT_NE(hosted::pages().at(kArea).identity, identity) << "fresh memory stays behind";
  EXPECT_TRUE(mm_.find(kArea));

  EXPECT_EQ(error_of(mm_.remap({kArea, 0, kPage, MREMAP_MAYMOVE, 0})), EINVAL) << "private";
  const UserAddress shared = *map_at(0, 2, PROT_READ, MAP_SHARED | MAP_ANONYMOUS);
  const UserAddress twin = *mm_.remap({shared, 0, 2 * kPage, MREMAP_MAYMOVE, 0});
  EXPECT_NE(twin, shared);
  EXPECT_EQ(hosted::pages().at(twin).offset, hosted::pages().at(shared).offset);

  ASSERT_TRUE(map_at(kArea + 2 * kPage, 1, PROT_READ));
  EXPECT_EQ(error_of(mm_.remap({kArea, 3 * kPage, 4 * kPage, MREMAP_MAYMOVE, 0})), EFAULT);
  EXPECT_EQ(*mm_.remap({kArea, 3 * kPage, kPage, 0, 0}), kArea) << "shrinking spans mappings";
  EXPECT_EQ(error_of(mm_.find(kArea + 2 * kPage)), ENOMEM);
}

TEST_F(AddressSpaceTest, Locked_memory_is_counted_and_limited) {
  ASSERT_TRUE(map_at(kArea, 4, PROT_READ | PROT_WRITE));
  ASSERT_TRUE(mm_.lock_range(kArea, 2 * kPage, 3 * kPage, true));
  ASSERT_TRUE(mm_.lock_range(kArea + kPage, 2 * kPage, 3 * kPage, true)) << "one page is new";
  EXPECT_EQ(mm_.locked_bytes(), 3 * kPage);
  EXPECT_EQ(error_of(mm_.lock_range(kArea + 3 * kPage, kPage, 3 * kPage, true)), ENOMEM);
  EXPECT_EQ(error_of(mm_.advise(kArea, kPage, MADV_DONTNEED)), EINVAL);
  ASSERT_TRUE(mm_.unlock_range(kArea, 4 * kPage));
  EXPECT_EQ(mm_.locked_bytes(), 0U);
  mm_.lock_future(true, 2 * kPage);
  EXPECT_EQ(map_error(0, 3 * kPage, kAnon), EAGAIN);
  EXPECT_EQ(map_error(0, 2 * kPage, kAnon), 0);
  EXPECT_EQ(mm_.locked_bytes(), 2 * kPage);
}

TEST_F(AddressSpaceTest, Mappings_are_listed_in_order_with_their_names) {
  mm_.set_heap_start(kArea);
  ASSERT_EQ(mm_.set_break(kArea + kPage), kArea + kPage);
  ASSERT_TRUE(map_at(kArea + 4 * kPage, 1, PROT_READ));
  const auto heap = *mm_.next_mapping(0);
  EXPECT_EQ(heap.start, kArea);
  EXPECT_EQ(heap.name, MappingName::Heap);
  const auto next = *mm_.next_mapping(heap.end);
  EXPECT_EQ(next.start, kArea + 4 * kPage);
  EXPECT_EQ(next.name, MappingName::None);
  EXPECT_TRUE(next.object == nullptr);
  EXPECT_EQ(error_of(mm_.next_mapping(next.end)), ENOENT);
}

/// Random calls against a model of single pages: protection, and which file page.
struct ModelPage {
  std::uint32_t protection;
  bool file;
  std::uint64_t offset;
};

class Shadow {
 public:
  explicit Shadow(unsigned seed) : random_(seed) {}
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  std::uint32_t protection() {
    constexpr std::array<std::uint32_t, 3> kChoices{PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    return kChoices[below(3)];
  }
  std::map<UserAddress, ModelPage> pages;

 private:
  std::mt19937_64 random_;
};

class RandomOperations : public AddressSpaceTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  static constexpr std::uint64_t kPages = 48;

  void step(Shadow& shadow) {
    const UserAddress start = kArea + shadow.below(kPages) * kPage;
    const std::uint64_t length = (1 + shadow.below(8)) * kPage;
    switch (shadow.below(4)) {
      case 0:
        map(shadow, start, length, false);
        break;
      case 1:
        map(shadow, start, length, true);
        break;
      case 2:
        ASSERT_TRUE(mm_.unmap(start, length));
        shadow.pages.erase(shadow.pages.lower_bound(start),
                           shadow.pages.lower_bound(start + length));
        break;
      default:
        protect(shadow, start, length);
        break;
    }
  }

  void map(Shadow& shadow, UserAddress start, std::uint64_t length, bool file) {
    MapRequest request;
    request.address = start;
    request.length = length;
    request.protection = shadow.protection();
    request.flags = MAP_PRIVATE | MAP_FIXED;
    if (file) {
      request.object = file_;
      request.offset = start - kArea;  // so that neighbours merge now and then
    }
    ASSERT_EQ(*mm_.map(request), start);
    for (UserAddress at = start; at < start + length; at += kPage) {
      shadow.pages[at] = {request.protection, file, at - kArea};
    }
  }

  void protect(Shadow& shadow, UserAddress start, std::uint64_t length) {
    const std::uint32_t wanted = shadow.protection();
    UserAddress at = start;
    for (; at < start + length && shadow.pages.contains(at); at += kPage) {
      shadow.pages[at].protection = wanted;
    }
    EXPECT_EQ(error_of(mm_.protect(start, length, wanted)), at < start + length ? ENOMEM : 0);
  }

  void compare(const Shadow& shadow) {
    ASSERT_EQ(hosted::pages().size(), shadow.pages.size());
    ASSERT_EQ(mm_.total_bytes(), shadow.pages.size() * kPage);
    for (const auto& [at, page] : shadow.pages) {
      const auto found = mm_.find(at);
      ASSERT_TRUE(found) << std::hex << at;
      ASSERT_EQ(found->protection, page.protection);
      ASSERT_EQ(hosted::pages().at(at).protection, page.protection);
      ASSERT_EQ(hosted::pages().at(at).slot, page.file ? 70 : -1);
      ASSERT_EQ(hosted::pages().at(at).offset, page.file ? page.offset : 0);
    }
  }

  Ref<MapObject> file_ = *make_ref<FakeFile>();
};

TEST_P(RandomOperations, Agree_with_a_model_of_pages) {
  Shadow shadow(GetParam());
  for (int i = 0; i < 400; ++i) {
    step(shadow);
    if (HasFatalFailure()) {
      return;
    }
    compare(shadow);
    if (HasFatalFailure()) {
      return;
    }
  }
  // Equal neighbours are one mapping: the whole range again as one gives one.
  ASSERT_TRUE(map_at(kArea, kPages + 8, PROT_READ));
  EXPECT_EQ(mm_.find(kArea)->end, kArea + (kPages + 8) * kPage);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOperations, ::testing::Range(1U, 9U));

}  // namespace
}  // namespace runhl::kernel
