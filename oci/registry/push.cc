// SPDX-License-Identifier: Apache-2.0
#include "runhl/registry/push.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <vector>

#include "endpoint.h"
#include "runhl/base/file_io.h"
#include "runhl/blobs/parallel.h"
#include "runhl/blobs/sha256.h"
#include "runhl/image/media_types.h"
#include "upload.h"

namespace runhl::oci {
namespace {

constexpr int kMaxNested = 4;  // an index in an index in …

class Push {
 public:
  Push(const Reference& target, Session session, const BlobSource& source,
       const PushOptions& options)
      : target_(target), session_(std::move(session)), source_(source), options_(options) {
    base_ = session_.url() + "/" + target.repository;
  }

  /// What `descriptor` names, and then itself, as `selector`.
  Result<void> document(const Descriptor& descriptor, const std::string& selector, int nested) {
    const std::string text = TRY(read(descriptor));
    const Document parsed = TRY(with_context(descriptor.digest.text(), parse_document(text)));
    if (const Index* const index = std::get_if<Index>(&parsed)) {
      if (nested == kMaxNested) {
        return fail(ErrorCode::InvalidArgument, "indexes lie in indexes without end");
      }
      for (const Descriptor& one : index->manifests) {
        TRY(document(one, one.digest.text(), nested + 1));
      }
    } else {
      TRY(blobs(std::get<Manifest>(parsed)));
    }
    return put_document(text, selector);
  }

 private:
  Result<std::string> read(const Descriptor& descriptor) {
    const std::string what = descriptor.digest.text();
    const UniqueFd fd = TRY(source_(descriptor));
    std::string text = TRY(read_up_to(fd.get(), kMaxDocumentBytes + 1, what));
    if (digest_of(text) != descriptor.digest) {
      return fail(ErrorCode::InvalidArgument, what + ": is other content");
    }
    return text;
  }

  Result<void> blobs(const Manifest& manifest) {
    std::vector<Descriptor> all;
    const auto add = [&](const Descriptor& blob) {
      if (done_.insert(blob.digest).second) {
        all.push_back(blob);
      }
    };
    for (const Descriptor& layer : manifest.layers) {
      TRY(check_layer_type(layer.media_type));
      add(layer);
    }
    add(manifest.config);
    std::vector<Session> sessions;
    for (std::size_t i = 0; i < kParallel; ++i) {
      sessions.push_back(session_.copy());
    }
    return in_parallel(all.size(), [&](std::size_t worker, std::size_t index) {
      return blob(&sessions[worker], all[index]);
    });
  }

  Result<void> blob(Session* session, const Descriptor& descriptor) {
    Upload upload(session, base_,
                  {.mount_from = options_.mount_from, .piece_bytes = options_.piece_bytes});
    if (TRY(with_context(target_.name(), upload.is_there(descriptor)))) {
      tell(PushEvent::What::Present, descriptor);
      return {};
    }
    tell(PushEvent::What::Begun, descriptor);
    const UniqueFd fd = TRY(source_(descriptor));
    tell(TRY(with_context(target_.name(), upload.blob(descriptor, fd.get()))), descriptor);
    return {};
  }

  Result<void> put_document(const std::string& text, const std::string& selector) {
    HttpRequest request;
    request.method = HttpRequest::Method::Put;
    request.url = base_ + "/manifests/" + selector;
    request.content_type = TRY(media_type_of(text));
    request.body = text;
    const std::string what = target_.name() + ":" + selector;
    const HttpResponse answer = TRY(with_context(what, session_.send(request)));
    if (answer.status != 201) {
      return refused(answer, what);
    }
    const std::string digest = answer.header("docker-content-digest");
    if (!digest.empty() && digest != digest_of(text).text()) {
      return fail(ErrorCode::Io, what + ": the registry took it for " + digest.substr(0, 80));
    }
    return {};
  }

  void tell(PushEvent::What what, const Descriptor& blob) {
    const std::lock_guard guard(mutex_);
    if (options_.progress) {
      options_.progress({.what = what, .blob = blob});
    }
  }

  const Reference& target_;
  Session session_;
  const BlobSource& source_;
  const PushOptions& options_;
  std::string base_;
  std::set<Digest> done_;
  std::mutex mutex_;  // of the caller's progress
};

/// As containerd: the first that takes it.
Result<Endpoint> endpoint_to_push_to(const Reference& target, const ClientOptions& options) {
  for (Endpoint& endpoint : TRY(endpoints_of(target.domain, options))) {
    if (endpoint.pushes) {
      return std::move(endpoint);
    }
  }
  return fail(ErrorCode::Unsupported, target.domain + ": hosts.toml allows nothing to be pushed");
}

}  // namespace

Result<Digest> push(const Reference& target, const Descriptor& top, const BlobSource& source,
                    const PushOptions& options) {
  if (target.digest && *target.digest != top.digest) {
    return fail(ErrorCode::InvalidArgument,
                target.text() + ": the image's digest is " + top.digest.text());
  }
  Session session(TRY(endpoint_to_push_to(target, options.client)),
                  "repository:" + target.repository + ":pull,push");
  TRY(Push(target, std::move(session), source, options).document(top, target.selector(), 0));
  return top.digest;
}

}  // namespace runhl::oci
