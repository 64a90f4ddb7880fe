// SPDX-License-Identifier: Apache-2.0
// Names of a granted tree: the cache answers, then the host, and the cache learns.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "fs/hostfs/host_node.h"
#include "fs/hostfs/name_cache.h"
#include "fs/hostfs/request.h"
#include "proc/task.h"

namespace runhl::kernel {
using hostfs::call_with_path;
using hostfs::failed_with;
using hostfs::reply_attributes;
using hostfs::send;

/// What a walk or open along `at` told; `all`: with the attributes of every component.
void HostNode::learn(NameCache::Stamp stamp, const PathSpec& at, const HostRequest& request,
                     const Result<std::int64_t>& result, bool all) {
  NameCache& cache = *tree_.cache;
  const bool stopped = failed_with(result, ELOOP) && at.stop != nullptr && at.stop->hit;
  const bool missing = failed_with(result, ENOENT);
  if (all) {
    NameCache::Walked walked{.path = at.path, .attrs = reply_attributes(request)};
    if (missing || stopped) {
      walked.end = missing ? NameCache::WalkEnd::Missing : NameCache::WalkEnd::Link;
    }
    cache.learn_walk(stamp, *inode_, walked, search_identity(current().credentials));
  } else if (result || missing) {
    cache.learn_last(stamp, *inode_, at.path, result ? &request.slot().reply.attr : nullptr);
  }
  if (stopped) {
    cache.learn_link(stamp, *inode_, at.path.substr(0, at.stop->end), at.stop->text());
  }
}

/// The program stats what it has listed: the next ones' attributes come in the same trip.
bool HostNode::look_up_together(const PathSpec& at) {
  const NameCache::Stamp stamp = tree_.cache->stamp();
  const std::size_t slash = at.path.rfind('/');
  const std::string_view directory =
      slash == std::string_view::npos ? std::string_view() : at.path.substr(0, slash);
  Result<HostRequest> request =
      start(abi::HostOp::Lookup, {.path = directory, .follow = false, .stop = nullptr});
  if (!request) {
    return false;
  }
  // SAFETY: bytes as characters, in front of where the answer goes.
  const std::span<char> room(reinterpret_cast<char*>(request->bounce().data()) + directory.size(),
                             abi::kMaxPath - 1);
  const std::size_t count = tree_.cache->collect(*inode_, at.path, room);
  if (count < 2) {
    return false;
  }
  std::size_t used = 0;
  for (std::size_t i = 0; i < count; ++i) {
    used += std::string_view(room.data() + used).size() + 1;
  }
  request->slot().length = count;
  request->slot().path2_length = static_cast<std::uint32_t>(used);
  if (!send(*request)) {
    return false;
  }
  tree_.cache->learn_lookup(stamp, *inode_, at.path, room.first(used),
                            reply_attributes(*request).first(
                                std::min<std::size_t>(count, reply_attributes(*request).size())));
  return true;
}

Result<abi::FileAttr> HostNode::walk(const PathSpec& at) {
  bool all = false;
  NameCache::Stamp stamp = 0;
  if (cached() != nullptr) {
    const std::uint64_t identity = search_identity(current().credentials);
    NameCache::Found found = tree_.cache->find(*inode_, at, identity);
    if (found.listed && found.answer == NameCache::Answer::Unknown && look_up_together(at)) {
      found = tree_.cache->find(*inode_, at, identity);
    }
    switch (found.answer) {
      case NameCache::Answer::Attributes:
        return found.attr;
      case NameCache::Answer::Missing:
        return fail(ENOENT);
      case NameCache::Answer::Link:
        return fail(ELOOP);
      case NameCache::Answer::Unknown:
        break;
    }
    all = !found.parents_known;
    stamp = tree_.cache->stamp();
  }
  HostRequest request = TRY(start(abi::HostOp::Walk, at));
  request.slot().flags |= all ? abi::kAllAttributes : 0;
  const Result<std::int64_t> result = call_with_path(request, at);
  if (inode_ != nullptr) {
    learn(stamp, at, request, result, all);
  }
  TRY(Result<std::int64_t>(result));
  return request.slot().reply.attr;
}

/// What is known without the host: the target of a link, or that there is none. Programs that make
/// a path real ask each directory on it.
std::optional<Result<std::size_t>> HostNode::read_known_link(const PathSpec& at,
                                                             std::span<char> target) {
  PathSpec through = at;
  through.follow = true;
  const auto found = tree_.cache->find(*inode_, through, search_identity(current().credentials));
  if (found.answer == NameCache::Answer::Link && at.stop->end < at.path.size()) {
    return fail(ELOOP);
  }
  if (found.answer == NameCache::Answer::Link) {
    at.stop->hit = false;  // it is the one that was asked for
    const std::string_view text = at.stop->text().substr(0, target.size());
    std::memcpy(target.data(), text.data(), text.size());
    return text.size();
  }
  // A walk tells more than a refusal would: the next question is answered without a trip.
  const Result<abi::FileAttr> attr = walk(at);
  if (!attr) {
    return tl::unexpected(attr.error());
  }
  return S_ISLNK(attr->mode) ? std::nullopt : std::optional<Result<std::size_t>>(fail(EINVAL));
}

Result<std::size_t> HostNode::read_link(const PathSpec& at, std::span<char> target) {
  PathSpec link = at;
  link.follow = false;
  NameCache::Stamp stamp = 0;
  if (at.stop != nullptr && !at.path.empty() && cached() != nullptr) {
    if (const auto known = read_known_link(link, target)) {
      return *known;
    }
    stamp = tree_.cache->stamp();
  }
  HostRequest request = TRY(start(abi::HostOp::ReadLink, link));
  const std::size_t length = static_cast<std::size_t>(TRY(call_with_path(request, link)));
  const std::size_t bytes = std::min({length, target.size(), std::size_t{abi::kBounceSize}});
  std::memcpy(target.data(), request.bounce().data(), bytes);
  if (inode_ != nullptr && !at.path.empty() && bytes < target.size()) {
    tree_.cache->learn_link(stamp, *inode_, at.path, {target.data(), bytes});
  }
  return bytes;
}

namespace {

/// EIO unless the monitor's records lie one behind the other within their bytes.
Result<void> check_records(std::span<const std::byte> records) {
  for (std::size_t at = 0; at < records.size();) {
    abi::DirRecord record;
    if (records.size() - at < sizeof record) {
      return fail(EIO);
    }
    std::memcpy(&record, records.data() + at, sizeof record);
    if (record.record_length < sizeof record + record.name_length ||
        record.record_length > records.size() - at) {
      return fail(EIO);
    }
    at += record.record_length;
  }
  return {};
}

/// False: the sink is full.
bool give_records(std::span<const std::byte> records, std::uint64_t& cookie, DirSink& sink) {
  for (std::size_t at = 0; at < records.size();) {
    abi::DirRecord record;
    std::memcpy(&record, records.data() + at, sizeof record);
    // SAFETY: check_records() has bounded the name.
    const std::string_view name(reinterpret_cast<const char*>(&records[at + sizeof record]),
                                record.name_length);
    if (name != "." && name != ".." && !sink.add(name, record.inode, record.cookie, record.type)) {
      return false;
    }
    cookie = record.cookie;
    at += record.record_length;
  }
  return true;
}

}  // namespace

Result<EndOfDirectory> HostNode::read_directory(std::uint64_t& cookie, DirSink& sink) {
  CachedInode* const inode = cached();
  const NameCache::Stamp stamp = inode != nullptr ? tree_.cache->stamp() : 0;
  HostRequest request = TRY(start(abi::HostOp::ReadDir));
  request.slot().offset = cookie;
  request.slot().length = std::min<std::uint64_t>(sink.capacity(), abi::kBounceSize);
  const std::size_t bytes =
      std::min(static_cast<std::size_t>(TRY(send(request))), std::size_t{abi::kBounceSize});
  const abi::RequestReply& reply = request.slot().reply;
  const std::span<const std::byte> records = request.bounce().first(bytes);
  TRY(check_records(records));
  const bool at_end = reply.count != 0;
  if (inode != nullptr) {
    tree_.cache->learn_listing(stamp, *inode,
                               {.offset = cookie,
                                .next = reply.cookie,
                                .directory = cookie == 0 ? &reply.attr : nullptr,
                                .at_end = at_end},
                               records);
  }
  const bool all = give_records(records, cookie, sink);
  return all && (at_end || bytes == 0) ? EndOfDirectory::Yes : EndOfDirectory::No;
}

}  // namespace runhl::kernel
