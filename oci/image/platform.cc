// SPDX-License-Identifier: Apache-2.0
#include "runhl/image/platform.h"

#include <algorithm>

namespace runhl::oci {
namespace {

/// Lower is better; -1: not at all. A variant is what a CPU must have, so none is asked least.
int rank(const Descriptor& descriptor, const Platform& wanted) {
  if (!descriptor.platform) {
    return -1;
  }
  const Platform& is = *descriptor.platform;
  if (is.os != wanted.os || is.architecture != wanted.architecture) {
    return -1;
  }
  if (is.variant == wanted.variant) {
    return 0;
  }
  return wanted.variant.empty() ? 1 : -1;
}

std::string platforms_of(const Index& index) {
  constexpr std::size_t kShown = 12;
  std::string text;
  std::size_t shown = 0;
  for (const Descriptor& descriptor : index.manifests) {
    if (!descriptor.platform || descriptor.platform->os == "unknown") {
      continue;  // attestations
    }
    if (++shown > kShown) {
      return text + ", …";
    }
    text += (text.empty() ? "" : ", ") + to_string(*descriptor.platform);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

Platform own_platform() {
  return {.os = "linux", .architecture = "amd64", .variant = ""};
}

std::string to_string(const Platform& platform) {
  return platform.os + "/" + platform.architecture +
         (platform.variant.empty() ? "" : "/" + platform.variant);
}

Result<Platform> parse_platform(std::string_view text) {
  Platform out;
  const std::size_t slash = text.find('/');
  const std::size_t second = slash == std::string_view::npos ? slash : text.find('/', slash + 1);
  out.os = text.substr(0, slash);
  if (slash != std::string_view::npos) {
    out.architecture = text.substr(slash + 1, second - slash - 1);
  }
  if (second != std::string_view::npos) {
    out.variant = text.substr(second + 1);
  }
  if (out.os.empty() || out.architecture.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "\"" + std::string(text) + "\" is no platform (as linux/amd64)");
  }
  return out;
}

Result<Descriptor> choose(const Index& index, const Platform& wanted) {
  const Descriptor* best = nullptr;
  for (const Descriptor& descriptor : index.manifests) {
    const int is = rank(descriptor, wanted);
    if (is >= 0 && (best == nullptr || is < rank(*best, wanted))) {
      best = &descriptor;
    }
  }
  if (best == nullptr && index.manifests.size() == 1 && !index.manifests.front().platform) {
    best = &index.manifests.front();  // an index that only names one image
  }
  if (best == nullptr) {
    return fail(ErrorCode::NotFound,
                "no image for " + to_string(wanted) + "; there are: " + platforms_of(index));
  }
  return *best;
}

Result<Resolved> resolve(Descriptor top, const Platform& wanted, const DocumentSource& source) {
  constexpr int kMaxDepth = 4;
  for (int depth = 0; depth < kMaxDepth; ++depth) {
    std::string text = TRY(source(top));
    Document document = TRY(with_context(top.digest.text(), parse_document(text)));
    if (Manifest* const manifest = std::get_if<Manifest>(&document)) {
      return Resolved{
          .descriptor = std::move(top), .text = std::move(text), .manifest = std::move(*manifest)};
    }
    top = TRY(choose(std::get<Index>(document), wanted));
  }
  return fail(ErrorCode::InvalidArgument, "indexes lie in each other more than four deep");
}

}  // namespace runhl::oci
