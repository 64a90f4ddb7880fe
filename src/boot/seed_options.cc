// SPDX-License-Identifier: Apache-2.0
// What hyperlight-unikraft 0.4 took its options for, in the words of its library.
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "boot/seed.h"
#include "runhl/base/number.h"

namespace runhl::boot {
namespace {

tl::unexpected<Error> refuse(std::string what) {
  return fail(ErrorCode::InvalidArgument, std::move(what));
}

/// A number of 64 bits as Rust reads one, or its complaint.
Result<std::uint64_t> parse_u64(std::string_view text) {
  if (text.empty()) {
    return refuse("cannot parse integer from empty string");
  }
  std::string_view digits = text;
  digits.remove_prefix(digits.front() == '+' && digits.size() > 1 ? 1 : 0);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return refuse("invalid digit found in string");
  }
  const auto value = whole_number<std::uint64_t>(digits);
  return value ? Result<std::uint64_t>(*value) : refuse("number too large to fit in target type");
}

struct Row {
  std::string_view name;   ///< "--memory"
  char letter;             ///< 'm'; 0: none
  std::string_view shown;  ///< of its value; empty: it has none
  Result<void> (*take)(SeedOptions& to, const std::string& value);
};

template <bool SeedOptions::* Member>
Result<void> flag(SeedOptions& to, const std::string& /*value*/) {
  to.*Member = true;
  return {};
}
template <std::string SeedOptions::* Member>
Result<void> text(SeedOptions& to, const std::string& value) {
  to.*Member = value;
  return {};
}
template <std::vector<std::string> SeedOptions::* Member>
Result<void> list(SeedOptions& to, const std::string& value) {
  (to.*Member).push_back(value);
  return {};
}
template <std::uint64_t SeedOptions::* Member>
Result<void> number(SeedOptions& to, const std::string& value) {
  to.*Member = TRY(parse_u64(value));
  return {};
}
Result<void> take_code(SeedOptions& to, const std::string& value) {
  to.code = value;
  return {};
}
Result<void> take_port(SeedOptions& to, const std::string& value) {
  const std::uint64_t port = TRY(parse_u64(value));
  if (port > std::numeric_limits<std::uint16_t>::max()) {
    return refuse(value + " is not in 0..=65535");
  }
  to.ports.push_back(static_cast<std::uint16_t>(port));
  return {};
}

constexpr std::array kRows = {
    Row{"--initrd", 0, "INITRD", text<&SeedOptions::initrd>},
    Row{"--memory", 'm', "MEMORY", text<&SeedOptions::memory>},
    Row{"--stack", 0, "STACK", text<&SeedOptions::stack>},
    Row{"--quiet", 'q', "", flag<&SeedOptions::quiet>},
    Row{"--enable-tools", 0, "", flag<&SeedOptions::enable_tools>},
    Row{"--mount", 0, "HOST[:GUEST]", list<&SeedOptions::mounts>},
    Row{"--net", 0, "", flag<&SeedOptions::net>},
    Row{"--net-allow", 0, "HOST_OR_IP", list<&SeedOptions::net_allow>},
    Row{"--net-block", 0, "HOST_OR_IP", list<&SeedOptions::net_block>},
    Row{"--port", 0, "PORT", take_port},
    Row{"--repeat", 0, "REPEAT", number<&SeedOptions::repeat>},
    Row{"--exec", 'e', "CODE", take_code},
    Row{"--help", 'h', "", flag<&SeedOptions::help>},
    Row{"--version", 'V', "", flag<&SeedOptions::version>},
    Row{"--abi", 0, "ABI", text<&SeedOptions::abi>},
    Row{"--isolation", 0, "ISOLATION", text<&SeedOptions::isolation>},
    Row{"--time-limit", 0, "SECONDS", number<&SeedOptions::time_limit_s>},
    Row{"--tool", 0, "NAME=PROGRAM", list<&SeedOptions::tools>},
};

std::string shown(const Row& row) {
  return std::string(row.name) + " <" + std::string(row.shown) + ">";
}

/// One word of the command line that begins with a dash, taken apart.
struct Word {
  const Row* row = nullptr;
  std::optional<std::string> value;
};
Word take_apart(const std::string& word) {
  const bool is_long = word.starts_with("--");
  const std::size_t equals = is_long ? word.find('=') : std::string::npos;
  const std::string name = is_long ? word.substr(0, equals) : word.substr(0, 2);
  const auto* const row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& one) {
    return is_long ? one.name == name : one.letter != 0 && one.letter == name[1];
  });
  Word parts;
  if (row == kRows.end()) {
    return parts;
  }
  parts.row = row;
  if (equals != std::string::npos) {
    parts.value = word.substr(equals + 1);
  } else if (!is_long && word.size() > 2) {
    parts.value = word.substr(word[2] == '=' ? 3 : 2);
  }
  return parts;
}

bool is_option(const std::string& word) {
  return word.size() > 1 && word.front() == '-';
}

tl::unexpected<Error> unexpected_word(const std::string& word) {
  return refuse("unexpected argument '" + word + "' found");
}

Result<void> check_exclusions(const SeedOptions& seed) {
  if (!seed.net_allow.empty() && !seed.net_block.empty()) {
    return refuse(
        "the argument '--net-allow <HOST_OR_IP>' cannot be used with '--net-block <HOST_OR_IP>'");
  }
  if (seed.code && !seed.args.empty()) {
    return refuse("the argument '--exec <CODE>' cannot be used with '[APP_ARGS]...'");
  }
  if (seed.kernel.empty() && !seed.help && !seed.version) {
    return refuse("the following required arguments were not provided: <KERNEL>");
  }
  return {};
}

/// The option at *i, and past its value.
Result<void> take_option(std::span<const std::string> args, std::size_t* i, SeedOptions* seed) {
  Word word = take_apart(args[*i]);
  if (word.row == nullptr || (word.row->shown.empty() && word.value)) {
    return unexpected_word(args[*i]);
  }
  if (!word.row->shown.empty() && !word.value) {
    if (*i + 1 == args.size()) {
      return refuse("a value is required for '" + shown(*word.row) + "' but none was supplied");
    }
    word.value = args[++*i];
    if (is_option(*word.value)) {
      return unexpected_word(*word.value);
    }
  }
  const std::string value = word.value.value_or("");
  const Result<void> taken = word.row->take(*seed, value);
  return taken ? taken
               : refuse("invalid value '" + value + "' for '" + shown(*word.row) +
                        "': " + taken.error().message);
}

}  // namespace

Result<SeedOptions> parse_seed_options(std::span<const std::string> args) {
  SeedOptions seed;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--") {
      seed.args.assign(args.begin() + static_cast<std::ptrdiff_t>(i) + 1, args.end());
      break;
    }
    if (is_option(args[i])) {
      TRY(take_option(args, &i, &seed));
    } else if (seed.kernel.empty()) {
      seed.kernel = args[i];
    } else {
      return unexpected_word(args[i]);
    }
  }
  TRY(check_exclusions(seed));
  return seed;
}

Result<std::uint64_t> parse_seed_memory(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 6> kSuffixes = {
      {{"Gi", 1ULL << 30},
       {"Mi", 1ULL << 20},
       {"Ki", 1ULL << 10},
       {"G", 1'000'000'000},
       {"M", 1'000'000},
       {"K", 1'000}}};
  constexpr std::string_view kBlanks = " \t\n\r\v\f";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  text.remove_suffix(text.size() - (text.find_last_not_of(kBlanks) + 1));
  for (const auto& [suffix, factor] : kSuffixes) {
    if (!text.ends_with(suffix)) {
      continue;
    }
    text.remove_suffix(suffix.size());
    const std::uint64_t value = TRY(parse_u64(text));
    return value <= std::numeric_limits<std::uint64_t>::max() / factor
               ? Result<std::uint64_t>(value * factor)
               : refuse("number too large to fit in target type");
  }
  return with_context("Invalid memory format", parse_u64(text));
}

Result<MountOption> parse_seed_mount(const std::string& text) {
  constexpr std::array<std::string_view, 6> kReserved = {"/",     "/bin", "/dev",
                                                         "/proc", "/sys", "/usr"};
  const std::size_t colon = text.rfind(':');
  const bool has_guest = colon != std::string::npos && text.substr(colon + 1).starts_with('/');
  MountOption mount;
  mount.host = has_guest ? text.substr(0, colon) : text;
  mount.guest = has_guest ? text.substr(colon + 1) : "/host";
  const bool hides =
      std::any_of(kReserved.begin(), kReserved.end(), [&mount](std::string_view place) {
        return mount.guest == place || mount.guest.starts_with(std::string(place) + "/");
      });
  return hides ? Result<MountOption>(refuse("refusing to mount at guest path \"" + mount.guest +
                                            "\": shadows reserved kernel dir"))
               : Result<MountOption>(std::move(mount));
}

std::string seed_argument_line(const SeedOptions& seed) {
  std::string line;
  if (!seed.code) {
    for (std::size_t i = 0; i < seed.args.size(); ++i) {
      line.append(i == 0 ? "" : " ").append(seed.args[i]);
    }
    return line;
  }
  line = "-c \"";
  for (const char c : *seed.code) {
    line.append(c == '"' || c == '\\' ? "\\" : "").append(1, c);
  }
  return line + "\"";
}

}  // namespace runhl::boot
