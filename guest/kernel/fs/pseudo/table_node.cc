// SPDX-License-Identifier: Apache-2.0
#include "fs/pseudo/table_node.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "fs/permission.h"
#include "fs/pseudo/text_file.h"
#include "sched/scheduler.h"

namespace runhl::kernel {
namespace {

/// One name of a row's path below a directory.
struct Step {
  std::string_view name;   // "cpu#"
  std::string_view whole;  // the path up to its end
  bool last = false;       // the row itself
};

bool step_below(std::string_view path, std::string_view prefix, Step& step) {
  if (path.size() <= prefix.size() || !path.starts_with(prefix)) {
    return false;
  }
  const std::size_t end = std::min(path.find('/', prefix.size()), path.size());
  step = {.name = path.substr(prefix.size(), end - prefix.size()),
          .whole = path.substr(0, end),
          .last = end == path.size()};
  return true;
}

/// "cpu3" against "cpu#"; the number, if there is one, goes to `number`.
bool matches(std::string_view pattern, std::string_view name, std::uint32_t& number) {
  const std::size_t hash = pattern.find('#');
  if (hash == std::string_view::npos) {
    return pattern == name;
  }
  if (!name.starts_with(pattern.substr(0, hash))) {
    return false;
  }
  const Result<std::uint32_t> index = parse_index(name.substr(hash));
  if (!index || *index >= vcpu_count()) {
    return false;
  }
  number = *index;
  return true;
}

std::uint64_t mix(std::uint64_t value) {
  // The finaliser of SplitMix64: neighbours get unlike numbers.
  value = (value ^ value >> 30) * 0xbf58'476d'1ce4'e5b9;
  value = (value ^ value >> 27) * 0x94d0'49bb'1331'11eb;
  return value ^ value >> 31;
}

}  // namespace

bool TableNode::is_directory() const {
  return subject_.row == nullptr || S_ISDIR(subject_.row->mode);
}

/// A number of 31 bits that depends on what the node is, not on when it was looked up. The root of
/// the whole system is 1.
std::uint64_t TableNode::inode_of(const Subject& subject, std::string_view name) const {
  if (name.empty() && subject.pid == 0) {
    return 1;
  }
  std::uint64_t hash = mix(static_cast<std::uint32_t>(subject.pid)) ^
                       mix(1'000'003ULL * static_cast<std::uint32_t>(subject.tid) + subject.number);
  for (const char c : name) {
    hash = mix(hash ^ static_cast<unsigned char>(c));
  }
  return (hash & 0x7fff'ffff) | 0x4000'0000;
}

std::uint32_t TableNode::count_directories() const {
  std::uint32_t count = 0;
  std::string_view previous;
  for (const TableRow& row : table_.rows) {
    Step step;
    if (step_below(row.path, prefix_, step) && step.whole != previous) {
      previous = step.whole;
      count += !step.last || S_ISDIR(row.mode) ? 1 : 0;
    }
  }
  return count;
}

abi::FileAttr TableNode::describe() {
  abi::FileAttr attr{};
  attr.mode = subject_.row != nullptr ? subject_.row->mode : S_IFDIR | 0555U;
  attr.inode =
      inode_of(subject_, subject_.row != nullptr && !is_directory() ? subject_.row->path : prefix_);
  if (is_directory()) {
    attr.links = 2 + count_directories();
  }
  if (table_.owner != nullptr) {
    const OwnerChange owner = table_.owner(subject_, attr.mode);
    attr.uid = owner.uid;
    attr.gid = owner.gid;
  }
  return attr;
}

Result<void> TableNode::permit(std::uint32_t access) {
  if (table_.strict && (access & kAccessWrite) != 0 && !is_directory() &&
      subject_.row->store == nullptr) {
    return fail(EACCES);
  }
  return PseudoNode::permit(access);
}

Result<Ref<PseudoNode>> TableNode::child(std::string_view name) {
  if (!is_directory()) {
    return fail(ENOTDIR);
  }
  if (table_.check != nullptr) {
    TRY(table_.check(subject_));
  }
  for (const TableRow& row : table_.rows) {
    Step step;
    Subject subject = subject_;
    if (!step_below(row.path, prefix_, step) || !matches(step.name, name, subject.number)) {
      continue;
    }
    subject.row = &row;
    if (row.present != nullptr && !row.present(subject)) {
      continue;
    }
    if (!step.last) {
      subject.row = nullptr;
    }
    if (step.last && row.make != nullptr) {
      return row.make(system(), subject);
    }
    const std::string_view prefix = row.path.substr(0, step.whole.size() + (step.last ? 0 : 1));
    return Ref<PseudoNode>(TRY(make_ref<TableNode>(system(), table_, prefix, subject)));
  }
  return fail(ENOENT);
}

Result<EndOfDirectory> TableNode::read_directory(std::uint64_t& cookie, DirSink& sink) {
  if (!is_directory()) {
    return fail(ENOTDIR);
  }
  if (table_.check != nullptr) {
    TRY(table_.check(subject_));
  }
  // A cookie is the number of names given so far.
  std::uint64_t index = 0;
  std::string_view previous;
  for (const TableRow& row : table_.rows) {
    Step step;
    if (!step_below(row.path, prefix_, step) || step.whole == previous) {
      continue;
    }
    previous = step.whole;
    const std::size_t hash = step.name.find('#');
    const std::uint32_t copies = hash == std::string_view::npos ? 1 : vcpu_count();
    const std::uint32_t mode = step.last ? row.mode : std::uint32_t{S_IFDIR};
    for (std::uint32_t i = 0; i < copies; ++i) {
      if (++index <= cookie) {
        continue;
      }
      TextWriter name;
      name.add(step.name.substr(0, hash));
      Subject subject = subject_;
      subject.row = &row;
      if (hash != std::string_view::npos) {
        name.add(i);
        subject.number = i;
      }
      if (row.present != nullptr && !row.present(subject)) {
        cookie = index;
        continue;
      }
      if (!sink.add(name.view(), inode_of(subject, step.whole), index,
                    static_cast<std::uint8_t>((mode & S_IFMT) >> 12))) {
        return EndOfDirectory::No;
      }
      cookie = index;
    }
  }
  return EndOfDirectory::Yes;
}

Result<void> TableNode::show(TextWriter& out) const {
  if (table_.check != nullptr) {
    TRY(table_.check(subject_));
  }
  if (subject_.row == nullptr || subject_.row->show == nullptr) {
    return fail(EINVAL);
  }
  TRY(subject_.row->show(out, subject_));
  return out.failed() ? fail(ENOMEM) : Result<void>{};
}

Result<void> TableNode::store(std::string_view text) const {
  if (table_.check != nullptr) {
    TRY(table_.check(subject_));
  }
  if (subject_.row == nullptr || subject_.row->store == nullptr) {
    return fail(EIO);
  }
  return subject_.row->store(text, subject_);
}

Result<std::size_t> TableNode::link_text(std::span<char> text) {
  if (is_directory() || !S_ISLNK(subject_.row->mode)) {
    return fail(EINVAL);
  }
  TextWriter out;
  TRY(show(out));
  const std::size_t size = std::min(out.view().size(), text.size());
  std::memcpy(text.data(), out.view().data(), size);
  return size;
}

Result<bool> TableNode::jump(LinkStop& stop) {
  if (subject_.row == nullptr || subject_.row->jump == nullptr) {
    return false;
  }
  if (table_.check != nullptr) {
    TRY(table_.check(subject_));
  }
  TRY(subject_.row->jump(stop, subject_));
  return true;
}

Result<Ref<File>> TableNode::make_file(std::uint32_t flags, Mount& mount) {
  if (is_directory()) {
    return Ref<File>();
  }
  return Ref<File>(TRY(make_ref<TextFile>(Ref<TableNode>(this), flags, mount)));
}

}  // namespace runhl::kernel
