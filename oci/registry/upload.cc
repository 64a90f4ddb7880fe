// SPDX-License-Identifier: Apache-2.0
#include "upload.h"

#include <algorithm>
#include <charconv>
#include <thread>

namespace runhl::oci {
namespace {

constexpr const char* kBytes = "application/octet-stream";

/// "0-1023": 1024. Nothing is "0-0", as registries write both.
std::uint64_t end_of(const std::string& range) {
  std::uint64_t last = 0;
  const std::size_t dash = range.find('-');
  if (dash == std::string::npos ||
      std::from_chars(range.data() + dash + 1, range.data() + range.size(), last).ec !=
          std::errc{}) {
    return 0;
  }
  return last == 0 ? 0 : last + 1;
}

bool passes(const Result<HttpResponse>& answer) {
  return answer ? passes_by_itself(answer->status) : passes_by_itself(answer.error());
}

void pause(int tries, const Result<HttpResponse>& answer) {
  std::this_thread::sleep_for(pause_before(tries, answer ? answer->header("retry-after") : ""));
}

}  // namespace

Result<bool> Upload::is_there(const Descriptor& descriptor) {
  HttpRequest request;
  request.method = HttpRequest::Method::Head;
  request.url = base_ + "/blobs/" + descriptor.digest.text();
  const HttpResponse answer = TRY(session_->send(request));
  if (answer.status != 200 && answer.status != 404) {
    return refused(answer, descriptor.digest.text());
  }
  return answer.status == 200;
}

Result<Upload::Begun> Upload::begin(const Descriptor& descriptor) {
  HttpRequest request;
  request.method = HttpRequest::Method::Post;
  request.url = base_ + "/blobs/uploads/";
  HttpResponse answer;
  if (!options_.mount_from.empty()) {
    HttpRequest mount = request;
    mount.url +=
        "?mount=" + escape(descriptor.digest.text()) + "&from=" + escape(options_.mount_from);
    answer = TRY(session_->send(mount));
  }
  if (answer.status != 201 && answer.status != 202) {  // also where the other one is not ours
    answer = TRY(session_->send(request));
  }
  if (answer.status == 201) {
    return Begun{.mounted = true};
  }
  if (answer.status != 202) {
    return refused(answer, "to send " + descriptor.digest.text());
  }
  Begun out{.location = TRY(resolve_address(request.url, answer.header("location")))};
  const std::string least = answer.header("oci-chunk-min-length");
  (void)std::from_chars(least.data(), least.data() + least.size(), out.least_piece);
  return out;
}

Result<HttpResponse> Upload::finish(const std::string& location, const Descriptor& descriptor,
                                    std::optional<HttpRequest::FilePart> part) {
  HttpRequest request;
  request.method = HttpRequest::Method::Put;
  request.content_type = kBytes;
  request.url = location + (location.find('?') == std::string::npos ? "?" : "&") +
                "digest=" + escape(descriptor.digest.text());
  request.file = part;
  return session_->attempt(request);
}

Result<HttpResponse> Upload::put_all(const Begun& begun, const Descriptor& descriptor, int fd) {
  return finish(begun.location, descriptor,
                HttpRequest::FilePart{.fd = fd, .offset = 0, .size = descriptor.size});
}

Result<std::uint64_t> Upload::received(std::string* location) {
  HttpRequest request;
  request.url = *location;
  const HttpResponse answer = TRY(session_->send(request));
  if (answer.status != 204) {
    return refused(answer, "an upload that was cut off");
  }
  if (!answer.header("location").empty()) {
    *location = TRY(resolve_address(*location, answer.header("location")));
  }
  return end_of(answer.header("range"));
}

Result<HttpResponse> Upload::put_pieces(Begun begun, const Descriptor& descriptor, int fd) {
  const std::uint64_t piece = std::max(options_.piece_bytes, begun.least_piece);
  std::uint64_t at = 0;
  for (int tries = 0; at < descriptor.size;) {
    const std::uint64_t size = std::min(piece, descriptor.size - at);
    HttpRequest request;
    request.method = HttpRequest::Method::Patch;
    request.content_type = kBytes;
    request.url = begun.location;
    request.headers = {"Content-Range: " + std::to_string(at) + "-" +
                       std::to_string(at + size - 1)};
    request.file = HttpRequest::FilePart{.fd = fd, .offset = at, .size = size};
    Result<HttpResponse> answer = session_->attempt(request);
    if (answer && answer->status == 202) {
      begun.location = TRY(resolve_address(begun.location, answer->header("location")));
      at += size;
      tries = 0;
    } else if ((passes(answer) || (answer && answer->status == 416)) && ++tries < kTries) {
      pause(tries - 1, answer);
      at = std::min(TRY(received(&begun.location)), descriptor.size);
    } else {
      return answer;
    }
  }
  return finish(begun.location, descriptor, std::nullopt);
}

Result<PushEvent::What> Upload::blob(const Descriptor& descriptor, int fd) {
  for (int tries = 0;; ++tries) {
    const Begun begun = TRY(begin(descriptor));
    if (begun.mounted) {
      return PushEvent::What::Mounted;
    }
    const Result<HttpResponse> answer = descriptor.size > options_.piece_bytes
                                            ? put_pieces(begun, descriptor, fd)
                                            : put_all(begun, descriptor, fd);
    if (answer && answer->status == 201) {
      return PushEvent::What::Done;
    }
    if (!passes(answer) || tries + 1 == kTries) {
      return answer ? Result<PushEvent::What>(refused(*answer, descriptor.digest.text()))
                    : tl::unexpected(answer.error());
    }
    pause(tries, answer);
  }
}

}  // namespace runhl::oci
