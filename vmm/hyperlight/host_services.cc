// SPDX-License-Identifier: Apache-2.0
#include "hyperlight/host_services.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "hyperlight/host_files.h"
#include "hyperlight/host_sockets.h"
#include "hyperlight/json_tools.h"
#include "runhl/abi/hyperlight.h"
#include "runhl/base/file_io.h"
#include "runhl/vmm/hyperlight/tsc_rate.h"

namespace runhl::vmm::hyperlight {
namespace {

namespace hl = abi::hyperlight;

constexpr std::size_t kStdinPiece = 4096;
constexpr std::size_t kTail = 4096;
constexpr std::uint64_t kMaxRandom = 4096;
constexpr std::uint64_t kNanoseconds = 1'000'000'000;
constexpr std::int32_t kYieldReturned = 2;  // Yield's flags: the call has returned

std::int32_t write_stream(const Console& console, Stream stream, std::string_view bytes) {
  if (console.take) {
    console.take(stream, bytes);
  } else {
    // A closed pipe or a full disk: the program's write was still taken, as a console's is.
    (void)write_all(stream == Stream::Out ? console.out : console.err, bytes, "console");
  }
  return static_cast<std::int32_t>(bytes.size());
}

Result<Bytes> read_stream(int fd) {
  Bytes bytes(kStdinPiece);
  ssize_t got = 0;
  do {
    got = ::read(fd, bytes.data(), bytes.size());
  } while (got < 0 && errno == EINTR);
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));  // an error reads as the end
  return bytes;
}

/// The numbers that a boot asks for.
void add_number(HostFunctions* functions, std::string_view name, std::uint64_t value) {
  functions->add({name, "", 'U', [value](const Arguments&) -> Result<Value> { return value; }});
}

void add_text(HostFunctions* functions, std::string_view name, std::string value) {
  functions->add({name, "", 's',
                  [value = std::move(value)](const Arguments&) -> Result<Value> { return value; }});
}

/// What a restored guest takes over: u64 time, u32 length and mounts, u32 length and resolv.conf.
Bytes resume_state(const BootAnswers& answers) {
  Bytes state;
  const auto put = [&state](const void* from, std::size_t size) {
    const auto* const bytes = static_cast<const std::byte*>(from);
    state.insert(state.end(), bytes, bytes + size);
  };
  const std::uint64_t now = wall_clock_ns();
  const auto mounts = static_cast<std::uint32_t>(answers.mounts.size());
  const std::uint32_t resolver = 0;  // empty: what it has
  put(&now, sizeof now);
  put(&mounts, sizeof mounts);
  put(answers.mounts.data(), mounts);
  put(&resolver, sizeof resolver);
  return state;
}

void add_print_function(HostFunctions* functions, Console* console) {
  functions->add({"HostPrint", "s", 'i', [console](const Arguments& a) -> Result<Value> {
                    return write_stream(*console, Stream::Out, a.string(0));
                  }});
}

}  // namespace

void add_boot_functions(HostFunctions* functions, const BootAnswers* answers) {
  add_number(functions, "GetExnStackTop", answers->exception_stack);
  add_number(functions, "GetInitrdBase", answers->initrd_size == 0 ? 0 : hl::kInitrd);
  add_number(functions, "GetInitrdSize", answers->initrd_size);
  // Upstream's own share: the rest holds page tables and pages copied on write.
  add_number(functions, "GetPagingBudget", answers->scratch_size / 4 * 3 & ~0xfffULL);
  add_text(functions, "GetCmdLine", answers->command_line);
  add_text(functions, "GetEnvVars", answers->environment);
  add_text(functions, "GetResolvConf", "");  // the image's own
  functions->add({"GetResumeState", "", 'v', [answers](const Arguments&) -> Result<Value> {
                    return Value(resume_state(*answers));
                  }});
}

void add_console_functions(HostFunctions* functions, Generation generation, Console* console) {
  add_print_function(functions, console);
  if (generation == Generation::G2) {
    functions->add({"ReadStdin", "", 's', [console](const Arguments&) -> Result<Value> {
                      return std::string(as_text(TRY(read_stream(console->in))));
                    }});
    return;
  }
  functions->add({"HostWrite", "v", 'i', [console](const Arguments& a) -> Result<Value> {
                    return write_stream(*console, Stream::Out, as_text(a.bytes(0)));
                  }});
  functions->add({"HostWriteErr", "v", 'i', [console](const Arguments& a) -> Result<Value> {
                    write_console_error(console, as_text(a.bytes(0)));
                    return static_cast<std::int32_t>(a.bytes(0).size());
                  }});
  functions->add({"ConsoleIsTerminal", "i", 'i', [console](const Arguments& a) -> Result<Value> {
                    const int fd = a.integer(0) == 1 ? console->err : console->out;
                    return static_cast<std::int32_t>(console->take ? 0 : ::isatty(fd));
                  }});
  functions->add({"ReadStdin", "", 'v', [console](const Arguments&) -> Result<Value> {
                    return Value(TRY(read_stream(console->in)));
                  }});
}

void add_clock_functions(HostFunctions* functions) {
  functions->add(
      {"GetTscHz", "", 'U', [](const Arguments&) -> Result<Value> { return measure_tsc_hz(); }});
  functions->add({"GetWallClockNs", "", 'U',
                  [](const Arguments&) -> Result<Value> { return wall_clock_ns(); }});
  functions->add({"GetRandomBytes", "U", 'v', [](const Arguments& a) -> Result<Value> {
                    Bytes bytes(std::min(a.ulong(0), kMaxRandom));
                    // Up to 256 bytes it never comes short; more in turns.
                    for (std::size_t done = 0; done < bytes.size();) {
                      const ssize_t got = ::getrandom(bytes.data() + done, bytes.size() - done, 0);
                      if (got < 0 && errno != EINTR) {
                        return fail_errno("getrandom");
                      }
                      done += got < 0 ? 0 : static_cast<std::size_t>(got);
                    }
                    return bytes;
                  }});
}

void add_event_functions(HostFunctions* functions, Events* events) {
  functions->add({"Exited", "i", 'i', [events](const Arguments& a) -> Result<Value> {
                    events->exited = a.integer(0);
                    return std::int32_t{0};
                  }});
  functions->add({"Yield", "Uiiv", 'i', [events](const Arguments& a) -> Result<Value> {
                    events->yielded_ns = a.ulong(0);
                    if (a.integer(1) == kYieldReturned) {
                      events->done = CallReply{a.integer(2), std::string(as_text(a.bytes(3)))};
                    }
                    return std::int32_t{0};
                  }});
  functions->add({"CallRejected", "", 'i', [events](const Arguments&) -> Result<Value> {
                    events->rejected = true;
                    return std::int32_t{0};
                  }});
  for (const std::string_view name : {"DriverReady", "CallStarted"}) {
    functions->add(
        {name, "", 'i', [](const Arguments&) -> Result<Value> { return std::int32_t{0}; }});
  }
  functions->add({"CallDone", "iv", 'i', [events](const Arguments& a) -> Result<Value> {
                    events->done = CallReply{a.integer(0), std::string(as_text(a.bytes(1)))};
                    return std::int32_t{0};
                  }});
}

void add_host_functions(HostFunctions* functions, Generation generation,
                        const HostServices& services) {
  if (generation == Generation::G1) {
    add_print_function(functions, services.console);
    functions->add({"__dispatch", "v", 'v', [tools = services.tools](const Arguments& a) {
                      return Result<Value>(tools->dispatch(a.bytes(0)));
                    }});
    return;
  }
  add_boot_functions(functions, services.boot);
  add_console_functions(functions, generation, services.console);
  add_clock_functions(functions);
  add_event_functions(functions, services.events);
  if (services.files != nullptr) {
    add_file_functions(functions, generation, services.files);
  }
  if (services.sockets != nullptr) {
    add_socket_functions(functions, services.sockets);
  }
  if (services.host_calls != nullptr) {
    add_host_calls(functions, services.host_calls);
  }
}

std::uint64_t wall_clock_ns() {
  timespec now{};
  (void)::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNanoseconds +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void write_console_error(Console* console, std::string_view text) {
  (void)write_stream(*console, Stream::Err, text);
  console->tail.append(text);
  if (console->tail.size() > kTail) {
    console->tail.erase(0, console->tail.size() - kTail);
  }
}

}  // namespace runhl::vmm::hyperlight
