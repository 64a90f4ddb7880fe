// SPDX-License-Identifier: Apache-2.0
#include "runhl/registry/pull.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "partial_blob.h"
#include "runhl/blobs/blob_writer.h"
#include "runhl/image/media_types.h"

namespace runhl::oci {
namespace {

constexpr std::size_t kParallel = 3;  // as docker

Result<void> fetch_blob(const Store& store, Client& client, const Descriptor& descriptor) {
  if (store.has(descriptor)) {
    return {};
  }
  PartialBlob blob = TRY(PartialBlob::open(store, descriptor));
  if (store.has(descriptor)) {  // while we waited
    return {};
  }
  TRY(client.blob(descriptor, blob));
  return blob.finish();
}

/// Layers by several connections; the first error ends all.
class LayerFetch {
 public:
  LayerFetch(const Store& store, const Client& client, const PullOptions& options,
             std::vector<Descriptor> layers)
      : store_(store), client_(client), options_(options), layers_(std::move(layers)) {}

  Result<void> run() {
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < std::min(kParallel, layers_.size()); ++i) {
        threads.emplace_back([this] { work(); });
      }
    }
    return error_ ? Result<void>(tl::unexpected(*error_)) : Result<void>{};
  }

 private:
  void work() {
    Client client = client_.copy();
    while (!failed_) {
      const std::size_t index = next_++;
      if (index >= layers_.size()) {
        return;
      }
      const Descriptor& layer = layers_[index];
      tell(PullEvent::What::Begun, layer);
      const Result<void> fetched = fetch_blob(store_, client, layer);
      if (!fetched) {
        const std::lock_guard guard(mutex_);
        failed_ = true;
        error_ = error_ ? error_ : fetched.error();
        return;
      }
      tell(PullEvent::What::Done, layer);
    }
  }
  void tell(PullEvent::What what, const Descriptor& layer) {
    const std::lock_guard guard(mutex_);
    if (options_.progress) {
      options_.progress({.what = what, .blob = layer});
    }
  }

  const Store& store_;
  const Client& client_;
  const PullOptions& options_;
  const std::vector<Descriptor> layers_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;  // of error_ and the caller's progress
  std::optional<Error> error_;
};

/// Those that are not there, each once: an image may have the same one several times.
std::vector<Descriptor> missing_layers(const Store& store, const Manifest& manifest,
                                       const PullOptions& options) {
  std::vector<Descriptor> missing;
  std::set<Digest> seen;
  for (const Descriptor& layer : manifest.layers) {
    if (!seen.insert(layer.digest).second) {
      continue;
    }
    if (!store.has(layer)) {
      missing.push_back(layer);
    } else if (options.progress) {
      options.progress({.what = PullEvent::What::Present, .blob = layer});
    }
  }
  return missing;
}

}  // namespace

Result<NamedImage> pull(const Store& store, const Reference& reference,
                        const PullOptions& options) {
  Client client = TRY(Client::create(reference, options.client));
  const UniqueFd use = TRY(store.begin_adding());
  const Fetched top = TRY(client.manifest(reference.selector()));
  const Resolved image = TRY(with_context(
      reference.text(), resolve(top.descriptor, options.platform,
                                [&](const Descriptor& wanted) -> Result<std::string> {
                                  if (wanted.digest == top.descriptor.digest) {
                                    return top.text;
                                  }
                                  return store.has(wanted)
                                             ? store.document(wanted)
                                             : TRY(client.manifest(wanted.digest.text())).text;
                                })));
  Descriptor descriptor = TRY(add_document(store, image.text, kOciManifest));
  const NamedImage named{.name = reference.text(), .descriptor = std::move(descriptor)};
  TRY(fetch_blob(store, client, image.manifest.config));
  TRY(load_image(store, named));  // before the large part comes
  TRY(LayerFetch(store, client, options, missing_layers(store, image.manifest, options)).run());
  TRY(store.set_name(named.name, named.descriptor));
  return named;
}

}  // namespace runhl::oci
