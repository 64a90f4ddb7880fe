// SPDX-License-Identifier: Apache-2.0
#include "http.h"

#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "runhl/image/documents.h"

namespace runhl::oci {
namespace {

constexpr int kMaxRedirects = 10;
// Slower for the stall timeout is a peer that only pretends.
constexpr long kLeastBytesPerSecond = 1024;
constexpr long kAnswerSeconds = 300;
constexpr std::size_t kMaxHeaders = 256;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

struct Origin {
  std::string scheme, host, port;
  friend bool operator==(const Origin&, const Origin&) = default;
};

Result<Origin> origin_of(const std::string& text) {
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  RUNHL_CHECK(url != nullptr);
  const auto part = [&](CURLUPart which) {
    char* value = nullptr;
    std::string out;
    if (curl_url_get(url.get(), which, &value, CURLU_DEFAULT_PORT) == CURLUE_OK) {
      out = value;
      curl_free(value);
    }
    return out;
  };
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return fail(ErrorCode::InvalidArgument, "\"" + text.substr(0, 200) + "\" is no address");
  }
  return Origin{part(CURLUPART_SCHEME), part(CURLUPART_HOST), part(CURLUPART_PORT)};
}

/// What one exchange collects.
struct Exchange {
  CURL* easy = nullptr;
  const HttpRequest* request = nullptr;
  HttpResponse response;
  std::optional<Error> error;

  Result<void> take(std::span<const std::byte> piece) {
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &response.status);
    if (request->sink && response.status / 100 == 2) {
      return request->sink(response, piece);
    }
    if (response.body.size() + piece.size() > kMaxDocumentBytes) {
      return fail(ErrorCode::InvalidArgument, "the registry's answer is larger than 4 MiB");
    }
    response.body.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  }
};

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  const auto taken = exchange.take(std::as_bytes(std::span(bytes, size * count)));
  if (!taken) {
    exchange.error = taken.error();
    return 0;
  }
  return size * count;
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  Exchange& exchange = *static_cast<Exchange*>(self);
  const std::string_view line(bytes, size * count);
  const std::size_t colon = line.find(':');
  if (line.starts_with("HTTP/")) {
    exchange.response.headers.clear();  // of an interim answer
  } else if (colon != std::string_view::npos && exchange.response.headers.size() < kMaxHeaders) {
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.size(), value.find_first_not_of(" \t")));
    value = value.substr(0, value.find_last_not_of(" \t\r\n") + 1);
    exchange.response.headers[name] = value;
  }
  return size * count;
}

std::size_t on_read(char* bytes, std::size_t size, std::size_t count, void* self) {
  HttpRequest::FilePart& part = *static_cast<HttpRequest::FilePart*>(self);
  const ssize_t got = ::pread(part.fd, bytes, std::min<std::uint64_t>(size * count, part.size),
                              static_cast<off_t>(part.offset));
  if (got < 0) {
    return CURL_READFUNC_ABORT;
  }
  part.offset += static_cast<std::uint64_t>(got);
  part.size -= static_cast<std::uint64_t>(got);
  return static_cast<std::size_t>(got);
}

void set_method(CURL* curl, const HttpRequest& request) {
  switch (request.method) {
    case HttpRequest::Method::Get:
      return;
    case HttpRequest::Method::Head:
      curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
      return;
    case HttpRequest::Method::Put:
      curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
      break;
    case HttpRequest::Method::Patch:
      curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PATCH");
      break;
    case HttpRequest::Method::Post:
      break;
  }
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  // The registry hashes what it got before it answers.
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kAnswerSeconds);
  if (request.file) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.file->size));
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
    return;
  }
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
}

void set_trust(CURL* curl, const HttpOptions& options) {
  if (options.skip_verify) {
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (!options.authorities.empty()) {
    // Instead of the system's file; its directory still counts.
    curl_blob blob{.data = const_cast<char*>(options.authorities.data()),  // NOLINT: only read
                   .len = options.authorities.size(),
                   .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
  }
  if (!options.client_certificate.empty()) {
    curl_easy_setopt(curl, CURLOPT_SSLCERT, options.client_certificate.c_str());
    curl_easy_setopt(curl, CURLOPT_SSLKEY, options.client_key.c_str());
  }
}

bool only_reads(const HttpRequest& request) {
  return request.method == HttpRequest::Method::Get || request.method == HttpRequest::Method::Head;
}

bool is_redirect(const HttpRequest& request, long status) {
  // What changes something is sent again as it is, or not at all.
  return status == 307 || status == 308 ||
         (only_reads(request) && (status == 301 || status == 302 || status == 303));
}

}  // namespace

Result<std::string> resolve_address(const std::string& base, const std::string& location) {
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  RUNHL_CHECK(url != nullptr);
  char* text = nullptr;
  if (location.empty() || curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(url.get(), CURLUPART_URL, location.c_str(), CURLU_NON_SUPPORT_SCHEME) !=
          CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_URL, &text, 0) != CURLUE_OK) {
    return fail(ErrorCode::InvalidArgument,
                "\"" + location.substr(0, 200) + "\" is no address to go on with");
  }
  std::string out = text;
  curl_free(text);
  return out;
}

bool is_same_origin(const std::string& a, const std::string& b) {
  const auto one = origin_of(a), other = origin_of(b);
  return one && other && *one == *other;
}

std::string HttpResponse::header(const std::string& name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? "" : at->second;
}

struct HttpClient::State {
  HttpOptions options;
  std::unique_ptr<CURL, FreeEasy> easy{curl_easy_init()};

  [[nodiscard]] Result<void> check_address(const std::string& url,
                                           const std::optional<Origin>& from) const {
    const Origin origin = TRY(origin_of(url));
    const bool plain_before = from ? from->scheme == "http" : options.allow_plain;
    if (origin.scheme == "https" || (origin.scheme == "http" && plain_before)) {
      return {};
    }
    if (from) {
      return fail(ErrorCode::Permission, "the registry redirects from " + from->scheme + " to " +
                                             origin.scheme + ", which is not followed");
    }
    return fail(ErrorCode::Permission, origin.scheme + ":// is not used unless asked for");
  }

  Result<HttpResponse> once(const HttpRequest& request, const std::string& url,
                            bool for_first_host);
};

Result<HttpResponse> HttpClient::State::once(const HttpRequest& request, const std::string& url,
                                             bool for_first_host) {
  CURL* const curl = easy.get();
  curl_easy_reset(curl);  // keeps the connections
  curl_slist* raw = nullptr;
  const auto add = [&](const std::string& line) { raw = curl_slist_append(raw, line.c_str()); };
  for (const std::string& line : request.headers) {
    add(line);
  }
  if (for_first_host) {
    for (const std::string& line : options.headers) {
      add(line);
    }
    if (!request.authorization.empty()) {
      add("Authorization: " + request.authorization);
    }
  }
  if (!only_reads(request)) {
    add("Content-Type: " + request.content_type);  // without a value: none is sent
    add("Expect:");
  }
  const std::unique_ptr<curl_slist, FreeList> headers(raw);
  Exchange exchange{.easy = curl, .request = &request, .response = {}, .error = {}};
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, options.allow_plain ? "http,https" : "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "runhl");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kLeastBytesPerSecond);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  HttpRequest::FilePart unsent = request.file.value_or(HttpRequest::FilePart());
  curl_easy_setopt(curl, CURLOPT_READDATA, &unsent);
  set_method(curl, request);
  set_trust(curl, options);
  std::array<char, CURL_ERROR_SIZE> said{};
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said.data());
  const CURLcode code = curl_easy_perform(curl);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
  if (exchange.error) {
    return tl::unexpected(std::move(*exchange.error));
  }
  if (code != CURLE_OK) {
    const ErrorCode kind = code == CURLE_PEER_FAILED_VERIFICATION ? ErrorCode::Permission
                           : code == CURLE_OPERATION_TIMEDOUT     ? ErrorCode::Timeout
                                                                  : ErrorCode::Io;
    return fail(kind, said.front() != '\0' ? said.data() : curl_easy_strerror(code));
  }
  (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &exchange.response.status);
  return std::move(exchange.response);
}

HttpClient::HttpClient(HttpOptions options) : state_(std::make_unique<State>()) {
  RUNHL_CHECK(state_->easy != nullptr);
  state_->options = std::move(options);
}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient& HttpClient::operator=(HttpClient&&) noexcept = default;

Result<HttpResponse> HttpClient::perform(const HttpRequest& request) {
  TRY(state_->check_address(request.url, {}));
  const Origin first = TRY(origin_of(request.url));
  std::string url = request.url;
  bool still_there = !request.is_foreign;  // never true again after another host was met
  for (int redirects = 0; redirects <= kMaxRedirects; ++redirects) {
    HttpResponse response = TRY(state_->once(request, url, still_there));
    if (!is_redirect(request, response.status)) {
      return response;
    }
    char* next = nullptr;
    (void)curl_easy_getinfo(state_->easy.get(), CURLINFO_REDIRECT_URL, &next);
    if (next == nullptr) {
      return fail(ErrorCode::InvalidArgument, "the registry redirects to nowhere");
    }
    const Origin from = TRY(origin_of(url));
    url = next;
    TRY(state_->check_address(url, from));
    still_there = still_there && TRY(origin_of(url)) == first;
    if (!still_there && !only_reads(request)) {
      return fail(ErrorCode::Permission, "the registry redirects what it is sent to another host");
    }
  }
  return fail(ErrorCode::InvalidArgument, "the registry redirects without end");
}

}  // namespace runhl::oci
