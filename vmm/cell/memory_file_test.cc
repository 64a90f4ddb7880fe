// SPDX-License-Identifier: Apache-2.0
#include "cell/memory_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "runhl/abi/layout.h"
#include "runhl/core/units.h"

namespace runhl::vmm::cell {
namespace {

TEST(MonitorArea, Cannot_be_written_through_what_the_cell_gets) {
  const auto area = make_monitor_area(5000);
  ASSERT_TRUE(area) << area.error().message;
  EXPECT_EQ(area->size, 2 * kPageSize);
  area->page().version = 7;  // ours stays writable
  const int fd = area->file.get();
  void* const place = ::mmap(nullptr, area->size, PROT_READ, MAP_SHARED, fd, 0);
  ASSERT_NE(place, MAP_FAILED);
  const Mapping mapping({static_cast<std::byte*>(place), area->size});
  EXPECT_EQ(static_cast<const abi::MonitorPage*>(place)->version, 7U);
  area->page().version = 8;  // and is seen
  EXPECT_EQ(static_cast<const abi::MonitorPage*>(place)->version, 8U);
  EXPECT_EQ(::mprotect(place, area->size, PROT_READ | PROT_WRITE), -1);
  EXPECT_EQ(errno, EACCES);
  EXPECT_EQ(::mmap(nullptr, area->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  void* const moved = ::mremap(place, kPageSize, kPageSize, MREMAP_MAYMOVE);
  ASSERT_NE(moved, MAP_FAILED);
  EXPECT_EQ(::mprotect(moved, kPageSize, PROT_READ | PROT_WRITE), -1);
  EXPECT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPageSize), -1);
  EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, 0), -1);
  EXPECT_EQ(::ftruncate(fd, 0), -1);
  const char byte = 0;
  EXPECT_EQ(::pwrite(fd, &byte, 1, 0), -1);
}

TEST(KernelMemory, Starts_with_the_images_data_and_keeps_its_size) {
  constexpr std::array<std::byte, 3> kData{std::byte{1}, std::byte{2}, std::byte{3}};
  KernelImage image;
  image.data = kData;
  const auto fd = make_kernel_memory(image, 4 * kMiB);
  ASSERT_TRUE(fd) << fd.error().message;
  std::array<std::byte, 4> read{};
  ASSERT_EQ(::pread(fd->get(), read.data(), read.size(), 0), 4);
  EXPECT_EQ(read[2], std::byte{3});
  EXPECT_EQ(read[3], std::byte{0});
  const off_t size = ::lseek(fd->get(), 0, SEEK_END);
  EXPECT_EQ(static_cast<std::uint64_t>(size), abi::memfd_offset(abi::kKernelHeap) + 4 * kMiB);
  EXPECT_EQ(::ftruncate(fd->get(), 0), -1);
  EXPECT_EQ(::ftruncate(fd->get(), size + 1), -1);
}

}  // namespace
}  // namespace runhl::vmm::cell
