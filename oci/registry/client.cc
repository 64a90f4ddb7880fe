// SPDX-License-Identifier: Apache-2.0
#include "runhl/registry/client.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "challenge.h"
#include "credentials.h"
#include "http.h"
#include "runhl/blobs/sha256.h"
#include "runhl/image/media_types.h"
#include "runhl/json/node.h"

namespace runhl::oci {
namespace {

using std::chrono::milliseconds;

constexpr int kTries = 5;
constexpr std::uint64_t kProgress = 1ULL
                                    << 20U;  // as much shows that a connection is worth another
constexpr milliseconds kFirstPause{300}, kLongestPause{30'000};

/// Where docker's engine keeps an authority that it trusts for one registry.
std::string authority_of(const std::string& domain) {
  const std::string file = "/etc/docker/certs.d/" + domain + "/ca.crt";
  return ::access(file.c_str(), R_OK) == 0 ? file : "";
}

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
                          : response.status == 401 ? "is not for us (log in with docker or podman)"
                          : response.status == 403 ? "is forbidden"
                                                   : "cannot be had";
  return fail(code, what + " " + why + " (HTTP " + std::to_string(response.status) + ")");
}

}  // namespace

struct Client::State {
  Reference repository;
  HttpOptions http_options;
  std::string base;
  HttpClient http;
  std::string authorization;  // what worked
  std::optional<Credentials> credentials;
  bool asked_for_credentials = false;

  explicit State(HttpOptions options) : http_options(options), http(std::move(options)) {}

  Result<void> authenticate(const HttpResponse& refused);
  Result<std::string> token(const Challenge& challenge);
  Result<HttpResponse> attempt(const HttpRequest& request);
  Result<HttpResponse> get(const HttpRequest& request);
};

Result<std::string> Client::State::token(const Challenge& challenge) {
  std::string url = challenge.realm + (challenge.realm.find('?') == std::string::npos ? "?" : "&");
  if (!challenge.service.empty()) {
    url += "service=" + escape(challenge.service) + "&";
  }
  url += "scope=" + escape(challenge.scope.empty() ? "repository:" + repository.repository + ":pull"
                                                   : challenge.scope);
  HttpRequest request;
  request.url = url;
  if (credentials) {
    request.authorization = "Basic " + encode_base64(credentials->user + ":" + credentials->secret);
  }
  const HttpResponse response = TRY(http.perform(request));
  if (response.status != 200) {
    return runhl::oci::refused(response, "the token for " + repository.name());
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
  return text;
}

Result<void> Client::State::authenticate(const HttpResponse& response) {
  const Challenge challenge = TRY(Challenge::parse(response.header("www-authenticate")));
  if (!asked_for_credentials) {
    credentials = TRY(find_credentials(repository.domain));
    asked_for_credentials = true;
  }
  if (challenge.scheme == Challenge::Scheme::Bearer) {
    authorization = "Bearer " + TRY(token(challenge));
  } else if (credentials) {
    authorization = "Basic " + encode_base64(credentials->user + ":" + credentials->secret);
  }
  return {};
}

/// A second 401 is an answer.
Result<HttpResponse> Client::State::attempt(const HttpRequest& request) {
  HttpRequest authorized = request;
  authorized.authorization = authorization;
  HttpResponse response = TRY(http.perform(authorized));
  if (response.status != 401) {
    return response;
  }
  TRY(authenticate(response));
  authorized.authorization = authorization;
  return http.perform(authorized);
}

Result<HttpResponse> Client::State::get(const HttpRequest& request) {
  for (int tries = 0;; ++tries) {
    Result<HttpResponse> response = attempt(request);
    const bool again =
        response ? passes_by_itself(response->status) : passes_by_itself(response.error());
    if (!again || tries + 1 == kTries) {
      return response;
    }
    std::this_thread::sleep_for(
        pause_before(tries, response ? response->header("retry-after") : ""));
  }
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::create(const Reference& repository, const ClientOptions& options) {
  const std::string authority = authority_of(repository.domain);
  const bool plain = options.plain_http || (repository.is_local() && authority.empty());
  auto state = std::make_unique<State>(HttpOptions{.allow_plain = plain, .ca_file = authority});
  state->repository = repository;
  const std::string host =
      repository.domain == "docker.io" ? "registry-1.docker.io" : repository.domain;
  state->base = (plain ? "http://" : "https://") + host + "/v2/" + repository.repository;
  return Client(std::move(state));
}

Client Client::copy() const {
  auto state = std::make_unique<State>(state_->http_options);
  state->repository = state_->repository;
  state->base = state_->base;
  state->authorization = state_->authorization;
  state->credentials = state_->credentials;
  state->asked_for_credentials = state_->asked_for_credentials;
  return Client(std::move(state));
}

Result<Fetched> Client::manifest(const std::string& selector) {
  HttpRequest request;
  request.url = state_->base + "/manifests/" + selector;
  request.headers = {"Accept: " + std::string(kOciIndex) + ", " + std::string(kOciManifest) + ", " +
                     std::string(kDockerIndex) + ", " + std::string(kDockerManifest)};
  const std::string what =
      state_->repository.name() + (selector.starts_with("sha256:") ? "@" : ":") + selector;
  HttpResponse response = TRY(with_context(what, state_->get(request)));
  if (response.status != 200) {
    return refused(response, what);
  }
  Fetched out{.descriptor = {.media_type = response.header("content-type"),
                             .digest = digest_of(response.body),
                             .size = response.body.size()},
              .text = std::move(response.body)};
  if (selector.starts_with("sha256:") && selector != out.descriptor.digest.text()) {
    return fail(ErrorCode::InvalidArgument,
                what + ": came with other content, " + out.descriptor.digest.text());
  }
  return out;
}

Result<void> Client::blob(const Descriptor& descriptor, BlobSink& sink) {
  const std::string what = state_->repository.name() + "@" + descriptor.digest.text();
  int tries = 0;
  while (sink.size() < descriptor.size) {
    const std::uint64_t before = sink.size();
    bool began = false;
    HttpRequest request;
    request.url = state_->base + "/blobs/" + descriptor.digest.text();
    if (before != 0) {
      request.headers.push_back("Range: bytes=" + std::to_string(before) + "-");
    }
    request.sink = [&](const HttpResponse& so_far,
                       std::span<const std::byte> piece) -> Result<void> {
      const std::string range = "bytes " + std::to_string(before) + "-";
      if (!std::exchange(began, true) && before != 0 &&
          (so_far.status != 206 || !so_far.header("content-range").starts_with(range))) {
        TRY(sink.restart());
      }
      if (piece.size() > descriptor.size - sink.size()) {
        return fail(ErrorCode::InvalidArgument, what + ": came with more than the " +
                                                    std::to_string(descriptor.size) +
                                                    " bytes that its descriptor says");
      }
      return sink.write(piece);
    };
    const Result<HttpResponse> response = state_->attempt(request);
    if (response && response->status == 416 && before != 0) {
      TRY(sink.restart());
    } else if (response && response->status / 100 != 2 && !passes_by_itself(response->status)) {
      return refused(*response, what);
    } else if (!response && !passes_by_itself(response.error())) {
      return tl::unexpected(response.error());
    }
    if (sink.size() > before && sink.size() - before >= kProgress) {
      tries = 0;
      continue;
    }
    if (sink.size() == descriptor.size) {
      return {};
    }
    if (++tries == kTries) {
      return !response ? with_context(what, Result<void>(tl::unexpected(response.error())))
             : passes_by_itself(response->status)
                 ? refused(*response, what)
                 : fail(ErrorCode::Io, what + ": ends before its size");
    }
    std::this_thread::sleep_for(
        pause_before(tries - 1, response ? response->header("retry-after") : ""));
  }
  return {};
}

}  // namespace runhl::oci
