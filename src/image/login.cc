// SPDX-License-Identifier: Apache-2.0
#include "runhl/registry/login.h"

#include <unistd.h>

#include "image/prompt.h"
#include "image/registry_options.h"
#include "image/verbs.h"
#include "output.h"
#include "runhl/base/file_io.h"

namespace runhl::image {
namespace {

constexpr const char* kDefaultRegistry = "docker.io";

/// Without the end of the line that everybody's echo writes.
Result<std::string> read_password() {
  constexpr std::size_t kMost = 64ULL << 10U;  // tokens are long
  std::string text = TRY(read_up_to(STDIN_FILENO, kMost + 1, "standard input"));
  if (text.size() > kMost) {
    return fail(ErrorCode::InvalidArgument, "standard input: is too long for a password");
  }
  for (const char end : {'\n', '\r'}) {
    if (text.ends_with(end)) {
      text.pop_back();
    }
  }
  return text.empty() ? Result<std::string>(
                            fail(ErrorCode::InvalidArgument, "standard input has no password"))
                      : text;
}

Result<std::string> ask_name(std::string given, bool from_stdin) {
  if (!given.empty()) {
    return given;
  }
  if (from_stdin || ::isatty(STDIN_FILENO) == 0) {
    return fail(ErrorCode::InvalidArgument, "runhl login: give the name by -u");
  }
  std::string name = TRY(prompt("Username: ", Echo::On));
  return name.empty() ? Result<std::string>(fail(ErrorCode::InvalidArgument, "no name was given"))
                      : name;
}

Result<std::string> ask_password(bool from_stdin) {
  if (from_stdin) {
    return read_password();
  }
  if (::isatty(STDIN_FILENO) == 0) {
    return fail(ErrorCode::InvalidArgument,
                "runhl login: give the password by --password-stdin, or at a terminal");
  }
  std::string password = TRY(prompt("Password: ", Echo::Off));
  return password.empty()
             ? Result<std::string>(fail(ErrorCode::InvalidArgument, "no password was given"))
             : password;
}

Result<std::string> registry_of(const std::string& text) {
  return text.empty() ? std::string(kDefaultRegistry) : oci::parse_domain(text);
}

}  // namespace

Result<int> log_in(Arguments args) {
  std::string registry, user;
  bool from_stdin = false;
  RegistryOptions client;
  Options options("runhl login",
                  "Tries name and password at a registry, and keeps them as docker does.");
  options.value("-u,--username", "the name (default: asks at the terminal)", &user);
  options.flag("--password-stdin", "the password comes on standard input (default: asks)",
               &from_stdin);
  client.declare(options, "read the password");
  options.positional("REGISTRY", "HOST[:PORT] (default docker.io)", &registry, Presence::Optional);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  TRY(client.finish());
  const std::string domain = TRY(registry_of(registry));
  const std::string name = TRY(ask_name(std::move(user), from_stdin));
  const std::string password = TRY(ask_password(from_stdin));
  const oci::LoggedIn done = TRY(oci::log_in(domain, name, password, client.client));
  TRY(print("logged in to " + domain + "; kept in " + done.kept_in + "\n"));
  return 0;
}

Result<int> log_out(Arguments args) {
  std::string registry;
  Options options("runhl logout", "Forgets what runhl login, or docker's, kept for a registry.");
  options.positional("REGISTRY", "HOST[:PORT] (default docker.io)", &registry, Presence::Optional);
  if (!TRY(options.parse(args))) {
    return 0;
  }
  const std::string domain = TRY(registry_of(registry));
  const oci::LoggedOut done = TRY(oci::log_out(domain));
  std::string text = (done.was_in ? "logged out of " : "was not logged in to ") + domain + "\n";
  for (const std::string& file : done.still_in) {
    text += "not touched, but with credentials for it: " + file + "\n";
  }
  TRY(print(text));
  return 0;
}

}  // namespace runhl::image
