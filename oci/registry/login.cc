// SPDX-License-Identifier: Apache-2.0
#include "runhl/registry/login.h"

#include "credential_store.h"
#include "endpoint.h"
#include "helper.h"
#include "session.h"

namespace runhl::oci {
namespace {

/// What is kept: the credentials, or what the registry gave for them.
Result<Credentials> try_out(const std::string& domain, Credentials credentials,
                            const ClientOptions& options) {
  Session session(TRY(endpoints_of(domain, options)).back(), "");
  session.use(credentials);
  HttpRequest request;
  request.url = session.url() + "/";
  const HttpResponse answer = TRY(with_context(domain, session.send(request)));
  if (answer.status == 401) {
    return fail(ErrorCode::Permission, domain + " does not take this name and password (HTTP 401)");
  }
  if (answer.status != 200) {
    return refused(answer, domain);
  }
  if (!session.identity_token().empty()) {
    credentials.secret.clear();
    credentials.identity_token = session.identity_token();
  }
  return credentials;
}

Result<std::string> file_to_write() {
  const std::vector<std::string> files = credential_files();
  if (files.empty()) {
    return fail(ErrorCode::NotFound, "there is no $HOME and no $DOCKER_CONFIG to keep them in");
  }
  return files.front();
}

Result<CredentialSource> source_in(const std::string& path, const std::string& domain) {
  const std::string text = TRY(read_credential_file(path));
  return text.empty() ? CredentialSource() : with_context(path, parse_credentials(text, domain));
}

/// The helper that the file names for the registry, whether or not the file has credentials too.
Result<std::string> helper_in(const std::string& path, const std::string& domain) {
  const std::string text = TRY(read_credential_file(path));
  return text.empty() ? std::string() : with_context(path, parse_helper(text, domain));
}

}  // namespace

Result<LoggedIn> log_in(const std::string& domain, const std::string& user,
                        const std::string& password, const ClientOptions& options) {
  if (user.find(':') != std::string::npos) {
    return fail(ErrorCode::InvalidArgument, "a user's name has no colon in it");
  }
  const std::string path = TRY(file_to_write());
  const std::string helper = TRY(helper_in(path, domain));
  const Credentials kept = TRY(try_out(domain, {.user = user, .secret = password}, options));
  const std::string key = credential_keys(domain).front();
  if (!helper.empty()) {
    TRY(tell_helper(helper, key, kept));
  }
  TRY(edit_credential_file(path, [&](const std::string& text) {
    return with_entry(text, key, kept, helper.empty() ? Kept::Here : Kept::InHelper);
  }));
  return LoggedIn{.kept_in = helper.empty() ? path : "docker-credential-" + helper};
}

Result<LoggedOut> log_out(const std::string& domain) {
  const std::string path = TRY(file_to_write());
  LoggedOut out;
  const std::vector<std::string> keys = credential_keys(domain);
  const std::string helper = TRY(helper_in(path, domain));
  if (!helper.empty()) {
    out.was_in = TRY(ask_helper(helper, keys.front())).has_value();
    TRY(erase_in_helper(helper, keys.front()));
  }
  if (!TRY(read_credential_file(path)).empty()) {
    out.was_in = TRY(source_in(path, domain)).credentials.has_value() || out.was_in;
    TRY(edit_credential_file(path,
                             [&](const std::string& text) { return without_entries(text, keys); }));
  }
  for (const std::string& other : credential_files()) {
    if (other != path && TRY(source_in(other, domain)).credentials) {
      out.still_in.push_back(other);
    }
  }
  return out;
}

}  // namespace runhl::oci
