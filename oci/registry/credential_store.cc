// SPDX-License-Identifier: Apache-2.0
#include "credential_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "runhl/base/file_io.h"
#include "runhl/base/output_file.h"
#include "runhl/json/node.h"

namespace runhl::oci {
namespace {

using Json = nlohmann::ordered_json;

struct Free {
  void operator()(char* text) const { std::free(text); }  // NOLINT: realpath's
};

/// To be changed, which a Node cannot. What Node refuses does not get here.
Result<Json> parse_to_edit(const std::string& config) {
  if (config.find_first_not_of(" \t\r\n") == std::string::npos) {
    return Json::object();
  }
  const Value document = TRY(parse_json(config));
  TRY(Node(document).as_object());
  (void)TRY(Node(document).object("auths"));
  return Json::parse(config, nullptr, false);
}

std::string text_of(const Json& document) {
  return document.dump(1, '\t', false, Json::error_handler_t::replace) + "\n";
}

/// Docker's, where it is a link, stays one.
std::string real_path(const std::string& path) {
  const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
  return real == nullptr ? path : real.get();
}

Result<void> make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    if (::mkdir(path.substr(0, slash).c_str(), 0700) < 0 && errno != EEXIST) {
      return fail_errno(path.substr(0, slash));
    }
    if (slash == std::string::npos) {
      return {};
    }
  }
}

}  // namespace

Result<std::string> with_entry(const std::string& config, const std::string& key,
                               const Credentials& credentials, Kept kept) {
  Json document = TRY(parse_to_edit(config));
  Json entry = Json::object();
  if (kept == Kept::Here) {
    const bool is_token = !credentials.identity_token.empty();
    entry["auth"] =
        encode_base64(credentials.user + ":" + (is_token ? std::string() : credentials.secret));
    if (is_token) {
      entry["identitytoken"] = credentials.identity_token;
    }
  }
  if (!document["auths"].is_object()) {
    document["auths"] = Json::object();
  }
  document["auths"][key] = std::move(entry);
  return text_of(document);
}

Result<std::string> without_entries(const std::string& config,
                                    const std::vector<std::string>& keys) {
  Json document = TRY(parse_to_edit(config));
  if (document.contains("auths") && document["auths"].is_object()) {
    for (const std::string& key : keys) {
      document["auths"].erase(key);
    }
  }
  return text_of(document);
}

Result<void> edit_credential_file(const std::string& path, const Edit& edit) {
  const std::string real = real_path(path);
  const std::size_t slash = real.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : real.substr(0, slash + 1);
  TRY(make_directories(directory));
  const UniqueFd held(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!held || ::flock(held.get(), LOCK_EX) < 0) {
    return fail_errno(directory);
  }
  const std::string text = TRY(with_context(path, edit(TRY(read_credential_file(real)))));
  OutputFile file = TRY(OutputFile::create(directory, 0600));
  TRY(write_all(file.fd(), text, real));
  return file.publish(real.substr(slash + 1));
}

}  // namespace runhl::oci
