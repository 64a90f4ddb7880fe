// SPDX-License-Identifier: Apache-2.0
#include "cell/file_pool.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runhl/base/unique_fd.h"

namespace runhl::vmm::cell {
namespace {

/// One tree with the file "file", which says "hello".
class FilePoolTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "runhl-pool-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    std::ofstream(top_ + "/file") << "hello";
    void* const place = ::mmap(nullptr, abi::kHostCallMappedSize, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT_NE(place, MAP_FAILED);
    mapping_ = Mapping({static_cast<std::byte*>(place), abi::kHostCallMappedSize});
    area_ = HostCallArea(mapping_.bytes());
    doorbell_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    std::vector<GrantedTree> trees(1);
    trees[0].root = UniqueFd{::open(top_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    Ceiling ceiling;
    ceiling.uid = ::getuid();
    ceiling.gid = ::getgid();
    auto files = fs::FileService::create(std::move(trees), ceiling);
    ASSERT_TRUE(files.has_value());
    files_ = std::move(*files);
    pool_.emplace(area_, files_, doorbell_.get());
  }
  void TearDown() override { std::filesystem::remove_all(top_); }

  abi::RequestSlot& fill(std::uint32_t index, abi::HostOp op, std::string_view path) {
    abi::RequestSlot& slot = area_.slot(index);
    slot = {};
    slot.op = op;
    slot.slot = -1;
    slot.path_length = static_cast<std::uint32_t>(path.size());
    slot.credentials.uid = ::getuid();
    slot.credentials.gid = ::getgid();
    std::memcpy(area_.bounce(index).data(), path.data(), path.size());
    return slot;
  }
  /// Waits for `count` answers.
  std::vector<FilePool::Done> answers(std::size_t count) {
    std::vector<FilePool::Done> all;
    while (all.size() < count) {
      pollfd bell{doorbell_.get(), POLLIN, 0};
      if (::poll(&bell, 1, 10'000) != 1) {
        ADD_FAILURE() << "no answer";
        break;
      }
      std::uint64_t rung = 0;
      EXPECT_EQ(::read(doorbell_.get(), &rung, sizeof(rung)), static_cast<ssize_t>(sizeof(rung)));
      for (const FilePool::Done& done : pool_->take_done()) {
        all.push_back(done);
      }
    }
    return all;
  }

  std::string top_;
  Mapping mapping_;
  HostCallArea area_;
  UniqueFd doorbell_;
  std::shared_ptr<fs::FileService> files_;
  std::optional<FilePool> pool_;
};

TEST_F(FilePoolTest, Answers_in_the_slot_and_by_a_completion) {
  fill(5, abi::HostOp::Open, "file");
  ASSERT_EQ(pool_->post({.ring = 1, .tag = 77, .slot = 5}), 0);
  const auto done = answers(1);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].ring, 1U);
  EXPECT_EQ(done[0].tag, 77U);
  EXPECT_GT(done[0].result, 0);
  EXPECT_EQ(area_.slot(5).reply.result, done[0].result);
  EXPECT_EQ(area_.slot(5).reply.attr.size, 5U);
}

TEST_F(FilePoolTest, Every_slot_at_once_is_answered_once) {
  for (std::uint32_t index = 0; index < abi::kRequestSlotCount; ++index) {
    fill(index, abi::HostOp::Walk, index % 2 == 0 ? "file" : "none");
    ASSERT_EQ(pool_->post({.ring = 0, .tag = index, .slot = index}), 0);
  }
  std::set<std::uint32_t> tags;
  for (const FilePool::Done& done : answers(abi::kRequestSlotCount)) {
    EXPECT_EQ(done.result, done.tag % 2 == 0 ? 0 : -ENOENT);
    EXPECT_TRUE(tags.insert(done.tag).second);
  }
  EXPECT_EQ(tags.size(), abi::kRequestSlotCount);
}

TEST_F(FilePoolTest, Nothing_is_injected) {
  fill(0, abi::HostOp::Open, "file").slot = abi::kFdInjectedFirst;
  ASSERT_EQ(pool_->post({0, 1, 0}), 0);
  const auto handle = answers(1).at(0).result;
  ASSERT_GT(handle, 0);
  abi::RequestSlot& inject = fill(0, abi::HostOp::Inject, "");
  inject.handle = handle;
  inject.slot = abi::kFdInjectedFirst;
  ASSERT_EQ(pool_->post({0, 2, 0}), 0);
  EXPECT_EQ(answers(1).at(0).result, -ENODEV);
}

TEST_F(FilePoolTest, Two_who_read_one_directory_see_all_of_it) {
  for (int i = 0; i < 100; ++i) {
    std::ofstream(top_ + "/entry" + std::to_string(i)) << i;
  }
  fill(0, abi::HostOp::Open, "").flags = O_RDONLY | O_DIRECTORY;
  ASSERT_EQ(pool_->post({0, 0, 0}), 0);
  const auto handle = answers(1).at(0).result;
  ASSERT_GT(handle, 0);
  for (int round = 0; round < 50; ++round) {
    for (std::uint32_t index = 0; index < 8; ++index) {
      abi::RequestSlot& slot = fill(index, abi::HostOp::ReadDir, "");
      slot.handle = handle;
      slot.length = abi::kBounceSize;
      ASSERT_EQ(pool_->post({0, index, index}), 0);
    }
    const auto all = answers(8);
    for (const FilePool::Done& done : all) {
      EXPECT_EQ(done.result, all[0].result);
      EXPECT_GT(done.result, 100 * static_cast<int>(sizeof(abi::DirRecord)));
    }
  }
}

TEST_F(FilePoolTest, A_handle_that_another_closes_lives_until_its_reader_is_done) {
  for (int round = 0; round < 200; ++round) {
    fill(0, abi::HostOp::Open, "file");
    ASSERT_EQ(pool_->post({0, 0, 0}), 0);
    const auto handle = answers(1).at(0).result;
    ASSERT_GT(handle, 0);
    abi::RequestSlot& read = fill(1, abi::HostOp::Read, "");
    read.handle = handle;
    read.length = 10;
    fill(2, abi::HostOp::Close, "").handle = handle;
    ASSERT_EQ(pool_->post({0, 1, 1}), 0);
    ASSERT_EQ(pool_->post({0, 2, 2}), 0);
    for (const FilePool::Done& done : answers(2)) {
      EXPECT_TRUE(done.tag == 2 ? done.result == 0 : done.result == 5 || done.result == -EBADF)
          << done.tag << ": " << done.result;
    }
  }
  EXPECT_EQ(files_->open_handles(), 0U);
}

TEST_F(FilePoolTest, Stopped_it_says_nothing_more) {
  for (std::uint32_t index = 0; index < abi::kRequestSlotCount; ++index) {
    fill(index, abi::HostOp::Walk, "file");
    ASSERT_EQ(pool_->post({0, index, index}), 0);
  }
  EXPECT_TRUE(pool_->stop());
  (void)pool_->take_done();
  EXPECT_TRUE(pool_->take_done().empty());
  EXPECT_TRUE(pool_->stop()) << "once more";
  EXPECT_EQ(pool_->post({0, 0, 0}), -EAGAIN);
  EXPECT_EQ(files_.use_count(), 1) << "a thread still has the files";
}

}  // namespace
}  // namespace runhl::vmm::cell
