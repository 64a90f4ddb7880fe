// SPDX-License-Identifier: Apache-2.0
#include "runhl/registry/pull.h"

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "growing_blob.h"
#include "partial_blob.h"
#include "runhl/blobs/blob_writer.h"
#include "runhl/blobs/parallel.h"
#include "runhl/image/media_types.h"

namespace runhl::oci {
namespace {

using Tell = std::function<void(PullEvent::What what, std::uint64_t bytes)>;

/// A download, told of, not too often, and to who reads along.
class WatchedSink final : public Client::BlobSink {
 public:
  WatchedSink(Client::BlobSink* to, GrowingBlob* reader, const Tell& tell)
      : to_(to), reader_(reader), tell_(tell) {}

  [[nodiscard]] std::uint64_t size() const override { return to_->size(); }
  Result<void> restart() override {
    reader_->restart();
    return to_->restart();
  }
  Result<void> write(std::span<const std::byte> bytes) override {
    constexpr std::chrono::milliseconds kPause{200};
    TRY(to_->write(bytes));
    reader_->grown(to_->size());
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ >= kPause) {
      told_ = now;
      tell_(PullEvent::What::Progress, to_->size());
    }
    return {};
  }
  Result<void> check() override { return to_->check(); }

 private:
  Client::BlobSink* to_;
  GrowingBlob* reader_;
  const Tell& tell_;
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

/// What is done with a layer's bytes, while they come or from the store.
using Take = std::function<Result<void>(ByteSource& bytes)>;

Result<void> take_stored(const Store& store, const Descriptor& descriptor, const Take& take) {
  if (!take) {
    return {};
  }
  const UniqueFd fd = TRY(store.blob(descriptor));
  FileBytes bytes(fd.get());
  return take(bytes);
}

Result<void> take_while_it_comes(GrowingBlob& bytes, const Take& take) {
  for (;;) {
    Result<void> taken = take(bytes);
    switch (bytes.outcome()) {
      case GrowingBlob::Outcome::Good:
        return taken;
      case GrowingBlob::Outcome::Restarted:
        break;
      case GrowingBlob::Outcome::Bad:  // and the download says why
        return {};
    }
  }
}

/// Downloads the blob, and gives it to `take`, if that is one.
Result<void> fetch_blob(const Store& store, Client& client, const Descriptor& descriptor,
                        const Tell& tell, const Take& take) {
  if (store.has(descriptor)) {
    return take_stored(store, descriptor, take);
  }
  PartialBlob blob = TRY(PartialBlob::open(store, descriptor));
  if (store.has(descriptor)) {  // while we waited
    return take_stored(store, descriptor, take);
  }
  tell(PullEvent::What::Begun, blob.size());
  GrowingBlob growing(blob.fd(), blob.size());
  WatchedSink sink(&blob, &growing, tell);
  Result<void> taken;
  std::jthread reader;
  if (take) {
    reader = std::jthread([&] { taken = take_while_it_comes(growing, take); });
  }
  const Result<void> fetched = client.blob(descriptor, sink);
  growing.end(fetched ? GrowingBlob::Outcome::Good : GrowingBlob::Outcome::Bad);
  const Result<void> published = fetched ? blob.publish() : fetched;
  if (!fetched && blob.size() == 0) {
    blob.discard();
  }
  if (take) {
    reader.join();
  }
  TRY(published);
  return taken;
}

Result<void> fetch_layers(const Store& store, const Client& client, const PullOptions& options,
                          const std::vector<Descriptor>& layers, LayerUnpacker* unpacker) {
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kParallel; ++i) {
    clients.push_back(client.copy());
  }
  std::mutex mutex;  // of the caller's progress
  return in_parallel(layers.size(), [&](std::size_t worker, std::size_t index) -> Result<void> {
    const Descriptor& layer = layers[index];
    const Tell tell = [&](PullEvent::What what, std::uint64_t bytes) {
      const std::lock_guard guard(mutex);
      if (options.progress) {
        options.progress({.what = what, .blob = layer, .bytes = bytes});
      }
    };
    Take take;
    if (unpacker != nullptr) {
      take = [&](ByteSource& bytes) { return unpacker->unpack(layer, bytes); };
    }
    const bool was_there = store.has(layer);
    TRY(fetch_blob(store, clients[worker], layer, tell, take));
    tell(was_there ? PullEvent::What::Present : PullEvent::What::Done, layer.size);
    return {};
  });
}

}  // namespace

Download::Download(const Store& store, const PullOptions& options, Client client, UniqueFd use,
                   Resolved found)
    : store_(&store),
      options_(&options),
      client_(std::move(client)),
      use_(std::move(use)),
      found_(std::move(found)) {}

Result<Download> Download::begin(const Store& store, const Reference& reference,
                                 const PullOptions& options) {
  Client client = TRY(Client::create(reference, options.client));
  UniqueFd use = TRY(store.begin_adding());
  const Fetched top = TRY(client.manifest(reference.selector()));
  Resolved found = TRY(with_context(
      reference.text(), resolve(top.descriptor, options.platform,
                                [&](const Descriptor& wanted) -> Result<std::string> {
                                  if (wanted.digest == top.descriptor.digest) {
                                    return top.text;
                                  }
                                  return store.has(wanted)
                                             ? store.document(wanted)
                                             : TRY(client.manifest(wanted.digest.text())).text;
                                })));
  return Download(store, options, std::move(client), std::move(use), std::move(found));
}

Result<void> Download::config() {
  return fetch_blob(*store_, client_, found_.manifest.config, [](PullEvent::What, std::uint64_t) {},
                    {});
}

Result<void> Download::layers(LayerUnpacker* unpacker) {
  return fetch_layers(*store_, client_, *options_, distinct_layers(found_.manifest), unpacker);
}

Result<NamedImage> pull(const Store& store, const Reference& reference,
                        const PullOptions& options) {
  Download download = TRY(Download::begin(store, reference, options));
  Descriptor descriptor = TRY(add_document(store, download.found().text, kOciManifest));
  NamedImage named{.name = reference.text(), .descriptor = std::move(descriptor)};
  TRY(download.config());
  const StoredImage stored = TRY(load_image(store, named));  // before the large part comes
  LayerUnpacker* const unpacker =
      options.unpacker != nullptr && TRY(options.unpacker->begin(stored)) ? options.unpacker
                                                                          : nullptr;
  TRY(download.layers(unpacker));
  if (unpacker != nullptr) {
    TRY(unpacker->finish());
  }
  TRY(store.set_name(named.name, named.descriptor));
  return named;
}

}  // namespace runhl::oci
