// SPDX-License-Identifier: Apache-2.0
// runhl-image: what runhl does with images, apart from it, because starting a container must not
// pay for the libraries that this needs. It lies in libexec; people call it as `runhl pull`.
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "image/verbs.h"
#include "output.h"
#include "runhl/base/one_line.h"
#include "version.h"

namespace runhl::image {
namespace {

struct Verb {
  std::string_view name;
  Result<int> (*run)(Arguments args);
};

constexpr std::array kVerbs = {
    Verb{"bundle", bundle},
    Verb{"cache-add", cache_add},
    Verb{"cache-add-image", cache_add_image},
    Verb{"convert", convert},
    Verb{"df", df},
    Verb{"images", images},
    Verb{"inspect", inspect},
    Verb{"kernel", kernel},
    Verb{"load", load},
    Verb{"login", log_in},
    Verb{"logout", log_out},
    Verb{"prune", prune},
    Verb{"pull", pull},
    Verb{"push", push},
    Verb{"rmi", rmi},
    Verb{"save", save},
};

std::string verb_list() {
  std::string text;
  for (const Verb& verb : kVerbs) {
    text.append(text.empty() ? "" : ", ").append(verb.name);
  }
  return text;
}

/// runhl says which one it is: an old helper that was left behind does not write new formats.
Result<void> check_caller(const std::string& version) {
  if (version.empty() || version == version_text()) {
    return {};
  }
  return fail(ErrorCode::WrongState,
              "this runhl-image is not of the runhl that called it; install both again");
}

Result<int> run(Arguments args) {
  bool version = false;
  std::string caller;
  std::vector<std::string> rest;
  Options options("runhl-image", "Images and archives of root file systems for runhl.");
  options.flag("-v,--version", "print the version", &version);
  options.value("--caller-version", "what `runhl --version` prints; must be ours", &caller);
  options.footer("Commands: " + verb_list() + "\n");
  if (!TRY(options.parse_prefix(args, &rest))) {
    return 0;
  }
  if (version) {
    TRY(print(version_text()));
    return 0;
  }
  TRY(check_caller(caller));
  if (rest.empty()) {
    return fail(ErrorCode::InvalidArgument, "no command (" + verb_list() + ")");
  }
  for (const Verb& verb : kVerbs) {
    if (rest.front() == verb.name) {
      return verb.run(Arguments(rest).subspan(1));
    }
  }
  return fail(ErrorCode::InvalidArgument, "unknown command \"" + rest.front() + "\"");
}

}  // namespace
}  // namespace runhl::image

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + (argc > 0 ? 1 : 0), argv + argc);
  const runhl::Result<int> code = runhl::image::run(args);
  if (!code) {
    // Names out of images and registries are in it.
    (void)std::fprintf(stderr, "runhl-image: %s\n", runhl::one_line(code.error().message).c_str());
    return 1;
  }
  return *code;
}
