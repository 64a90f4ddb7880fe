// SPDX-License-Identifier: Apache-2.0
// Runs a program on an upstream kernel by the library and prints which host functions the guest
// calls, one a line, to standard error. KVM.
//   show_requests KERNEL ARCHIVE PROGRAM [ARGUMENT…]
#include <cstdio>
#include <string_view>

#include "runhl/vmm/embed/machine.h"

namespace {

using namespace runhl;

Result<int> run(int argc, char** argv) {
  vmm::embed::Options options;
  options.kernel = argv[1];
  options.initrd = argv[2];
  options.program.assign(argv + 3, argv + argc);
  options.executor = vmm::embed::Executor::Vm;
  options.on_request = [](std::string_view name) {
    (void)std::fprintf(stderr, "%.*s\n", static_cast<int>(name.size()), name.data());
  };
  vmm::embed::Machine machine = TRY(vmm::embed::Machine::create(options));
  TRY(machine.boot());
  return machine.wait();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    (void)std::fputs("usage: show_requests KERNEL ARCHIVE PROGRAM [ARGUMENT…]\n", stderr);
    return 2;
  }
  const Result<int> status = run(argc, argv);
  if (!status) {
    (void)std::fprintf(stderr, "show_requests: %s\n", status.error().message.c_str());
    return 1;
  }
  return *status;
}
