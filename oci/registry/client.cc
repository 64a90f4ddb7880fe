// SPDX-License-Identifier: Apache-2.0
#include "runhl/registry/client.h"

#include <thread>
#include <utility>
#include <vector>

#include "endpoint.h"
#include "runhl/blobs/sha256.h"
#include "runhl/image/media_types.h"
#include "session.h"

namespace runhl::oci {
namespace {

constexpr std::uint64_t kProgress = 1ULL
                                    << 20U;  // as much shows that a connection is worth another
constexpr int kTriesOfMirror = 2;            // there is somebody else to ask

/// One place of several where the repository is.
struct Source {
  Session session;
  std::string base;   // of the repository
  std::string query;  // tells a mirror for whom it is asked, as containerd does
  int tries = kTries;
  bool failed = false;
};

Source source_of(Endpoint endpoint, const Reference& repository) {
  std::string base = endpoint.url + "/" + repository.repository;
  std::string query = endpoint.mirrors.empty() ? "" : "?ns=" + escape(endpoint.mirrors);
  Session session(std::move(endpoint), "repository:" + repository.repository + ":pull");
  return {.session = std::move(session), .base = std::move(base), .query = std::move(query)};
}

Result<Fetched> fetch_manifest(Source* source, const std::string& selector,
                               const std::string& what) {
  HttpRequest request;
  request.url = source->base + "/manifests/" + selector + source->query;
  request.headers = {"Accept: " + std::string(kOciIndex) + ", " + std::string(kOciManifest) + ", " +
                     std::string(kDockerIndex) + ", " + std::string(kDockerManifest)};
  HttpResponse response = TRY(with_context(what, source->session.send(request, source->tries)));
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

/// A blob out of one source, with as many requests as it takes.
class Download {
 public:
  Download(Source* source, const Descriptor& descriptor, Client::BlobSink* sink, std::string what)
      : source_(source), descriptor_(descriptor), sink_(sink), what_(std::move(what)) {}

  Result<void> run() {
    int tries = 0;
    while (sink_->size() < descriptor_.size) {
      const std::uint64_t before = sink_->size();
      const Result<HttpResponse> response = source_->session.attempt(request());
      if (response && response->status == 416 && before != 0) {
        TRY(sink_->restart());
      } else {
        TRY(check(response));
      }
      if (sink_->size() > before && sink_->size() - before >= kProgress) {
        tries = 0;
      } else if (sink_->size() < descriptor_.size && ++tries == source_->tries) {
        return give_up(response);
      } else if (sink_->size() < descriptor_.size) {
        std::this_thread::sleep_for(
            pause_before(tries - 1, response ? response->header("retry-after") : ""));
      }
    }
    return {};
  }

 private:
  HttpRequest request() {
    const std::uint64_t begin = sink_->size();
    HttpRequest out;
    out.url = source_->base + "/blobs/" + descriptor_.digest.text() + source_->query;
    if (begin != 0) {
      out.headers.push_back("Range: bytes=" + std::to_string(begin) + "-");
    }
    out.sink = [this, begin, began = false](const HttpResponse& so_far,
                                            std::span<const std::byte> piece) mutable {
      return take(so_far, piece, begin, !std::exchange(began, true));
    };
    return out;
  }
  Result<void> take(const HttpResponse& so_far, std::span<const std::byte> piece,
                    std::uint64_t begin, bool is_first) {
    const std::string range = "bytes " + std::to_string(begin) + "-";
    if (is_first && begin != 0 &&
        (so_far.status != 206 || !so_far.header("content-range").starts_with(range))) {
      TRY(sink_->restart());
    }
    if (piece.size() > descriptor_.size - sink_->size()) {
      return fail(ErrorCode::InvalidArgument, "came with more than the " +
                                                  std::to_string(descriptor_.size) +
                                                  " bytes that its descriptor says");
    }
    return sink_->write(piece);
  }
  /// What another try would not mend.
  Result<void> check(const Result<HttpResponse>& response) {
    if (response && response->status / 100 != 2 && !passes_by_itself(response->status)) {
      return refused(*response, what_);
    }
    if (!response && !passes_by_itself(response.error())) {
      return with_context(what_, Result<void>(tl::unexpected(response.error())));
    }
    return {};
  }
  Result<void> give_up(const Result<HttpResponse>& response) {
    if (!response) {
      return with_context(what_, Result<void>(tl::unexpected(response.error())));
    }
    return passes_by_itself(response->status)
               ? refused(*response, what_)
               : fail(ErrorCode::Io, what_ + ": ends before its size");
  }

  Source* source_;
  const Descriptor& descriptor_;
  Client::BlobSink* sink_;
  std::string what_;
};

}  // namespace

struct Client::State {
  Reference repository;
  std::vector<Source> sources;  // the mirrors; the registry itself

  /// Of the first source that `may` be asked and gives an answer.
  template <typename T, typename Ask>
  Result<T> first_answer(bool Endpoint::* may, const Ask& ask);
};

template <typename T, typename Ask>
Result<T> Client::State::first_answer(bool Endpoint::* may, const Ask& ask) {
  std::string said;  // of mirrors
  for (Source& source : sources) {
    if (source.failed || !(source.session.endpoint().*may)) {
      continue;
    }
    Result<T> answer = ask(&source);
    const bool is_last = &source == &sources.back();
    if (answer || answer.error().os_errno != 0) {  // our own disk is no source's fault
      return answer;
    }
    if (is_last) {
      answer.error().message += said;
      return answer;
    }
    source.failed = answer.error().code != ErrorCode::NotFound;
    said += "; before that, " + source.session.url() + ": " + answer.error().message;
  }
  return fail(ErrorCode::Unsupported,
              repository.name() + ": hosts.toml allows nobody to be asked" + said);
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::create(const Reference& repository, const ClientOptions& options) {
  auto state = std::make_unique<State>(State{.repository = repository, .sources = {}});
  for (Endpoint& endpoint : TRY(endpoints_of(repository.domain, options))) {
    state->sources.push_back(source_of(std::move(endpoint), repository));
    state->sources.back().tries = kTriesOfMirror;
  }
  state->sources.back().tries = kTries;
  return Client(std::move(state));
}

Client Client::copy() const {
  auto state = std::make_unique<State>(State{.repository = state_->repository, .sources = {}});
  for (const Source& source : state_->sources) {
    state->sources.push_back({.session = source.session.copy(),
                              .base = source.base,
                              .query = source.query,
                              .tries = source.tries,
                              .failed = source.failed});
  }
  return Client(std::move(state));
}

Result<Fetched> Client::manifest(const std::string& selector) {
  const bool by_digest = selector.starts_with("sha256:");
  const std::string what = state_->repository.name() + (by_digest ? "@" : ":") + selector;
  return state_->first_answer<Fetched>(
      by_digest ? &Endpoint::pulls : &Endpoint::resolves,
      [&](Source* source) { return fetch_manifest(source, selector, what); });
}

Result<void> Client::blob(const Descriptor& descriptor, BlobSink& sink) {
  const std::string what = state_->repository.name() + "@" + descriptor.digest.text();
  return state_->first_answer<void>(&Endpoint::pulls, [&](Source* source) -> Result<void> {
    for (;;) {
      const bool all_from_here = sink.size() == 0;
      TRY(Download(source, descriptor, &sink, what).run());
      Result<void> good = sink.check();
      if (good) {
        return good;
      }
      TRY(sink.restart());
      if (all_from_here) {  // else others may have given the wrong part
        return good;
      }
    }
  });
}

}  // namespace runhl::oci
