// SPDX-License-Identifier: Apache-2.0
#include "image/pull_output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "image/progress_bars.h"
#include "image/registry_options.h"
#include "output.h"

namespace runhl::image {
namespace {

using oci::PullEvent;

std::string_view word(PullEvent::What what) {
  switch (what) {
    case PullEvent::What::Present:
      return "present";
    case PullEvent::What::Begun:
      return "begun";
    case PullEvent::What::Progress:
      return "progress";
    case PullEvent::What::Done:
      break;
  }
  return "done";
}

/// One line each; neither digest nor number needs escaping.
void print_json(const PullEvent& event) {
  (void)print("{\"layer\":\"" + event.blob.digest.text() + "\",\"state\":\"" +
              std::string(word(event.what)) + "\",\"size\":" + std::to_string(event.blob.size) +
              ",\"bytes\":" + std::to_string(event.bytes) + "}\n");
}

void print_line(const PullEvent& event) {
  if (event.what == PullEvent::What::Present || event.what == PullEvent::What::Done) {
    print_blob(event.blob, word(event.what));
  }
}

/// Of the terminal that is standard output; 0: it is none, or one without cursor movement.
std::size_t terminal_width() {
  winsize size{};
  const char* const type = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe): before threads
  if (type == nullptr || std::string_view(type) == "dumb" ||
      ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0) {
    return 0;
  }
  return size.ws_col == 0 ? 80 : size.ws_col;
}

Result<Pulled> pull_with_bars(oci::PullOptions options, std::size_t width,
                              const std::function<Result<Pulled>(const oci::PullOptions&)>& pull) {
  ProgressBars bars;
  options.progress = [&](const PullEvent& event) {
    const auto now = std::chrono::steady_clock::now();
    bars.take(event, now);
    (void)print(bars.frame(now, width));
  };
  auto pulled = pull(options);
  (void)print(bars.finish());
  return pulled;
}

}  // namespace

void declare_pull_output(Options& options, PullOutput* output) {
  options.flag("-q,--quiet", "print name and digest alone", &output->quiet);
  options.flag("--json", "print events as JSON, one a line", &output->json);
}

Result<void> pull_and_print(const PullOutput& output, oci::PullOptions options,
                            const std::function<Result<Pulled>(const oci::PullOptions&)>& pull) {
  const std::size_t width = output.quiet || output.json ? 0 : terminal_width();
  if (!output.quiet) {
    options.progress = output.json ? print_json : print_line;
  }
  const Pulled pulled =
      TRY(width != 0 ? pull_with_bars(std::move(options), width, pull) : pull(options));
  return print(output.json
                   ? R"({"name":")" + pulled.name + R"(","digest":")" + pulled.digest + "\"}\n"
                   : pulled.name + " " + pulled.digest + "\n");
}

}  // namespace runhl::image
