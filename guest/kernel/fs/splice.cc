// SPDX-License-Identifier: Apache-2.0
#include "fs/splice.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "mm/heap.h"

namespace runhl::kernel {
namespace {

constexpr std::size_t kChunk = std::size_t{64} * 1024;

/// Kernel memory for one call.
class Scratch {
 public:
  static Result<Owned<Scratch>> create(std::size_t size) {
    Owned<Scratch> scratch = TRY(make<Scratch>());
    scratch->data_ = static_cast<std::byte*>(heap_allocate(size));
    if (scratch->data_ == nullptr) {
      return fail(ENOMEM);
    }
    scratch->size_ = size;
    return scratch;
  }
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (data_ != nullptr) {
      heap_free(data_, size_);
    }
  }
  [[nodiscard]] std::span<std::byte> bytes() const { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

Result<std::size_t> partial(std::size_t done, Errno error) {
  return done != 0 ? Result<std::size_t>(done) : tl::unexpected(error);
}

/// Puts bytes into the pipe, page by page; waits if others filled it meanwhile. How many went in.
std::size_t push_bytes(Pipe& to, std::span<const std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    Result<Ref<PipePage>> page = PipePage::create();
    if (!page) {
      break;
    }
    const std::size_t part = std::min(bytes.size() - done, kPipePageSize);
    std::memcpy((*page)->data(), bytes.data() + done, part);
    const PipeBuffer buffer{
        .page = std::move(*page), .offset = 0, .length = static_cast<std::uint32_t>(part)};
    while (!to.push(buffer)) {
      if (!to.wait_writable(Blocking::Yes)) {
        return done;
      }
    }
    done += part;
  }
  return done;
}

}  // namespace

Result<std::size_t> SpliceFile::read(IoBuffer& buffer) {
  if (own_position) {
    return file.read(buffer);
  }
  const std::size_t done = TRY(file.read_at(buffer, offset));
  offset += moves ? done : 0;
  return done;
}

Result<std::size_t> SpliceFile::write(IoBuffer& buffer) {
  if (own_position) {
    return file.write(buffer);
  }
  const std::size_t done = TRY(file.write_at(buffer, offset));
  offset += moves ? done : 0;
  return done;
}

void SpliceFile::rewind(std::size_t size) {
  if (!own_position) {
    offset -= moves ? size : 0;
  } else if (size != 0) {
    (void)file.seek(-static_cast<std::int64_t>(size), SEEK_CUR);  // streams cannot: lost
  }
}

Result<std::size_t> splice_from_pipe(Pipe& from, SpliceFile& to, std::size_t size,
                                     Blocking blocking) {
  std::size_t done = 0;
  while (done < size) {
    const PipeBuffer taken = from.begin_take();
    if (taken.page == nullptr) {
      if (done != 0) {
        break;
      }
      if (!TRY(from.wait_readable(blocking))) {
        return 0;
      }
      continue;
    }
    const std::size_t part = std::min<std::size_t>(taken.length, size - done);
    IoBuffer bytes{std::span<std::byte>(taken.page->data() + taken.offset, part)};
    const Result<std::size_t> put = to.write(bytes);
    from.end_take(put ? *put : 0);
    if (!put) {
      return partial(done, put.error());
    }
    done += *put;
    if (*put < part) {
      break;
    }
  }
  return done;
}

Result<std::size_t> splice_to_pipe(SpliceFile& from, Pipe& to, std::size_t size,
                                   Blocking blocking) {
  TRY(to.wait_writable(blocking));
  const std::size_t room = std::max(to.free_slots(), std::size_t{1}) * kPipePageSize;
  const Owned<Scratch> scratch = TRY(Scratch::create(std::min({size, room, kChunk})));
  IoBuffer bytes{scratch->bytes()};
  const std::size_t got = TRY(from.read(bytes));
  const std::size_t done = push_bytes(to, scratch->bytes().first(got));
  from.rewind(got - done);
  return done == 0 && got != 0 ? Result<std::size_t>(fail(EPIPE)) : done;
}

Result<std::size_t> splice_pipes(Pipe& from, Pipe& to, std::size_t size, Blocking blocking,
                                 Pipe::Leave leave) {
  for (;;) {
    if (!TRY(from.wait_readable(blocking))) {
      const Result<void> room = to.wait_writable(Blocking::No);  // EPIPE even with nothing to give
      return !room && to_int(room.error()) == EPIPE ? fail(EPIPE) : Result<std::size_t>(0);
    }
    TRY(to.wait_writable(blocking));
    const std::size_t done = from.transfer(to, size, leave);
    if (done != 0 || blocking == Blocking::No) {
      return done != 0 ? Result<std::size_t>(done) : fail(EAGAIN);
    }
  }
}

Result<std::size_t> splice_from_memory(IoBuffer& from, UserAddress start, Pipe& to,
                                       Blocking blocking) {
  TRY(to.wait_writable(blocking));
  std::size_t done = 0;
  // As if the program's pages went in: one buffer for each of them.
  std::size_t in_page = start % kPipePageSize;
  while (!from.full() && to.free_slots() != 0) {
    Ref<PipePage> page = TRY(PipePage::create());
    const std::size_t part = std::min(from.remaining(), kPipePageSize - in_page);
    const Result<std::size_t> moved = from.take(page->data(), part);
    if (!moved || *moved == 0) {
      return moved ? Result<std::size_t>(done) : partial(done, moved.error());
    }
    if (!to.push(
            {.page = std::move(page), .offset = 0, .length = static_cast<std::uint32_t>(*moved)})) {
      break;
    }
    done += *moved;
    in_page = 0;
  }
  return done;
}

}  // namespace runhl::kernel
