// SPDX-License-Identifier: Apache-2.0
// Two machines in this process: one whose program serves calls and asks us for prices, and one
// whose program just runs.
//   embed KERNEL ARCHIVE
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include "runhl/vmm/embed/machine.h"

namespace {

using namespace runhl;
using namespace runhl::vmm::embed;

void print(Stream stream, std::string_view text) {
  (void)std::fwrite(text.data(), 1, text.size(), stream == Stream::Out ? stdout : stderr);
}

/// Our own function: the guest knows it as "shop.price".
Result<std::string> price_of(std::string_view item) {
  static const std::map<std::string_view, std::string> kPrices{{"tea", "3.20"}, {"cake", "4.50"}};
  const auto found = kPrices.find(item);
  if (found == kPrices.end()) {
    return fail(ErrorCode::NotFound, "we sell none");
  }
  return found->second;
}

Options options_of(char** argv) {
  Options options;
  options.kernel = argv[1];
  options.initrd = argv[2];
  options.emulator = RUNHL_EMULATOR;  // where there is no KVM
  options.on_output = print;
  return options;
}

Result<void> sell(Options options) {
  options.program = {"/bin/shop"};
  options.functions = {{"shop.price", price_of}};
  Machine machine = TRY(Machine::create(options));
  std::printf("isolation: %s\n", std::string(machine.isolation()).c_str());
  TRY(machine.boot());
  for (const std::string_view item : {"tea", "cake", "gold"}) {
    const CallReply reply = TRY(machine.call("quote", std::array{item}));
    std::printf("host: status %d, \"%s\"\n", reply.status, reply.result.c_str());
  }
  return {};
}

Result<void> greet(Options options) {
  options.program = {"/bin/greet", "you", "and you"};
  Machine machine = TRY(Machine::create(options));
  TRY(machine.boot());
  std::printf("host: it ended with %d\n", TRY(machine.wait()));
  return {};
}

Result<void> run(char** argv) {
  TRY(sell(options_of(argv)));
  return greet(options_of(argv));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    (void)std::fputs("usage: embed KERNEL ARCHIVE\n", stderr);
    return 2;
  }
  const Result<void> done = run(argv);
  if (!done) {
    (void)std::fprintf(stderr, "embed: %s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}
