// SPDX-License-Identifier: Apache-2.0
#include "runhl/registry/pull.h"

#include "image/verbs.h"
#include "image_archive.h"
#include "output.h"

namespace runhl::image {
namespace {

using oci::PullEvent;

std::string_view word(PullEvent::What what) {
  return what == PullEvent::What::Present ? "present"
         : what == PullEvent::What::Begun ? "begun"
                                          : "done";
}

/// One line each; neither digest nor number needs escaping.
void print_json(const PullEvent& event) {
  (void)print("{\"layer\":\"" + event.blob.digest.text() + "\",\"state\":\"" +
              std::string(word(event.what)) + "\",\"size\":" + std::to_string(event.blob.size) +
              "}\n");
}

void print_line(const PullEvent& event) {
  if (event.what != PullEvent::What::Begun) {
    (void)print(event.blob.digest.hex().substr(0, 12) + ": " + std::string(word(event.what)) +
                ", " + std::to_string(event.blob.size) + " bytes\n");
  }
}

}  // namespace

Result<int> pull(Arguments args) {
  std::string store_option, text, platform;
  bool quiet = false, json = false;
  oci::PullOptions pull;
  Options options("runhl pull", "Brings an image from a registry into the store.");
  declare_store(options, &store_option);
  options.value("--platform", "which image of several, as linux/amd64", &platform);
  options.flag("--plain-http", "without TLS; whoever is on the way can change the image",
               &pull.client.plain_http);
  options.flag("-q,--quiet", "print the image's name and digest alone", &quiet);
  options.flag("--json", "print events as JSON, one a line", &json);
  options.positional("IMAGE", "as busybox, ghcr.io/owner/name:tag, name@sha256:…", &text,
                     Presence::Required);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  if (!platform.empty()) {
    pull.platform = TRY(oci::parse_platform(platform));
  }
  if (!quiet) {
    pull.progress = json ? print_json : print_line;
  }
  const oci::Reference reference = TRY(oci::Reference::parse(text));
  const oci::Store store = TRY(open_store(store_option));
  const oci::NamedImage image = TRY(oci::pull(store, reference, pull));
  const std::string digest = image.descriptor.digest.text();
  TRY(print(json ? "{\"name\":\"" + image.name + "\",\"digest\":\"" + digest + "\"}\n"
                 : image.name + " " + digest + "\n"));
  return 0;
}

}  // namespace runhl::image
