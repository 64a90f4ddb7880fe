// SPDX-License-Identifier: Apache-2.0
// runhl/vmm.h: each function is one of the C++ interface's behind a border that no exception
// passes.
#include <array>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "runhl/vmm.h"
#include "runhl/vmm/embed/machine.h"

namespace embed = runhl::vmm::embed;
namespace net = runhl::vmm::net;

struct runhl_options {
  embed::Options it;
};
struct runhl_machine {
  embed::Machine it;
};
struct runhl_reply {
  embed::CallReply it;
};

namespace {

using runhl::Error;
using runhl::ErrorCode;
using runhl::Result;

static_assert(RUNHL_INVALID_ARGUMENT == static_cast<int>(ErrorCode::InvalidArgument) + 1);
static_assert(RUNHL_INTERNAL == static_cast<int>(ErrorCode::Internal) + 1);

/// A text that is kept although no memory may be left.
class LastError {
 public:
  runhl_code keep(runhl_code code, const char* message) noexcept {
    try {
      text_ = message;
      shown_ = text_.c_str();
    } catch (const std::bad_alloc&) {
      shown_ = "no memory";
    }
    return code;
  }
  [[nodiscard]] const char* text() const noexcept { return shown_; }

 private:
  std::string text_;
  const char* shown_ = "";
};
thread_local LastError last_error;

runhl_code keep(const Error& error) {
  return last_error.keep(static_cast<runhl_code>(static_cast<int>(error.code) + 1),
                         error.message.c_str());
}

/// Runs `work` and turns what comes of it into a code.
template <typename Work>
runhl_code guarded(Work work) noexcept {
  try {
    const Result<void> done = work();
    return done ? RUNHL_OK : keep(done.error());
  } catch (const std::bad_alloc&) {
    return last_error.keep(RUNHL_NO_MEMORY, "no memory");
  } catch (const std::exception& error) {
    return last_error.keep(RUNHL_INTERNAL, error.what());
  } catch (...) {
    return last_error.keep(RUNHL_INTERNAL, "an unknown exception");
  }
}

/// InvalidArgument: one of them is null.
template <typename... Pointers>
Result<void> need(Pointers... pointers) {
  const bool all = (... && (pointers != nullptr));
  return all ? Result<void>() : runhl::fail(ErrorCode::InvalidArgument, "a null pointer");
}

template <typename Change>
runhl_code set(runhl_options* options, const char* text, Change change) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(options, text));
    return change(&options->it, std::string(text));
  });
}

/// Texts up to a null pointer.
template <typename Texts>
void append(const char* const* from, Texts* to) {
  for (; from != nullptr && *from != nullptr; ++from) {
    to->emplace_back(*from);
  }
}

Result<net::PolicySpec*> policy_of(embed::Options* options) {
  if (!options->network) {
    return runhl::fail(ErrorCode::WrongState, "no network was set");
  }
  return &*options->network;
}

Result<net::Mode> mode_of(runhl_network mode) {
  switch (mode) {
    case RUNHL_NETWORK_LISTEN:
      return net::Mode::None;
    case RUNHL_NETWORK_ALL:
      return net::Mode::All;
    case RUNHL_NETWORK_ALLOW:
      return net::Mode::Allow;
    case RUNHL_NETWORK_BLOCK:
      return net::Mode::Block;
  }
  return runhl::fail(ErrorCode::InvalidArgument, "no such network mode");
}

Result<embed::Executor> executor_of(runhl_executor executor) {
  switch (executor) {
    case RUNHL_EXECUTOR_ANY:
      return embed::Executor::Any;
    case RUNHL_EXECUTOR_VM:
      return embed::Executor::Vm;
    case RUNHL_EXECUTOR_EMULATED:
      return embed::Executor::Emulated;
  }
  return runhl::fail(ErrorCode::InvalidArgument, "no such executor");
}

}  // namespace

extern "C" {

const char* runhl_error() noexcept {
  return last_error.text();
}

runhl_options* runhl_options_new() noexcept {
  return new (std::nothrow) runhl_options();
}

void runhl_options_free(runhl_options* options) noexcept {
  delete options;
}

runhl_code runhl_options_set_kernel(runhl_options* options, const char* path) noexcept {
  return set(options, path, [](embed::Options* to, std::string text) -> Result<void> {
    to->kernel = std::move(text);
    return {};
  });
}

runhl_code runhl_options_set_initrd(runhl_options* options, const char* path) noexcept {
  return set(options, path, [](embed::Options* to, std::string text) -> Result<void> {
    to->initrd = std::move(text);
    return {};
  });
}

runhl_code runhl_options_set_memory(runhl_options* options, uint64_t bytes) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(options));
    options->it.memory_bytes = bytes;
    return {};
  });
}

runhl_code runhl_options_set_program(runhl_options* options, const char* path,
                                     const char* const* arguments) noexcept {
  return set(options, path, [arguments](embed::Options* to, std::string text) -> Result<void> {
    to->program = {std::move(text)};
    append(arguments, &to->program);
    return {};
  });
}

runhl_code runhl_options_add_environment(runhl_options* options, const char* entry) noexcept {
  return set(options, entry, [](embed::Options* to, std::string text) -> Result<void> {
    to->environment.push_back(std::move(text));
    return {};
  });
}

runhl_code runhl_options_add_directory(runhl_options* options, const char* host, const char* guest,
                                       runhl_access access) noexcept {
  return set(options, host, [&](embed::Options* to, std::string text) -> Result<void> {
    TRY(need(guest));
    if (access != RUNHL_READ_WRITE && access != RUNHL_READ_ONLY) {
      return runhl::fail(ErrorCode::InvalidArgument, "no such access");
    }
    to->directories.push_back({std::move(text), guest, access == RUNHL_READ_ONLY});
    return {};
  });
}

runhl_code runhl_options_set_network(runhl_options* options, runhl_network mode) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(options));
    net::PolicySpec spec = options->it.network.value_or(net::PolicySpec());
    spec.mode = TRY(mode_of(mode));
    options->it.network = std::move(spec);
    return {};
  });
}

runhl_code runhl_options_add_target(runhl_options* options, const char* target) noexcept {
  return set(options, target, [](embed::Options* to, const std::string& text) -> Result<void> {
    net::PolicySpec* const policy = TRY(policy_of(to));
    policy->targets.push_back(TRY(net::parse_target(text)));
    return {};
  });
}

runhl_code runhl_options_add_port(runhl_options* options, const char* ports) noexcept {
  return set(options, ports, [](embed::Options* to, const std::string& text) -> Result<void> {
    net::PolicySpec* const policy = TRY(policy_of(to));
    policy->listen.push_back(TRY(net::parse_port_range(text)));
    return {};
  });
}

runhl_code runhl_options_set_input(runhl_options* options, int fd) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(options));
    options->it.input = fd;
    return {};
  });
}

runhl_code runhl_options_set_executor(runhl_options* options, runhl_executor executor) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(options));
    options->it.executor = TRY(executor_of(executor));
    return {};
  });
}

runhl_code runhl_options_set_emulator(runhl_options* options, const char* path) noexcept {
  return set(options, path, [](embed::Options* to, std::string text) -> Result<void> {
    to->emulator = std::move(text);
    return {};
  });
}

runhl_code runhl_options_set_output(runhl_options* options, runhl_output_function output,
                                    void* context) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(options, output));
    options->it.on_output = [output, context](embed::Stream stream, std::string_view text) {
      output(context, stream == embed::Stream::Out ? RUNHL_OUT : RUNHL_ERR, text.data(),
             text.size());
    };
    return {};
  });
}

runhl_code runhl_options_add_function(runhl_options* options, const char* name,
                                      runhl_host_function function, void* context) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(options, name, function));
    const auto run = [function, context](std::string_view arguments) -> Result<std::string> {
      runhl_reply answer;
      if (function(context, arguments.data(), arguments.size(), &answer) != 0) {
        return runhl::fail(ErrorCode::Internal, std::move(answer.it.result));
      }
      return std::move(answer.it.result);
    };
    options->it.functions.push_back({name, run});
    return {};
  });
}

runhl_code runhl_machine_new(const runhl_options* options, runhl_machine** machine) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(options, machine));
    *machine = nullptr;
    runhl_machine made{TRY(embed::Machine::create(options->it))};
    *machine = std::make_unique<runhl_machine>(std::move(made)).release();
    return {};
  });
}

void runhl_machine_free(runhl_machine* machine) noexcept {
  delete machine;
}

runhl_code runhl_machine_boot(runhl_machine* machine) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(machine));
    return machine->it.boot();
  });
}

runhl_code runhl_machine_wait(runhl_machine* machine, int* status) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(machine, status));
    *status = TRY(machine->it.wait());
    return {};
  });
}

runhl_code runhl_machine_call(runhl_machine* machine, const char* function,
                              const char* const* arguments, runhl_reply** reply) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(machine, function, reply));
    *reply = nullptr;
    std::vector<std::string_view> texts;
    append(arguments, &texts);
    embed::CallReply said = TRY(machine->it.call(function, texts));
    *reply = std::make_unique<runhl_reply>(runhl_reply{std::move(said)}).release();
    return {};
  });
}

void runhl_machine_stop(runhl_machine* machine) noexcept {
  if (machine != nullptr) {
    machine->it.stop();
  }
}

const char* runhl_machine_isolation(const runhl_machine* machine) noexcept {
  return machine == nullptr ? "" : machine->it.isolation() == "vm" ? "vm" : "emulated";
}

int32_t runhl_reply_status(const runhl_reply* reply) noexcept {
  return reply == nullptr ? 0 : reply->it.status;
}

const char* runhl_reply_bytes(const runhl_reply* reply, size_t* size) noexcept {
  if (size != nullptr) {
    *size = reply == nullptr ? 0 : reply->it.result.size();
  }
  return reply == nullptr ? "" : reply->it.result.c_str();
}

runhl_code runhl_reply_set(runhl_reply* answer, const char* bytes, size_t size) noexcept {
  return guarded([&]() -> Result<void> {
    TRY(need(answer, bytes));
    answer->it.result.assign(bytes, size);
    return {};
  });
}

void runhl_reply_free(runhl_reply* reply) noexcept {
  delete reply;
}

}  // extern "C"
