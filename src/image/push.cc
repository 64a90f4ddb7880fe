// SPDX-License-Identifier: Apache-2.0
#include "runhl/registry/push.h"

#include "image/registry_options.h"
#include "image/verbs.h"
#include "image_archive.h"
#include "output.h"
#include "runhl/layouts/layout.h"
#include "runhl/layouts/transport.h"
#include "size_text.h"

namespace runhl::image {
namespace {

using oci::PushEvent;

struct Source {
  std::string name;
  oci::Descriptor top;
  oci::BlobSource open;
};

Result<Source> source_in_layout(const std::string& text, const std::string& name) {
  const oci::Transport from = TRY(oci::Transport::parse(text));
  const oci::LayoutImage image =
      TRY(oci::find_in_layout({.directory = from.path, .ref = from.ref, .name = name}));
  return Source{.name = image.name, .top = image.top, .open = [path = from.path](const auto& blob) {
                  return oci::open_layout_blob(path, blob);
                }};
}

Result<Source> source_in_store(const oci::Store& store, const std::string& text) {
  const oci::StoredImage image = TRY(find_image(store, text));
  return Source{.name = image.named.name,
                .top = image.named.descriptor,
                .open = [&store](const auto& blob) { return store.blob(blob); }};
}

std::string_view word(PushEvent::What what) {
  return what == PushEvent::What::Present   ? "present"
         : what == PushEvent::What::Mounted ? "mounted"
         : what == PushEvent::What::Begun   ? "begun"
                                            : "done";
}

void print_line(const PushEvent& event) {
  if (event.what != PushEvent::What::Begun) {
    print_blob(event.blob, word(event.what));
  }
}

/// Where the image came from there: what it shares need not be sent.
Result<std::string> repository_beside(const oci::Reference& target, const std::string& name) {
  const oci::Reference source = TRY(oci::Reference::parse(name));
  return source.domain == target.domain && source.repository != target.repository
             ? source.repository
             : std::string();
}

}  // namespace

Result<int> push(Arguments args) {
  std::string store_option, text, name, piece;
  bool quiet = false;
  RegistryOptions registry;
  oci::PushOptions push;
  Options options("runhl push", "Sends an image to a registry.");
  declare_store(options, &store_option);
  registry.declare(options, "change the image");
  options.value("--piece", "a larger blob goes in pieces of this size (default 64M)", &piece);
  options.flag("-q,--quiet", "print the image's name and digest alone", &quiet);
  options.positional("SOURCE", "an image of the store, or oci:DIR[:REF], also of several platforms",
                     &text, Presence::Required);
  options.positional("NAME", "where to, as ghcr.io/owner/name:tag (default: the image's name)",
                     &name, Presence::Optional);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  TRY(registry.finish());
  push.client = registry.client;
  if (!piece.empty()) {
    push.piece_bytes = TRY(with_context("--piece", parse_size(piece)));
  }
  if (push.piece_bytes == 0) {
    return fail(ErrorCode::InvalidArgument, "--piece: nothing goes in pieces of 0 bytes");
  }
  if (!quiet) {
    push.progress = print_line;
  }
  const oci::Store store = TRY(open_store(store_option));
  const UniqueFd use = TRY(store.begin_adding());  // nobody removes what is sent
  const Source source =
      TRY(text.starts_with("oci:") ? source_in_layout(text, name) : source_in_store(store, text));
  const oci::Reference target = TRY(oci::Reference::parse(name.empty() ? source.name : name));
  push.mount_from = TRY(repository_beside(target, source.name));
  const oci::Digest digest = TRY(oci::push(target, source.top, source.open, push));
  TRY(print(target.text() + " " + digest.text() + "\n"));
  return 0;
}

}  // namespace runhl::image
