// SPDX-License-Identifier: Apache-2.0
// What the library answers where things go wrong, with a real kernel. A line a case: ok or FAILED.
//   library_cases KERNEL SHOP-ARCHIVE PROGRAMS-ARCHIVE RUNHL-EMU
#include <runhl/vmm/embed/machine.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace runhl;
using namespace runhl::vmm::embed;
using namespace std::chrono_literals;

struct Paths {
  std::string kernel, shop, programs, emulator;
};
Paths paths;  // of the command line
bool all_good = true;

void expect(bool good, const char* what, const std::string& seen) {
  std::printf("%s %s", good ? "ok" : "FAILED", what);
  std::printf(good ? "\n" : ": %s\n", seen.c_str());
  all_good = all_good && good;
}

template <typename T>
std::string told(const Result<T>& result) {
  return result ? "no error" : result.error().message;
}
template <typename T>
bool fails_with(const Result<T>& result, ErrorCode code) {
  return !result && result.error().code == code;
}

Options options_of(std::vector<std::string> program, const std::string& archive) {
  Options options;
  options.kernel = paths.kernel;
  options.initrd = archive;
  options.program = std::move(program);
  options.executor = Executor::Emulated;
  options.emulator = paths.emulator;
  options.on_output = [](Stream, std::string_view) {};
  return options;
}

/// Booted, or the test ends.
Machine booted(const Options& options) {
  Result<Machine> machine = Machine::create(options);
  const Result<void> done = machine ? machine->boot() : tl::unexpected(machine.error());
  if (!done) {
    expect(false, "a boot", told(done));
    std::exit(1);
  }
  return std::move(*machine);
}
Result<CallReply> quote(Machine* machine, std::string_view item) {
  return machine->call("quote", std::array{item});
}

void programs_that_end() {
  Machine ended = booted(options_of({"/bin/does", "300"}, paths.programs));
  const Result<CallReply> call = quote(&ended, "tea");
  expect(fails_with(call, ErrorCode::WrongState), "a call after the end", told(call));
  const Result<int> status = ended.wait();
  expect(status && *status == 44, "its status afterwards", told(status));
  expect(fails_with(ended.boot(), ErrorCode::WrongState), "a second boot", "booted");

  Machine crashed = booted(options_of({"/bin/does", "segv"}, paths.programs));
  const Result<int> signal = crashed.wait();
  expect(signal && *signal == 139, "a crash is 128 and the signal", told(signal));
  const Result<CallReply> late = quote(&crashed, "tea");
  expect(fails_with(late, ErrorCode::WrongState), "a call after a crash", told(late));
}

void calls_that_are_not_served() {
  Machine sleeps = booted(options_of({"/bin/does", "sleep"}, paths.programs));
  const Result<CallReply> call = quote(&sleeps, "tea");
  expect(fails_with(call, ErrorCode::NotFound), "a call to who serves none", told(call));
  const Result<int> status = sleeps.wait();
  expect(status && *status == 0, "who then goes on", told(status));

  Machine shop = booted(options_of({"/bin/shop"}, paths.shop));
  Result<CallReply> reply = shop.call("steal", {});
  expect(reply && reply->status == 2, "a function that the program lacks", told(reply));
  reply = quote(&shop, "tea");
  expect(reply && reply->status == 1, "a function that was not given", told(reply));
  reply = quote(&shop, std::string(100'000, 'x'));
  expect(fails_with(reply, ErrorCode::InvalidArgument), "a call that is too large", told(reply));
  reply = shop.call("steal", {});
  expect(reply && reply->status == 2, "and the next one", told(reply));
  const Result<int> idle = shop.wait();
  expect(fails_with(idle, ErrorCode::GuestFault), "waiting for who waits", told(idle));
}

void refusals() {
  Result<Machine> machine = Machine::create(options_of({"/bin/nosuch"}, paths.programs));
  expect(fails_with(machine, ErrorCode::NotFound), "a missing program", told(machine));
  machine = Machine::create(options_of({"/bin/not-pie"}, paths.programs));
  expect(fails_with(machine, ErrorCode::Permission), "one that is not PIE", told(machine));
  Options options = options_of({"/bin/hello"}, paths.programs);
  options.emulator = "/nosuch/runhl-emu";
  machine = Machine::create(options);
  expect(fails_with(machine, ErrorCode::NotFound), "a missing software CPU", told(machine));
  options = options_of({"/bin/hello"}, paths.programs);
  options.memory_bytes = 4096;
  machine = Machine::create(options);
  expect(fails_with(machine, ErrorCode::InvalidArgument), "too little memory", told(machine));
  options = options_of({"/bin/hello"}, paths.programs);
  options.directories = {{"/proc", "/data", true}};
  machine = Machine::create(options);
  expect(fails_with(machine, ErrorCode::Permission), "a kernel file system", told(machine));
}

void stops() {
  Machine machine = booted(options_of({"/bin/does", "sleep"}, paths.programs));
  std::jthread stopper([&machine] {
    std::this_thread::sleep_for(50ms);
    machine.stop();
  });
  const Result<int> status = machine.wait();
  expect(fails_with(status, ErrorCode::Timeout), "stop from another thread", told(status));
  stopper.join();
  const Result<int> again = machine.wait();
  expect(fails_with(again, ErrorCode::WrongState), "a machine that was stopped", told(again));
}

/// Machines do not know of each other.
void two_at_once() {
  Options options = options_of({"/bin/shop"}, paths.shop);
  options.functions = {{"shop.price", [](std::string_view) { return std::string("1"); }}};
  Machine cheap = booted(options);
  options.functions = {{"shop.price", [](std::string_view) { return std::string("9"); }}};
  Machine dear = booted(options);
  const Result<CallReply> one = quote(&cheap, "tea");
  const Result<CallReply> nine = quote(&dear, "tea");
  expect(one && nine && one->result == "tea: 1" && nine->result == "tea: 9", "two machines",
         told(one) + told(nine));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    return 2;
  }
  paths = {argv[1], argv[2], argv[3], argv[4]};
  programs_that_end();
  calls_that_are_not_served();
  refusals();
  stops();
  two_at_once();
  return all_good ? 0 : 1;
}
