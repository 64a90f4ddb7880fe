// SPDX-License-Identifier: Apache-2.0
// A conversation with one registry: who we are to it, and how often it is asked.
//
//   Session session({.url = "https://ghcr.io/v2", .domain = "ghcr.io", .http = {}}, scope);
//   const HttpResponse answer = TRY(session.send({.url = session.url() +
//   "/owner/name/tags/list"}));
//
// What may pass by itself (429, 5xx, a connection that ends) is tried again, with growing pauses
// and not for ever. Source: distribution's "Token Authentication Specification" and "OAuth2 Token
// Authentication".
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "challenge.h"
#include "credentials.h"
#include "http.h"
#include "runhl/base/result.h"

namespace runhl::oci {

inline constexpr int kTries = 5;

struct Endpoint {
  std::string url;     ///< of its API, without a slash at the end
  std::string domain;  ///< under whose name our credentials for it are kept
  // NOLINTBEGIN(readability-redundant-member-init): GCC warns of what a designated list leaves out
  std::string mirrors{};  ///< the registry that it stands for, where that is another
  // NOLINTEND(readability-redundant-member-init)
  bool resolves = true, pulls = true, pushes = true;
  HttpOptions http{};  // NOLINT(readability-redundant-member-init)
};

class Session {
 public:
  /// `scope`: what a token is asked for where the registry does not say.
  Session(Endpoint endpoint, std::string scope);
  /// Knows what this one learnt, on connections of its own.
  [[nodiscard]] Session copy() const;

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] const std::string& url() const { return endpoint_.url; }
  /// Instead of those that the files know.
  void use(Credentials credentials);
  /// What the registry gave for the user's password, to be kept instead of it; empty: nothing.
  [[nodiscard]] const std::string& identity_token() const { return identity_token_; }

  /// Once, or twice where it has to say who we are. A second 401 is an answer.
  Result<HttpResponse> attempt(const HttpRequest& request);
  /// The same, with tries.
  Result<HttpResponse> send(const HttpRequest& request, int tries = kTries);

 private:
  Result<void> authenticate(const HttpResponse& refused);
  Result<std::string> token(const Challenge& challenge);
  [[nodiscard]] HttpRequest token_request(const Challenge& challenge) const;

  Endpoint endpoint_;
  std::string scope_;
  HttpClient http_;
  std::string authorization_;  // what worked
  std::optional<Credentials> credentials_;
  bool asked_for_credentials_ = false, logs_in_ = false;
  std::string identity_token_;
};

bool passes_by_itself(long status);
bool passes_by_itself(const Error& error);
std::chrono::milliseconds pause_before(int attempt, const std::string& retry_after);

/// `what` and why there is no success in it.
tl::unexpected<Error> refused(const HttpResponse& response, const std::string& what);

/// As a part of a form or an address.
std::string escape(std::string_view text);

}  // namespace runhl::oci
