// SPDX-License-Identifier: Apache-2.0
#include "net/dns.h"

#include <algorithm>
#include <array>

namespace runhl::vmm::net {
namespace {

constexpr std::size_t kMaxName = 253, kMaxLabel = 63;
constexpr unsigned kMaxHops = 128;
constexpr std::uint16_t kAnswer = 0x8000, kOpcode = 0x7800, kTruncated = 0x0200, kCode = 0x000f,
                        kRecursion = 0x0100;
constexpr std::uint16_t kClassInternet = 1, kTypeOpt = 41, kOurSize = 4096;
constexpr unsigned kPointer = 0xc0;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Reads on from where it stands; once it came to the end too early, it has failed for good.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> message) : message_(message) {}

  unsigned byte() {
    if (at_ >= message_.size()) {
      failed_ = true;
      return 0;
    }
    return std::to_integer<unsigned>(message_[at_++]);
  }
  std::uint16_t number() {
    const unsigned high = byte();
    return static_cast<std::uint16_t>(high << 8U | byte());
  }
  void skip(std::size_t count) {
    failed_ = failed_ || count > message_.size() - at_;
    at_ = failed_ ? message_.size() : at_ + count;
  }
  std::string name();
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  std::span<const std::byte> message_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

/// Follows pointers; goes on behind the first of them.
std::string Reader::name() {
  std::string name;
  std::size_t after = 0;
  for (unsigned hops = 0; !failed_;) {
    const unsigned length = byte();
    if (length == 0) {
      break;
    }
    if ((length & kPointer) == kPointer) {
      const std::size_t target = (length & ~kPointer) << 8U | byte();
      after = after == 0 ? at_ : after;
      at_ = target;
      failed_ = failed_ || ++hops > kMaxHops;
      continue;
    }
    failed_ = failed_ || length > kMaxLabel;
    name.append(name.empty() ? "" : ".");
    for (unsigned i = 0; i < length && !failed_; ++i) {
      const unsigned c = byte();
      // A dot within a label would make two names look the same.
      failed_ = failed_ || c <= 0x20 || c > 0x7e || c == '.' || name.size() >= kMaxName;
      name += lower(static_cast<char>(c));
    }
  }
  at_ = after == 0 ? at_ : after;
  return name;
}

struct Header {
  std::uint16_t id = 0, flags = 0, questions = 0, answers = 0;
};

Header read_header(Reader* reader) {
  Header header;
  header.id = reader->number();
  header.flags = reader->number();
  header.questions = reader->number();
  header.answers = reader->number();
  reader->skip(4);  // numbers of other records
  return header;
}

void read_record(Reader* reader, DnsAnswer* answer) {
  (void)reader->name();
  const std::uint16_t type = reader->number();
  const std::uint16_t kind = reader->number();
  reader->skip(4);  // how long it holds
  const std::uint16_t length = reader->number();
  const std::size_t wanted = type == kTypeA ? 4 : type == kTypeAaaa ? 16 : 0;
  if (kind != kClassInternet || wanted == 0 || length != wanted) {
    reader->skip(length);
    return;
  }
  Address address;
  address.v6 = type == kTypeAaaa;
  for (std::size_t i = 0; i < wanted; ++i) {
    address.bytes.at(i) = static_cast<std::uint8_t>(reader->byte());
  }
  if (!reader->failed()) {
    // An IPv4 address in the clothes of IPv6 is one.
    answer->addresses.push_back(endpoint_of(socket_address({address, 0})).address);
  }
}

void put(std::vector<std::byte>* message, std::uint16_t value) {
  message->push_back(static_cast<std::byte>(value >> 8U));
  message->push_back(static_cast<std::byte>(value & 0xffU));
}

}  // namespace

std::optional<std::string> canonical_name(std::string_view text) {
  if (text.ends_with('.')) {
    text.remove_suffix(1);
  }
  if (text.empty() || text.size() > kMaxName || text.ends_with('.')) {
    return std::nullopt;
  }
  std::string name;
  std::size_t label = 0;
  for (const char given : text) {
    const char c = lower(given);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    label = c == '.' ? 0 : label + 1;
    const bool empty_label = c == '.' && (name.empty() || name.back() == '.');
    if ((!plain && c != '.') || empty_label || label > kMaxLabel) {
      return std::nullopt;
    }
    name += c;
  }
  return name;
}

std::optional<std::vector<std::string>> names_in_query(std::span<const std::byte> message) {
  Reader reader(message);
  const Header header = read_header(&reader);
  if (reader.failed() || (header.flags & (kAnswer | kOpcode)) != 0 || header.questions == 0) {
    return std::nullopt;
  }
  std::vector<std::string> names;
  for (unsigned i = 0; i < header.questions && !reader.failed(); ++i) {
    names.push_back(reader.name());
    reader.skip(4);  // type and class
  }
  if (reader.failed()) {
    return std::nullopt;
  }
  return names;
}

std::optional<DnsAnswer> parse_answer(std::span<const std::byte> message) {
  Reader reader(message);
  const Header header = read_header(&reader);
  if (reader.failed() || (header.flags & kAnswer) == 0 || header.questions == 0) {
    return std::nullopt;
  }
  DnsAnswer answer;
  answer.id = header.id;
  answer.code = header.flags & kCode;
  answer.truncated = (header.flags & kTruncated) != 0;
  for (unsigned i = 0; i < header.questions && !reader.failed(); ++i) {
    const std::string name = reader.name();
    const std::uint16_t type = reader.number();
    reader.skip(2);
    answer.name = i == 0 ? name : answer.name;
    answer.type = i == 0 ? type : answer.type;
  }
  for (unsigned i = 0; i < header.answers && !reader.failed(); ++i) {
    read_record(&reader, &answer);
  }
  if (reader.failed()) {
    return std::nullopt;
  }
  return answer;
}

std::vector<std::byte> make_query(std::uint16_t id, std::string_view name, std::uint16_t type) {
  std::vector<std::byte> message;
  for (const std::uint16_t value : std::array<std::uint16_t, 6>{id, kRecursion, 1, 0, 0, 1}) {
    put(&message, value);
  }
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('.'), name.size());
    message.push_back(static_cast<std::byte>(end));
    const auto label = std::as_bytes(std::span(name.substr(0, end)));
    message.insert(message.end(), label.begin(), label.end());
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  message.push_back({});
  put(&message, type);
  put(&message, kClassInternet);
  // EDNS(0), RFC 6891: answers larger than 512 bytes are welcome.
  message.push_back({});
  for (const std::uint16_t value : std::array<std::uint16_t, 5>{kTypeOpt, kOurSize, 0, 0, 0}) {
    put(&message, value);
  }
  return message;
}

}  // namespace runhl::vmm::net
