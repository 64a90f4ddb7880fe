// SPDX-License-Identifier: Apache-2.0
// One request of a registry's API, by libcurl: redirects are followed here and not there, since a
// header that says who we are goes to nobody else.
//
//   HttpClient http({.allow_plain = false});
//   const HttpResponse answer = TRY(http.perform({.url = "https://ghcr.io/v2/"}));
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runhl/base/result.h"

namespace runhl::oci {

struct HttpOptions {
  bool allow_plain = false;  ///< http:// too, as the first address; never after https://
  std::string ca_file;       ///< empty: the system's
};

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // without a sink, or of an error

  [[nodiscard]] std::string header(const std::string& name) const;
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;
  std::string authorization;  ///< stays with the first address's host
  /// Takes the body of a 2xx, piece by piece; none: it is in the response, at most 4 MiB.
  std::function<Result<void>(const HttpResponse& so_far, std::span<const std::byte> piece)> sink;
};

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
