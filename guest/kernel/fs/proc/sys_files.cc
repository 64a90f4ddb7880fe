// SPDX-License-Identifier: Apache-2.0
// /proc/sys: the settings, and a few things that look like some.
#include <array>
#include <cstring>

#include "core/random.h"
#include "core/settings.h"
#include "fs/proc/proc_fs.h"
#include "host/events.h"

namespace runhl::kernel {
namespace {

/// One number, or several on a line, that /proc/sys shows.
struct Knob {
  std::string_view path;
  std::array<Setting Settings::*, 4> fields{};
  std::int64_t lowest = 0, highest = 0;  // of each; equal: read only
};

constexpr std::int64_t kIntMax = 0x7fff'ffff;
constexpr std::int64_t kLongMax = 0x7fff'ffff'ffff'ffff;

constexpr Knob kKnobs[] = {
    {"debug/exception-trace", {&Settings::sysrq}, 0, 0},
    {"fs/aio-max-nr", {&Settings::aio_max_nr}, 0, kLongMax},
    {"fs/aio-nr", {&Settings::aio_nr}, 0, 0},
    {"fs/epoll/max_user_watches", {&Settings::epoll_watches}, 0, kLongMax},
    {"fs/file-max", {&Settings::file_max}, 0, kLongMax},
    {"fs/inotify/max_queued_events", {&Settings::inotify_events}, 0, kIntMax},
    {"fs/inotify/max_user_instances", {&Settings::inotify_instances}, 0, kIntMax},
    {"fs/inotify/max_user_watches", {&Settings::inotify_watches}, 0, kIntMax},
    {"fs/lease-break-time", {&Settings::lease_break_time}, 0, kIntMax},
    {"fs/leases-enable", {&Settings::leases_enable}, 0, 1},
    {"fs/mount-max", {&Settings::mount_max}, 1, kIntMax},
    {"fs/mqueue/msg_default", {&Settings::mq_msg_default}, 1, 65536},
    {"fs/mqueue/msg_max", {&Settings::mq_msg_max}, 1, 65536},
    {"fs/mqueue/msgsize_default", {&Settings::mq_msgsize_default}, 128, 16777216},
    {"fs/mqueue/msgsize_max", {&Settings::mq_msgsize_max}, 128, 16777216},
    {"fs/mqueue/queues_max", {&Settings::mq_queues_max}, 0, kIntMax},
    {"fs/nr_open", {&Settings::nr_open}, 64, 1073741816},
    {"fs/overflowgid", {&Settings::overflow_gid}, 0, 65535},
    {"fs/overflowuid", {&Settings::overflow_uid}, 0, 65535},
    {"fs/pipe-max-size", {&Settings::pipe_max_size}, 4096, 0x80000000},
    {"fs/pipe-user-pages-hard", {&Settings::pipe_user_pages_hard}, 0, kLongMax},
    {"fs/pipe-user-pages-soft", {&Settings::pipe_user_pages_soft}, 0, kLongMax},
    {"fs/protected_fifos", {&Settings::protected_fifos}, 0, 2},
    {"fs/protected_hardlinks", {&Settings::protected_hardlinks}, 0, 1},
    {"fs/protected_regular", {&Settings::protected_regular}, 0, 2},
    {"fs/protected_symlinks", {&Settings::protected_symlinks}, 0, 1},
    {"fs/suid_dumpable", {&Settings::suid_dumpable}, 0, 2},
    {"kernel/cap_last_cap", {&Settings::cap_last_cap}, 0, 0},
    {"kernel/core_uses_pid", {&Settings::core_uses_pid}, 0, 1},
    {"kernel/dmesg_restrict", {&Settings::dmesg_restrict}, 0, 1},
    {"kernel/hung_task_timeout_secs", {&Settings::hung_task_timeout}, 0, kIntMax},
    {"kernel/kptr_restrict", {&Settings::kptr_restrict}, 0, 2},
    {"kernel/max_lock_depth", {&Settings::max_lock_depth}, 0, kIntMax},
    {"kernel/msgmax", {&Settings::msgmax}, 0, kIntMax},
    {"kernel/msgmnb", {&Settings::msgmnb}, 0, kIntMax},
    {"kernel/msgmni", {&Settings::msgmni}, 0, 32768},
    {"kernel/ngroups_max", {&Settings::ngroups_max}, 0, 0},
    {"kernel/overflowgid", {&Settings::overflow_gid}, 0, 65535},
    {"kernel/overflowuid", {&Settings::overflow_uid}, 0, 65535},
    {"kernel/panic", {&Settings::panic}, -kIntMax, kIntMax},
    {"kernel/panic_on_oops", {&Settings::panic_on_oops}, 0, 1},
    {"kernel/perf_event_paranoid", {&Settings::perf_event_paranoid}, -1, 3},
    {"kernel/pid_max", {&Settings::pid_max}, 0, 0},
    {"kernel/randomize_va_space", {&Settings::randomize_va_space}, 0, 2},
    {"kernel/sched_rt_period_us", {&Settings::sched_rt_period}, 1, kIntMax},
    {"kernel/sched_rt_runtime_us", {&Settings::sched_rt_runtime}, -1, kIntMax},
    {"kernel/sem",
     {&Settings::sem_msl, &Settings::sem_mns, &Settings::sem_opm, &Settings::sem_mni},
     0,
     kIntMax},
    {"kernel/shm_rmid_forced", {&Settings::shm_rmid_forced}, 0, 1},
    {"kernel/shmmni", {&Settings::shmmni}, 0, 32768},
    {"kernel/sysrq", {&Settings::sysrq}, 0, kIntMax},
    {"kernel/tainted", {&Settings::tainted}, 0, 0},
    {"kernel/threads-max", {&Settings::threads_max}, 1, kIntMax},
    {"kernel/unprivileged_bpf_disabled", {&Settings::unprivileged_bpf_disabled}, 0, 2},
    {"kernel/yama/ptrace_scope", {&Settings::ptrace_scope}, 0, 3},
    {"net/core/netdev_max_backlog", {&Settings::netdev_backlog}, 0, kIntMax},
    {"net/core/optmem_max", {&Settings::optmem_max}, 0, kIntMax},
    {"net/core/rmem_default", {&Settings::rmem_default}, 256, kIntMax},
    {"net/core/rmem_max", {&Settings::rmem_max}, 256, kIntMax},
    {"net/core/somaxconn", {&Settings::somaxconn}, 0, kIntMax},
    {"net/core/wmem_default", {&Settings::wmem_default}, 256, kIntMax},
    {"net/core/wmem_max", {&Settings::wmem_max}, 256, kIntMax},
    {"net/unix/max_dgram_qlen", {&Settings::unix_dgram_qlen}, 0, kIntMax},
    {"vm/dirty_background_ratio", {&Settings::dirty_background_ratio}, 0, 100},
    {"vm/dirty_ratio", {&Settings::dirty_ratio}, 0, 100},
    {"vm/legacy_va_layout", {&Settings::legacy_va_layout}, 0, 1},
    {"vm/max_map_count", {&Settings::max_map_count}, 0, 0},
    {"vm/min_free_kbytes", {&Settings::min_free_kbytes}, 0, kIntMax},
    {"vm/mmap_min_addr", {&Settings::mmap_min_addr}, 0, 0},
    {"vm/mmap_rnd_bits", {&Settings::mmap_rnd_bits}, 28, 32},
    {"vm/nr_hugepages", {&Settings::nr_hugepages}, 0, 0},
    {"vm/oom_kill_allocating_task", {&Settings::oom_kill_allocating_task}, 0, 1},
    {"vm/overcommit_kbytes", {&Settings::overcommit_kbytes}, 0, kLongMax},
    {"vm/overcommit_memory", {&Settings::overcommit_memory}, 0, 2},
    {"vm/overcommit_ratio", {&Settings::overcommit_ratio}, 0, kIntMax},
    {"vm/panic_on_oom", {&Settings::panic_on_oom}, 0, 2},
    {"vm/swappiness", {&Settings::swappiness}, 0, 200},
    {"vm/vfs_cache_pressure", {&Settings::vfs_cache_pressure}, 0, kIntMax},
};

Result<void> show_knob(TextWriter& out, const Subject& subject) {
  const Knob& knob = kKnobs[subject.row->argument];
  std::string_view separator;
  for (const auto field : knob.fields) {
    if (field != nullptr) {
      out.add(separator, value_of(settings().*field));
      separator = "\t";
    }
  }
  out.add('\n');
  return {};
}

Result<void> store_knob(std::string_view text, const Subject& subject) {
  const Knob& knob = kKnobs[subject.row->argument];
  std::array<std::int64_t, 4> values{};
  std::size_t count = 0;
  for (; count < values.size() && knob.fields[count] != nullptr; ++count) {
    const bool more = text.find_first_not_of(" \t\n") != std::string_view::npos;
    if (!more && count != 0) {
      break;  // fewer than there are: the rest stays
    }
    values[count] = TRY(take_number(text));
    if (values[count] < knob.lowest || values[count] > knob.highest) {
      return fail(EINVAL);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    (settings().*knob.fields[i]).store(values[i], std::memory_order_relaxed);
  }
  return {};
}

/// shmmax and shmall are unsigned long on Linux.
Result<void> show_unsigned(TextWriter& out, const Subject& subject) {
  const Setting Settings::* const field =
      subject.row->argument == 0 ? &Settings::shmall : &Settings::shmmax;
  out.add(unsigned_value_of(settings().*field), '\n');
  return {};
}

Result<void> store_unsigned(std::string_view text, const Subject& subject) {
  Setting Settings::* const field =
      subject.row->argument == 0 ? &Settings::shmall : &Settings::shmmax;
  std::uint64_t value = 0;
  text = text.substr(0, text.find_last_not_of(" \t\n") + 1);
  if (text.empty()) {
    return fail(EINVAL);
  }
  for (const char c : text) {
    if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, static_cast<std::uint64_t>(c - '0'), &value)) {
      return fail(EINVAL);
    }
  }
  (settings().*field).store(static_cast<std::int64_t>(value), std::memory_order_relaxed);
  return {};
}

enum class Word : std::uint8_t { Type, Release, Version, Host, Domain, Core, Arch };

Result<void> show_word(TextWriter& out, const Subject& subject) {
  switch (static_cast<Word>(subject.row->argument)) {
    case Word::Type:
      out.add(kSystemName);
      break;
    case Word::Release:
      out.add(kSystemRelease);
      break;
    case Word::Version:
      out.add(kSystemVersion);
      break;
    case Word::Host:
      out.add(std::string_view(boot_string(boot_config().hostname)));
      break;
    case Word::Domain: {
      const std::string_view domain(boot_string(boot_config().domainname));
      out.add(domain.empty() ? "(none)" : domain);
      break;
    }
    case Word::Core:
      out.add("core");
      break;
    case Word::Arch:
      out.add("x86_64");
      break;
  }
  out.add('\n');
  return {};
}

void add_uuid(TextWriter& out, std::array<std::uint8_t, 16> bytes) {
  bytes[6] = (bytes[6] & 0x0f) | 0x40;  // RFC 4122: version 4
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      out.add('-');
    }
    out.add(Hex{.value = bytes[i], .width = 2});
  }
  out.add('\n');
}

Result<void> show_fresh_uuid(TextWriter& out, const Subject& /*subject*/) {
  std::array<std::uint8_t, 16> bytes{};
  random_bytes(std::as_writable_bytes(std::span(bytes)));
  add_uuid(out, bytes);
  return {};
}

/// The same for the container's whole life, and no part of the seed itself.
Result<void> show_boot_id(TextWriter& out, const Subject& /*subject*/) {
  ChaChaKey key{};
  std::memcpy(key.data(), monitor_page().seed.data(), sizeof key);
  const std::array<std::uint32_t, 16> block = chacha20_block(key, 0xb007'1d00, {1, 2, 3});
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), block.data(), bytes.size());
  add_uuid(out, bytes);
  return {};
}

Result<void> show_constant(TextWriter& out, const Subject& subject) {
  out.add(subject.row->argument, '\n');
  return {};
}

Result<void> show_file_count(TextWriter& out, const Subject& /*subject*/) {
  out.add("0\t0\t", value_of(settings().file_max), '\n');
  return {};
}

Result<void> show_inode_count(TextWriter& out, const Subject& /*subject*/) {
  out.add("0\t0\t0\t0\t0\t0\t0\n");
  return {};
}

constexpr TableRow with_argument(TableRow row, std::size_t argument) {
  row.argument = argument;
  return row;
}
constexpr TableRow word(std::string_view path, Word which) {
  return with_argument(file(path, 0444, show_word), static_cast<std::size_t>(which));
}
constexpr TableRow constant(std::string_view path, std::size_t value) {
  return with_argument(file(path, 0444, show_constant), value);
}
constexpr TableRow unsigned_file(std::string_view path, std::size_t which) {
  return with_argument(file(path, 0644, show_unsigned, store_unsigned), which);
}

constexpr std::array kOthers{
    file("fs/file-nr", 0444, show_file_count),
    file("fs/inode-nr", 0444, show_inode_count),
    word("kernel/arch", Word::Arch),
    word("kernel/core_pattern", Word::Core),
    word("kernel/domainname", Word::Domain),
    word("kernel/hostname", Word::Host),
    word("kernel/osrelease", Word::Release),
    word("kernel/ostype", Word::Type),
    file("kernel/random/boot_id", 0444, show_boot_id),
    constant("kernel/random/entropy_avail", 256),
    constant("kernel/random/poolsize", 256),
    constant("kernel/random/urandom_min_reseed_secs", 60),
    file("kernel/random/uuid", 0444, show_fresh_uuid),
    constant("kernel/random/write_wakeup_threshold", 256),
    unsigned_file("kernel/shmall", 0),
    unsigned_file("kernel/shmmax", 1),
    word("kernel/version", Word::Version),
};

/// Knobs and others in one table, by path: rows beneath one directory stand together.
constexpr auto make_rows() {
  std::array<TableRow, std::size(kKnobs) + kOthers.size()> rows{};
  std::size_t count = 0;
  for (const Knob& knob : kKnobs) {
    const bool fixed = knob.lowest == knob.highest;
    rows[count] = with_argument(
        fixed ? file(knob.path, 0444, show_knob) : file(knob.path, 0644, show_knob, store_knob),
        count);
    ++count;
  }
  for (const TableRow& row : kOthers) {
    rows[count++] = row;
  }
  // Insertion sort: std::sort of rows is too much for some compilers' constant evaluation.
  for (std::size_t i = 1; i < rows.size(); ++i) {
    for (std::size_t j = i; j > 0 && rows[j].path < rows[j - 1].path; --j) {
      const TableRow moved = rows[j];
      rows[j] = rows[j - 1];
      rows[j - 1] = moved;
    }
  }
  return rows;
}
constexpr auto kRows = make_rows();

constexpr Table kTable{.rows = kRows, .strict = true};

bool same_name(std::string_view path, std::string_view name) {
  if (path.size() != name.size()) {
    return false;
  }
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != name[i] && !(path[i] == '/' && name[i] == '.')) {
      return false;
    }
  }
  return true;
}

}  // namespace

const Table& proc_sys_table() {
  return kTable;
}

Result<void> set_sysctl(std::string_view name, std::string_view value) {
  for (const TableRow& row : kRows) {
    if (same_name(row.path, name)) {
      const Subject subject{.row = &row};
      return row.store != nullptr ? row.store(value, subject) : fail(EACCES);
    }
  }
  return fail(ENOENT);
}

}  // namespace runhl::kernel
