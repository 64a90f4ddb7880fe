// SPDX-License-Identifier: Apache-2.0
#include "proc/start_hooks.h"

#include <linux/wait.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "core/linux_signal.h"
#include "fs/fd_table.h"
#include "fs/objects/pid_file.h"
#include "fs/objects/pipe.h"
#include "fs/poll.h"
#include "fs/pseudo/text_writer.h"
#include "fs/vfs.h"
#include "host/events.h"
#include "proc/clone.h"
#include "proc/error_text.h"
#include "proc/exec_program.h"
#include "proc/parent_notice.h"
#include "proc/process.h"
#include "proc/wait_child.h"

namespace runhl::kernel {
namespace {

/// One hook while it runs, on process 1's heap.
struct HookRun {
  const abi::BootHook* hook = nullptr;
  std::array<Ref<File>, 3> streams;  // the hook's ends of the pipes; it takes them
  int exec_error = 0;                // set by the hook while process 1 waits for its exec

  Ref<File> in, out, err;        // the other ends
  std::span<std::byte> input;    // what is to be written
  std::array<char, 200> tail{};  // the end of what it says on stderr
  std::size_t tail_size = 0;
};

// ---- in the hook's process ---------------------------------------------------------------------

Result<void> take_streams(HookRun& run) {
  for (std::size_t fd = 0; fd < run.streams.size(); ++fd) {
    TRY(current().files->replace(static_cast<int>(fd), std::move(run.streams[fd]),
                                 CloseOnExec::No));
  }
  return {};
}

Result<void> execute(const abi::BootHook& hook, OldImage& old_image) {
  ExecRequest request;
  TRY(request.arguments.append_list(boot_string(hook.args.offset), hook.args.count));
  TRY(request.environment.append_list(boot_string(hook.env.offset), hook.env.count));
  request.file_name = TRY(Text::copy(boot_string(hook.path)));
  request.walk = TRY(walk_from_cwd(request.file_name.view()));
  return exec_program(std::move(request), old_image);
}

/// Its first act; it returns into the program.
void hook_main() {
  // SAFETY: process 1 waits, and keeps it, until this has executed a program or has ended.
  HookRun& run = *reinterpret_cast<HookRun*>(current().frame->rdi);
  OldImage old_image = OldImage::Intact;
  const auto begin = [&]() -> Result<void> {
    TRY(take_streams(run));
    return execute(*run.hook, old_image);
  };
  const Result<void> begun = begin();
  if (begun) {
    return;
  }
  if (old_image == OldImage::Gone) {
    process_exit(SIGSEGV);  // as execve(2); process 1 waits no more
  }
  run.exec_error = to_int(begun.error());
  constexpr int kExitCode127 = 127 << 8;
  process_exit(kExitCode127);
}

// ---- in process 1 ------------------------------------------------------------------------------

Result<void> make_streams(HookRun& run) {
  PipeEnds in = TRY(make_pipe(O_NONBLOCK));
  PipeEnds out = TRY(make_pipe(O_NONBLOCK));
  PipeEnds err = TRY(make_pipe(O_NONBLOCK));
  for (const Ref<File>& theirs : {in.reader, out.writer, err.writer}) {
    theirs->set_flags(theirs->flags() & ~std::uint32_t{O_NONBLOCK});
  }
  run.streams = {std::move(in.reader), std::move(out.writer), std::move(err.writer)};
  run.in = std::move(in.writer);
  run.out = std::move(out.reader);
  run.err = std::move(err.reader);
  return {};
}

bool would_block(const Result<std::size_t>& moved) {
  return !moved && to_int(moved.error()) == EAGAIN;
}

/// Writes what fits. Closed at the end, or if nobody reads it.
void feed(HookRun& run) {
  while (!run.input.empty()) {
    IoBuffer buffer(run.input);
    const Result<std::size_t> put = run.in->write(buffer);
    if (would_block(put)) {
      return;
    }
    run.input = put ? run.input.subspan(*put) : std::span<std::byte>();
  }
  run.in.reset();
}

/// The last bytes of `text` behind those of before.
void keep_tail(HookRun& run, std::string_view text) {
  const std::size_t room = run.tail.size();
  text.remove_prefix(text.size() - std::min(text.size(), room));
  const std::size_t stays = std::min(run.tail_size, room - text.size());
  std::copy_n(run.tail.begin() + static_cast<std::ptrdiff_t>(run.tail_size - stays), stays,
              run.tail.begin());
  std::copy(text.begin(), text.end(), run.tail.begin() + static_cast<std::ptrdiff_t>(stays));
  run.tail_size = stays + text.size();
}

/// Reads what is there; closed at the end.
template <typename Keep>
void drain(Ref<File>& file, Keep keep) {
  std::array<std::byte, 512> chunk{};
  while (file != nullptr) {
    IoBuffer buffer{std::span<std::byte>(chunk)};
    const Result<std::size_t> got = file->read(buffer);
    if (would_block(got)) {
      return;
    }
    if (!got || *got == 0) {
      file.reset();
      return;
    }
    // SAFETY: any bytes are characters.
    keep(std::string_view(reinterpret_cast<const char*>(chunk.data()), *got));
  }
}

void drain_both(HookRun& run) {
  drain(run.out, [](std::string_view) {});
  drain(run.err, [&run](std::string_view text) { keep_tail(run, text); });
}

/// Serves its streams until it has ended; ETIMEDOUT.
Result<void> serve(HookRun& run, const Ref<Process>& process) {
  const Nanoseconds limit = Nanoseconds{run.hook->timeout_seconds} * 1'000'000'000;
  const Nanoseconds deadline = limit != 0 ? monotonic_now() + limit : kNoDeadline;
  const Ref<File> end = TRY(make_ref<PidFile>(process, std::uint32_t{O_RDWR}));
  feed(run);
  for (;;) {
    std::array<PollItem, 4> items{{{.file = end, .events = POLLIN},
                                   {.file = run.in, .events = POLLOUT},
                                   {.file = run.out, .events = POLLIN},
                                   {.file = run.err, .events = POLLIN}}};
    // Signals to process 1 are its program's business.
    if (TRY(poll_files(items, deadline, Interruptible::No)) == 0) {
      return fail(ETIMEDOUT);
    }
    if (items[1].revents != 0) {
      feed(run);
    }
    drain_both(run);
    if (items[0].revents != 0) {
      return {};
    }
  }
}

/// "exit status 3: its last words", in one line; nothing after success.
Result<void> judge(const HookRun& run, int wait_status, TextWriter& words) {
  const EndOfChild end = describe_end(wait_status);
  if (wait_status == 0) {
    return {};
  }
  words.add(end.code == CLD_EXITED ? "exit status " : "killed by signal ", end.status);
  std::string_view said(run.tail.data(), run.tail_size);
  while (said.ends_with('\n')) {
    said.remove_suffix(1);
  }
  if (!said.empty()) {
    words.add(": ", said);
  }
  return fail(ECANCELED);
}

Result<void> run_to_end(HookRun& run, TextWriter& words) {
  TRY(make_streams(run));
  // SAFETY: as a number, on its way through a register.
  const Ref<Process> process = TRY(spawn_child(&hook_main, reinterpret_cast<std::uint64_t>(&run)));
  if (run.exec_error != 0) {
    return fail(run.exec_error);
  }
  const Result<void> served = serve(run, process);
  if (!served) {
    if (to_int(served.error()) == ETIMEDOUT) {
      words.add("killed after ", run.hook->timeout_seconds, " s, its timeout");
    }
    return served;  // the container ends, and it with that
  }
  ChildSelection selection;
  selection.which = ChildSelection::Which::Exactly;
  selection.exactly = process;
  selection.options = WEXITED | __WALL | WNOHANG;
  return judge(run, TRY(wait_for_child(selection)).wait_status, words);
}

Result<void> run_hook(const abi::BootConfig& config, std::uint32_t index, BootFailure& failure) {
  const Owned<HookRun> run = TRY(make<HookRun>());
  // SAFETY: the monitor wrote an aligned table and the input's bytes there (boot.h); they are read.
  run->hook = reinterpret_cast<const abi::BootHook*>(boot_string(config.start_hooks)) + index;
  auto* const input = const_cast<char*>(boot_string(config.hook_input));
  run->input = {reinterpret_cast<std::byte*>(input), config.hook_input_size};
  TextWriter words;
  const Result<void> done = run_to_end(*run, words);
  if (!done) {
    TextWriter place;
    place.add("/hooks/startContainer/", index, ": ", boot_string(run->hook->path), ": ");
    const std::string_view why =
        words.view().empty() ? error_text(to_int(done.error())) : words.view();
    set_failure(failure, {place.view(), why});
  }
  return done;
}

}  // namespace

Result<void> run_start_hooks(const abi::BootConfig& config, BootFailure& failure) {
  for (std::uint32_t index = 0; index < config.start_hook_count; ++index) {
    TRY(run_hook(config, index, failure));
  }
  return {};
}

}  // namespace runhl::kernel
