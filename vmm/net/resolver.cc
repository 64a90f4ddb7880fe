// SPDX-License-Identifier: Apache-2.0
#include "runhl/vmm/net/resolver.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "net/dns.h"
#include "runhl/base/file_io.h"
#include "runhl/base/unique_fd.h"

namespace runhl::vmm::net {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxFile = std::size_t{1} << 20U, kMaxAnswer = 4096, kMaxServers = 3;
constexpr unsigned kNoSuchName = 3;
constexpr milliseconds kPatience{1500};  // with one server, before the next is asked

std::string_view next_line(std::string_view* text) {
  const std::size_t end = std::min(text->find('\n'), text->size());
  std::string_view line = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return line.substr(0, line.find_first_of("#;"));
}

std::string_view next_word(std::string_view* line) {
  constexpr std::string_view kBlanks = " \t\r";
  line->remove_prefix(std::min(line->find_first_not_of(kBlanks), line->size()));
  const std::string_view word = line->substr(0, line->find_first_of(kBlanks));
  line->remove_prefix(word.size());
  return word;
}

std::string file_text(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  const Result<std::string> text = fd ? read_up_to(fd.get(), kMaxFile, path) : std::string();
  return text ? *text : std::string();
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<long>(left, 0, kPatience.count()));
}

/// A server's answers to the questions for both families.
class Inquiry {
 public:
  Inquiry(std::string name, UniqueFd socket) : name_(std::move(name)), socket_(std::move(socket)) {}

  bool send_questions() {
    (void)!::getrandom(&first_id_, sizeof first_id_, 0);  // 2 bytes never come short
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
      const std::vector<std::byte> query = make_query(id(i), name_, kTypes[i]);
      if (::send(socket_.get(), query.data(), query.size(), MSG_NOSIGNAL) < 0) {
        return false;
      }
    }
    return true;
  }

  /// False: nobody will answer any more, or not in time.
  bool receive(Clock::time_point deadline) {
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, milliseconds_until(deadline)) <= 0) {
      return false;
    }
    std::array<std::byte, kMaxAnswer> bytes{};
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0) {
      return errno == EAGAIN || errno == EINTR;
    }
    take(std::span(bytes).first(static_cast<std::size_t>(got)));
    return true;
  }

  [[nodiscard]] bool complete() const { return answered_[0] && answered_[1]; }
  [[nodiscard]] bool refused() const { return refused_; }
  std::vector<Address> addresses;

 private:
  static constexpr std::array kTypes = {kTypeA, kTypeAaaa};

  [[nodiscard]] std::uint16_t id(std::size_t question) const {
    return static_cast<std::uint16_t>(first_id_ + question);
  }

  void take(std::span<const std::byte> message) {
    const auto answer = parse_answer(message);
    for (std::size_t i = 0; answer && i < kTypes.size(); ++i) {
      const bool ours = answer->id == id(i) && answer->type == kTypes.at(i) &&
                        answer->name == name_ && !answer->truncated;
      const bool good = answer->code == 0 || answer->code == kNoSuchName;
      refused_ = refused_ || (ours && !good);
      if (ours && good && !answered_.at(i)) {
        answered_.at(i) = true;
        addresses.insert(addresses.end(), answer->addresses.begin(), answer->addresses.end());
      }
    }
  }

  std::string name_;
  UniqueFd socket_;
  std::uint16_t first_id_ = 0;
  std::array<bool, 2> answered_{};
  bool refused_ = false;
};

UniqueFd socket_to(const Endpoint& server) {
  const SocketAddress address = socket_address(server);
  UniqueFd socket(::socket(address.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket && ::connect(socket.get(), address.get(), address.size) != 0) {
    socket.reset();
  }
  return socket;
}

}  // namespace

Resolver::Resolver(std::string_view hosts, std::string_view resolv_conf) {
  while (!hosts.empty()) {
    std::string_view line = next_line(&hosts);
    const auto address = parse_address(next_word(&line));
    for (std::string_view word = next_word(&line); address && !word.empty();
         word = next_word(&line)) {
      if (auto name = canonical_name(word)) {
        hosts_.emplace(std::move(*name), *address);
      }
    }
  }
  while (!resolv_conf.empty()) {
    std::string_view line = next_line(&resolv_conf);
    const std::string_view key = next_word(&line);
    if (key == "nameserver") {
      const auto address = parse_address(next_word(&line));
      if (address && servers_.size() < kMaxServers) {
        servers_.push_back({*address, kDnsPort});
      }
    } else if (key == "search" || key == "domain") {
      search_.clear();  // the last line counts
      for (std::string_view word = next_word(&line); !word.empty(); word = next_word(&line)) {
        if (auto domain = canonical_name(word)) {
          search_.push_back(std::move(*domain));
        }
      }
    }
  }
}

Resolver Resolver::of_host() {
  return {file_text("/etc/hosts"), file_text("/etc/resolv.conf")};
}

Result<std::vector<Address>> Resolver::ask(const std::string& name,
                                           Clock::time_point deadline) const {
  for (const Endpoint& server : servers_) {
    UniqueFd socket = socket_to(server);
    if (!socket) {
      continue;
    }
    Inquiry inquiry(name, std::move(socket));
    const auto until = std::min(deadline, Clock::now() + kPatience);
    bool goes_on = inquiry.send_questions();
    while (goes_on && !inquiry.complete() && !inquiry.refused()) {
      goes_on = inquiry.receive(until);
    }
    if (!inquiry.addresses.empty()) {
      return std::move(inquiry.addresses);
    }
    if (inquiry.complete()) {
      return fail(ErrorCode::NotFound, "no such name");
    }
  }
  return fail(ErrorCode::Timeout,
              servers_.empty() ? "this host has no name server" : "no name server answers");
}

Result<std::vector<Address>> Resolver::look_up(const std::string& name, milliseconds most) const {
  const auto [first, last] = hosts_.equal_range(name);
  if (first != last) {
    std::vector<Address> addresses;
    std::transform(first, last, std::back_inserter(addresses),
                   [](const auto& entry) { return entry.second; });
    return addresses;
  }
  const Clock::time_point deadline = Clock::now() + most;
  if (name.find('.') == std::string::npos) {
    for (const std::string& domain : search_) {
      auto found = ask(name + "." + domain, deadline);
      if (found || found.error().code != ErrorCode::NotFound) {
        return found;
      }
    }
  }
  return ask(name, deadline);
}

}  // namespace runhl::vmm::net
