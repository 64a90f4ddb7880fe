// SPDX-License-Identifier: Apache-2.0
#include "session.h"

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "runhl/json/node.h"

namespace runhl::oci {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{300}, kLongestPause{30'000};

std::string basic(const Credentials& credentials) {
  return "Basic " + encode_base64(credentials.user + ":" + credentials.secret);
}

/// ": " and the first of a registry's errors, where there is one.
std::string said_in(const std::string& body) {
  const auto document = parse_json(body);
  const Value* const errors = document ? document->member("errors") : nullptr;
  if (errors == nullptr || errors->children.empty()) {
    return "";
  }
  const Value* const message = errors->children.front().member("message");
  return message == nullptr || message->text.empty() ? "" : ": " + printable(message->text);
}

}  // namespace

std::string escape(std::string_view text) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
        c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4U], kDigits[byte & 0xfU]};
    }
  }
  return out;
}

bool passes_by_itself(long status) {
  return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

bool passes_by_itself(const Error& error) {
  // Of the disk (os_errno) it does not.
  return (error.code == ErrorCode::Io || error.code == ErrorCode::Timeout) && error.os_errno == 0;
}

milliseconds pause_before(int attempt, const std::string& retry_after) {
  milliseconds pause = kFirstPause * (1 << attempt);
  long seconds = 0;
  const auto parsed =
      std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), seconds);
  if (parsed.ec == std::errc{} && seconds >= 0 && seconds <= 3600) {
    pause = std::max(pause, milliseconds(seconds * 1000));
  }
  return std::min(pause, kLongestPause);
}

tl::unexpected<Error> refused(const HttpResponse& response, const std::string& what) {
  const ErrorCode code = response.status == 404                             ? ErrorCode::NotFound
                         : response.status == 401 || response.status == 403 ? ErrorCode::Permission
                                                                            : ErrorCode::Io;
  const std::string why = response.status == 404   ? "is not there"
                          : response.status == 401 ? "is not for us (runhl login)"
                          : response.status == 403 ? "is forbidden"
                                                   : "cannot be had";
  return fail(code, what + " " + why + " (HTTP " + std::to_string(response.status) +
                        said_in(response.body) + ")");
}

Session::Session(Endpoint endpoint, std::string scope)
    : endpoint_(std::move(endpoint)), scope_(std::move(scope)), http_(endpoint_.http) {}

Session Session::copy() const {
  Session out(endpoint_, scope_);
  out.authorization_ = authorization_;
  out.credentials_ = credentials_;
  out.asked_for_credentials_ = asked_for_credentials_;
  return out;
}

void Session::use(Credentials credentials) {
  credentials_ = std::move(credentials);
  asked_for_credentials_ = logs_in_ = true;
}

HttpRequest Session::token_request(const Challenge& challenge) const {
  std::string query = "client_id=runhl";
  if (!challenge.service.empty()) {
    query += "&service=" + escape(challenge.service);
  }
  // Several are said one by one, as docker does.
  std::string_view scopes = challenge.scope.empty() ? scope_ : challenge.scope;
  while (!scopes.empty()) {
    const std::string_view one = scopes.substr(0, scopes.find(' '));
    query += one.empty() ? "" : "&scope=" + escape(one);
    scopes.remove_prefix(std::min(scopes.size(), one.size() + 1));
  }
  HttpRequest request;
  request.url = challenge.realm;
  if (credentials_ && !credentials_->identity_token.empty()) {
    request.method = HttpRequest::Method::Post;
    request.content_type = "application/x-www-form-urlencoded";
    request.body = "grant_type=refresh_token&" + query +
                   "&refresh_token=" + escape(credentials_->identity_token);
    return request;
  }
  if (credentials_) {
    query += "&account=" + escape(credentials_->user) + (logs_in_ ? "&offline_token=true" : "");
    request.authorization = basic(*credentials_);
  }
  request.url += (challenge.realm.find('?') == std::string::npos ? "?" : "&") + query;
  return request;
}

Result<std::string> Session::token(const Challenge& challenge) {
  const HttpResponse response = TRY(http_.perform(token_request(challenge)));
  if (response.status != 200) {
    return refused(response, "the token for " + endpoint_.domain);
  }
  const Value document = TRY(with_context("the token", parse_json(response.body)));
  const Node root(document);
  TRY(root.as_object());
  std::string text = TRY(root.string_or("token"));
  if (text.empty()) {
    text = TRY(root.string_or("access_token"));
  }
  if (text.empty() || text.find_first_of("\r\n") != std::string::npos) {
    return fail(ErrorCode::InvalidArgument, "the registry's token is none");
  }
  if (logs_in_) {
    identity_token_ = TRY(root.string_or("refresh_token"));
  }
  return text;
}

Result<void> Session::authenticate(const HttpResponse& response) {
  const Challenge challenge = TRY(Challenge::parse(response.header("www-authenticate")));
  if (!asked_for_credentials_) {
    credentials_ = TRY(find_credentials(endpoint_.domain));
    asked_for_credentials_ = true;
  }
  if (challenge.scheme == Challenge::Scheme::Bearer) {
    authorization_ = "Bearer " + TRY(token(challenge));
  } else if (credentials_ && credentials_->identity_token.empty()) {
    authorization_ = basic(*credentials_);
  }
  return {};
}

Result<HttpResponse> Session::attempt(const HttpRequest& request) {
  HttpRequest authorized = request;
  if (!is_same_origin(request.url, endpoint_.url)) {  // an upload goes where the registry says
    authorized.is_foreign = true;
    return http_.perform(authorized);
  }
  authorized.authorization = authorization_;
  HttpResponse response = TRY(http_.perform(authorized));
  if (response.status != 401) {
    return response;
  }
  TRY(authenticate(response));
  authorized.authorization = authorization_;
  return http_.perform(authorized);
}

Result<HttpResponse> Session::send(const HttpRequest& request, int tries) {
  for (int done = 0;; ++done) {
    Result<HttpResponse> response = attempt(request);
    const bool again =
        response ? passes_by_itself(response->status) : passes_by_itself(response.error());
    if (!again || done + 1 == tries) {
      return response;
    }
    std::this_thread::sleep_for(
        pause_before(done, response ? response->header("retry-after") : ""));
  }
}

}  // namespace runhl::oci
