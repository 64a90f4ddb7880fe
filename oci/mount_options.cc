// SPDX-License-Identifier: Apache-2.0
#include "mount_options.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace runhl::oci {
namespace {

struct FlagWord {
  std::string_view word;
  bool ConfigMount::* flag;
  bool value;
};
// The r-words cover the whole tree beneath; a granted tree always carries its flags as a whole.
constexpr std::array kFlagWords = {
    FlagWord{"ro", &ConfigMount::read_only, true},
    FlagWord{"rro", &ConfigMount::read_only, true},
    FlagWord{"rw", &ConfigMount::read_only, false},
    FlagWord{"rrw", &ConfigMount::read_only, false},
    FlagWord{"nosuid", &ConfigMount::no_suid, true},
    FlagWord{"rnosuid", &ConfigMount::no_suid, true},
    FlagWord{"suid", &ConfigMount::no_suid, false},
    FlagWord{"rsuid", &ConfigMount::no_suid, false},
    FlagWord{"nodev", &ConfigMount::no_dev, true},
    FlagWord{"rnodev", &ConfigMount::no_dev, true},
    FlagWord{"dev", &ConfigMount::no_dev, false},
    FlagWord{"rdev", &ConfigMount::no_dev, false},
    FlagWord{"noexec", &ConfigMount::no_exec, true},
    FlagWord{"rnoexec", &ConfigMount::no_exec, true},
    FlagWord{"exec", &ConfigMount::no_exec, false},
    FlagWord{"rexec", &ConfigMount::no_exec, false},
    FlagWord{"bind", &ConfigMount::bind, true},
    FlagWord{"rbind", &ConfigMount::bind, true},
};

// Nothing a container could notice missing: time stamps are the host file system's, propagation
// cannot cross into a guest, which has a mount table of its own.
constexpr std::array<std::string_view, 39> kHarmless = {
    "",
    "defaults",
    "async",
    "atime",
    "noatime",
    "ratime",
    "rnoatime",
    "diratime",
    "nodiratime",
    "rdiratime",
    "rnodiratime",
    "relatime",
    "norelatime",
    "rrelatime",
    "rnorelatime",
    "strictatime",
    "nostrictatime",
    "rstrictatime",
    "rnostrictatime",
    "lazytime",
    "nolazytime",
    "iversion",
    "noiversion",
    "loud",
    "silent",
    "nomand",
    "symfollow",
    "rsymfollow",
    "private",
    "rprivate",
    "slave",
    "rslave",
    "unbindable",
    "runbindable",
    "newinstance",
    "nouser",
    "noauto",
    "_netdev",
    "nofail",
};

struct Refusal {
  std::string_view word;
  std::string_view reason;
};
constexpr std::array kRefused = {
    Refusal{"shared", "mounts made in the guest do not appear on the host; use rprivate"},
    Refusal{"rshared", "mounts made in the guest do not appear on the host; use rprivate"},
    Refusal{"remount", "mounts are made once, with their final options"},
    Refusal{"sync", "writes go through the host's page cache; let the program use fsync"},
    Refusal{"dirsync", "writes go through the host's page cache; let the program use fsync"},
    Refusal{"noswap", "guest memory may be swapped; set a memory.swap limit"},
    Refusal{"mand", "mandatory locks, which Linux gave up"},
    Refusal{"nosymfollow", "symbolic links of a mount are always followed"},
    Refusal{"rnosymfollow", "symbolic links of a mount are always followed"},
    Refusal{"idmap", "id-mapped mounts; leave the mapping to the engine's storage"},
    Refusal{"ridmap", "id-mapped mounts; leave the mapping to the engine's storage"},
};

Result<std::uint64_t> parse_number(const Node& option, std::string_view digits, int base) {
  std::uint64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number, base);
  if (error != std::errc() || stop != end) {
    return option.refuse("must be followed by a number");
  }
  return number;
}

/// tmpfs size=: bytes, or a number with k, m, g, t.
Result<std::uint64_t> parse_size(const Node& option, std::string_view text) {
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.back() | 0x20) {
      case 'k':
        shift = 10;
        break;
      case 'm':
        shift = 20;
        break;
      case 'g':
        shift = 30;
        break;
      case 't':
        shift = 40;
        break;
      default:
        break;
    }
    if (text.back() == '%') {
      return option.unsupported("a share of the machine's memory; give bytes, as in size=64m");
    }
  }
  const std::uint64_t number =
      TRY(parse_number(option, shift == 0 ? text : text.substr(0, text.size() - 1), 10));
  if (number > (UINT64_MAX >> shift)) {
    return option.refuse("is out of range");
  }
  return number << shift;
}

/// key=value words of the guest's own file systems.
Result<bool> decode_value(const Node& option, std::string_view key, std::string_view value,
                          ConfigMount* mount) {
  if (mount->type == "tmpfs") {
    if (key == "size") {
      mount->size_bytes = TRY(parse_size(option, value));
      return true;
    }
    if (key == "nr_inodes" || key == "nr_blocks") {
      return option.unsupported("limit the tmpfs by size=");
    }
  }
  if (key == "mode" && (mount->type == "tmpfs" || mount->type == "devpts")) {
    constexpr std::uint64_t kMostMode = 07777;
    const std::uint64_t mode = TRY(parse_number(option, value, 8));
    if (mode > kMostMode) {
      return option.refuse("is no file mode");
    }
    mount->mode = static_cast<std::uint32_t>(mode);
    return true;
  }
  if ((key == "uid" || key == "gid") && (mount->type == "tmpfs" || mount->type == "devpts")) {
    constexpr std::uint64_t kNoId = 0xffff'ffff;
    const std::uint64_t id = TRY(parse_number(option, value, 10));
    if (id >= kNoId) {
      return option.refuse("is no id");
    }
    (key == "uid" ? mount->uid : mount->gid) = static_cast<std::uint32_t>(id);
    return true;
  }
  if (mount->type == "devpts" && key == "ptmxmode") {
    return parse_number(option, value, 8).map([](std::uint64_t) { return true; });
  }
  if (mount->type == "proc" && key == "hidepid" && (value == "0" || value == "off")) {
    return true;
  }
  return false;
}

Result<void> decode_option(const Node& option, ConfigMount* mount,
                           std::vector<std::string>* warnings) {
  const std::string word = TRY(option.string());
  for (const FlagWord& flag : kFlagWords) {
    if (flag.word == word) {
      mount->*flag.flag = flag.value;
      mount->recursive = mount->recursive || word == "rbind";
      return {};
    }
  }
  if (std::find(kHarmless.begin(), kHarmless.end(), word) != kHarmless.end() ||
      word.starts_with("x-") || word.starts_with("X-")) {
    return {};
  }
  for (const Refusal& refusal : kRefused) {
    if (refusal.word == word) {
      return option.unsupported(std::string(word) + ": " + std::string(refusal.reason));
    }
  }
  if (word == "tmpcopyup" && mount->type == "tmpfs") {
    warnings->push_back(option.pointer() + ": the image's content of " +
                        printable(mount->destination) + " is not copied into the tmpfs");
    return {};
  }
  const std::size_t equals = word.find('=');
  if (equals != std::string::npos) {
    const std::string_view all = word;
    if (TRY(decode_value(option, all.substr(0, equals), all.substr(equals + 1), mount))) {
      return {};
    }
  }
  return option.unsupported("mount option \"" + printable(word) + "\" for type " +
                            printable(mount->type));
}

}  // namespace

Result<void> decode_mount_options(const std::vector<Node>& options, ConfigMount* mount,
                                  std::vector<std::string>* warnings) {
  for (const Node& option : options) {
    TRY(decode_option(option, mount, warnings));
    mount->options.push_back(option.value().text);
  }
  return {};
}

std::vector<std::string_view> accepted_mount_options() {
  std::vector<std::string_view> out;
  for (const FlagWord& flag : kFlagWords) {
    out.push_back(flag.word);
  }
  for (const std::string_view word : kHarmless) {
    if (!word.empty()) {
      out.push_back(word);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace runhl::oci
