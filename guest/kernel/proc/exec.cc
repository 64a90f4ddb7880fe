// SPDX-License-Identifier: Apache-2.0
#include "proc/exec.h"

#include <sys/stat.h>

#include <cstring>

#include "fs/boot_mounts.h"
#include "fs/fd_table.h"
#include "fs/fs_context.h"
#include "fs/permission.h"
#include "fs/stream_file.h"
#include "fs/vfs.h"
#include "mm/address_space.h"
#include "proc/error_text.h"
#include "proc/exec_program.h"
#include "proc/home.h"
#include "proc/task.h"

namespace runhl::kernel {
namespace {

const char* text_at(const abi::BootConfig& config, std::uint32_t offset) {
  // SAFETY: the monitor wrote NUL-terminated text there (boot.h); the guest trusts it.
  return reinterpret_cast<const char*>(&config) + offset;
}

Result<void> add_streams(FdTable& files, const abi::BootConfig& config) {
  for (std::uint32_t stream = 0; stream < 3; ++stream) {
    const std::uint32_t access = stream == 0 ? O_RDONLY : O_WRONLY;
    const std::uint32_t mode = config.stream_modes[stream];
    const bool terminal = S_ISCHR(mode);
    Ref<StreamFile> file =
        TRY(StreamFile::create(stream, mode, terminal ? std::uint32_t{O_RDWR} : access));
    TRY(files.install(std::move(file), CloseOnExec::No, 3));
  }
  return {};
}

/// Files and place in the file system of the current task.
Result<void> build_process(const abi::BootConfig& config, BootFailure& failure) {
  Task& task = current();
  task.files = TRY(make_ref<FdTable>()).detach();
  Ref<Directory> root = TRY(mount_all(config, failure));
  task.fs = TRY(make_ref<FsContext>(std::move(root))).detach();
  task.fs->set_umask(config.umask);
  return add_streams(*task.files, config);
}

Result<void> enter_cwd(std::string_view cwd, BootFailure& failure) {
  const auto enter = [cwd]() -> Result<void> {
    const Owned<PathWalk> walk = TRY(walk_from_cwd(cwd));
    current().fs->set_cwd(TRY(vfs_open_directory(*walk)));
    return {};
  };
  const Result<void> entered = enter();
  if (!entered) {
    set_failure(failure, {"chdir to cwd (\"", cwd,
                          "\") set in config.json failed: ", error_text(to_int(entered.error()))});
  }
  return entered;
}

/// As Go's exec.LookPath judges a candidate: it exists, is no directory and may be executed.
/// `stage` tells apart a failing stat from a refused file.
enum class Stage : std::uint8_t { Stat, Judge };
Result<void> find_executable(std::string_view path, Stage& stage) {
  stage = Stage::Stat;
  const Owned<PathWalk> walk = TRY(walk_from_cwd(path));
  const abi::FileAttr attr = TRY(vfs_stat(*walk, Follow::Yes));
  stage = Stage::Judge;
  if (S_ISDIR(attr.mode)) {
    return fail(EISDIR);
  }
  TRY(check_access(attr, file_identity(current().credentials), kAccessExecute));
  return walk->mount().no_exec() ? fail(EACCES) : Result<void>{};
}

Result<Text> search_path(std::string_view name, std::string_view directories) {
  while (true) {
    const std::size_t end = std::min(directories.find(':'), directories.size());
    const std::string_view directory = end == 0 ? "." : directories.substr(0, end);
    Text path = TRY(Text::join(directory, "/"));
    path = TRY(Text::join(path.view(), name));
    Stage stage{};
    if (find_executable(path.view(), stage)) {
      return path;
    }
    if (end == directories.size()) {
      return fail(ENOENT);
    }
    directories.remove_prefix(end + 1);
  }
}

Result<Text> look_up_program(std::string_view name, const StringBlock& environment,
                             BootFailure& failure) {
  if (name.find('/') != std::string_view::npos) {
    return Text::copy(name);
  }
  Result<Text> found = search_path(name, environment.find_variable("PATH"));
  if (!found) {
    set_failure(failure, {"exec: \"", name, "\": executable file not found in $PATH"});
  }
  return found;
}

/// What is wrong with a program that did not start, if its file is. Not asked before: what starts
/// needs no second walk.
Result<void> judge_program(std::string_view name, BootFailure& failure) {
  Stage stage{};
  const Result<void> judged = find_executable(name, stage);
  if (judged) {
    return {};
  }
  const std::string_view why = error_text(to_int(judged.error()));
  if (stage == Stage::Stat) {
    set_failure(failure, {"exec: \"", name, "\": stat ", name, ": ", why});
  } else {
    set_failure(failure, {"exec: \"", name, "\": ", why});
  }
  return judged;
}

Result<ExecRequest> request_program(const abi::BootConfig& config, BootFailure& failure) {
  ExecRequest request;
  TRY(request.arguments.append_list(text_at(config, config.args.offset), config.args.count));
  TRY(request.environment.append_list(text_at(config, config.env.offset), config.env.count));
  TRY(add_home(request.environment, current().credentials.uid));
  request.file_name = TRY(look_up_program(request.arguments.first(), request.environment, failure));
  return request;
}

Result<void> start_program(const abi::BootConfig& config, BootFailure& failure) {
  ExecRequest request = TRY(request_program(config, failure));
  request.walk = TRY(walk_from_cwd(request.file_name.view()));
  // The request is consumed; the name is still in the configuration.
  const Text name = TRY(Text::copy(request.file_name.view()));
  OldImage old_image{};
  const Result<void> started = exec_program(std::move(request), old_image);
  if (!started) {
    TRY(judge_program(name.view(), failure));
    set_failure(failure, {"exec ", name.view(), ": ", error_text(to_int(started.error()))});
  }
  return started;
}

/// What `act` does, with some words for its error if it has none.
template <typename Act>
Result<void> with_words(BootFailure& failure, Act act) {
  const Result<void> done = act();
  if (!done && failure.message[0] == '\0') {
    set_failure(failure, {"start of the container's process: ", error_text(to_int(done.error()))});
  }
  return done;
}

}  // namespace

Result<void> exec_init(const abi::BootConfig& config, BootFailure& failure) {
  return with_words(failure, [&]() -> Result<void> {
    TRY(build_process(config, failure));
    TRY(enter_cwd(text_at(config, config.cwd), failure));
    if (config.start_hook_count == 0) {
      return start_program(config, failure);
    }
    const ExecRequest request = TRY(request_program(config, failure));
    return judge_program(request.file_name.view(), failure);
  });
}

Result<void> exec_init_program(const abi::BootConfig& config, BootFailure& failure) {
  return with_words(failure, [&] { return start_program(config, failure); });
}

}  // namespace runhl::kernel
