// SPDX-License-Identifier: Apache-2.0
// One request of a registry's API, by libcurl: redirects are followed here and not there, since a
// header that says who we are goes to nobody else.
//
//   HttpClient http({.allow_plain = false});
//   const HttpResponse answer = TRY(http.perform({.url = "https://ghcr.io/v2/"}));
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::oci {

struct HttpOptions {
  bool allow_plain = false;  ///< http:// too, as the first address; never after https://
  bool skip_verify = false;  ///< whose certificate it is does not count
  // NOLINTBEGIN(readability-redundant-member-init): GCC warns of what a designated list leaves out
  std::string authorities{};                       ///< PEM, beside the system's; empty: those alone
  std::string client_certificate{}, client_key{};  ///< files
  std::vector<std::string>
      headers{};  ///< of every request; they stay with the first address's host
  // NOLINTEND(readability-redundant-member-init)
  std::chrono::milliseconds connect_timeout{20'000};
  std::chrono::seconds stall_timeout{30};  ///< below a kilobyte a second
};

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without a sink, or of an error

  [[nodiscard]] std::string header(const std::string& name) const;
};

struct HttpRequest {
  enum class Method : std::uint8_t { Get, Head, Post, Put, Patch };

  std::string url;
  Method method = Method::Get;
  std::vector<std::string> headers;
  std::string authorization;  ///< stays with the first address's host
  std::string content_type;   ///< of the body
  std::string body;           ///< never sent to another host than the first address's
  /// Instead of the body, part of a file that can be read at any place.
  struct FilePart {
    int fd = -1;
    std::uint64_t offset = 0, size = 0;
  };
  std::optional<FilePart> file;
  /// The address is not the registry's: neither authorization nor the client's headers go there.
  bool is_foreign = false;
  /// Takes the body of a 2xx, piece by piece; none: it is in the response, at most 4 MiB.
  std::function<Result<void>(const HttpResponse& so_far, std::span<const std::byte> piece)> sink;
};

/// `location`, as an answer from `base` gives it. Errors: InvalidArgument.
Result<std::string> resolve_address(const std::string& base, const std::string& location);
bool is_same_origin(const std::string& a, const std::string& b);

class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;
  HttpClient& operator=(HttpClient&&) noexcept;
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Errors: what the sink says; Timeout, Io (the network: worth another try); Permission (a
  /// redirect to where we do not go, a certificate that is not trusted).
  Result<HttpResponse> perform(const HttpRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace runhl::oci
