// SPDX-License-Identifier: Apache-2.0
#include "proc/exec_program.h"

#include <asm/auxvec.h>
#include <elf.h>
#include <linux/auxvec.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "core/random.h"
#include "fs/fd_table.h"
#include "fs/permission.h"
#include "fs/vfs.h"
#include "host/events.h"
#include "mm/address_space.h"
#include "proc/cell.h"
#include "proc/elf_loader.h"
#include "proc/exec.h"
#include "proc/exec_credentials.h"
#include "proc/process.h"
#include "proc/process_table.h"
#include "proc/program_image.h"
#include "proc/shared_parts.h"
#include "proc/stack_builder.h"
#include "proc/task.h"
#include "proc/thread.h"

namespace runhl::kernel {
namespace {

constexpr unsigned kMaxScripts = 5;  // Linux: interpreters of interpreters
constexpr std::uint64_t kMinStack = 128 * kKiB;
constexpr std::uint64_t kFirstStack = 128 * kKiB;  // Linux: stack_expand
constexpr std::uint64_t kDefaultStack = 8 * kMiB;
constexpr std::uint64_t kMaxStack = 1 * kGiB;
constexpr std::uint64_t kHwcap2Fsgsbase = 1U << 1;

/// An executable that was opened, allowed and looked at.
struct Image {
  Ref<File> file;
  WriteHold hold;  // of the file
  abi::FileAttr attr{};
  ElfPlan plan;
  std::array<std::byte, kPageSize> first_page;
  std::size_t first_bytes = 0;  // in first_page
};

bool can_inject() {
  return (monitor_page().flags & abi::kHasInjection) != 0;
}

/// The kernel may read what its task may only execute; on the host side within the ceiling.
class ReadAnything {
 public:
  ReadAnything() : task_(current()), effective_(task_.credentials.effective) {
    task_.credentials.effective |= 1ULL << CAP_DAC_OVERRIDE;
  }
  ~ReadAnything() { task_.credentials.effective = effective_; }
  ReadAnything(const ReadAnything&) = delete;
  ReadAnything& operator=(const ReadAnything&) = delete;

 private:
  Task& task_;
  std::uint64_t effective_;
};

Result<Ref<File>> open_program(PathWalk& walk, Follow follow) {
  // A FIFO is refused at once, as on Linux: its opening does not wait for a writer.
  const std::uint32_t flags = O_RDONLY | O_NONBLOCK | (follow == Follow::Yes ? 0U : O_NOFOLLOW);
  const OpenOptions options{.flags = flags, .mode = 0, .inject = can_inject()};
  Result<Ref<File>> file = vfs_open(walk, options);
  if (file || to_int(file.error()) != EACCES) {
    return file;
  }
  const abi::FileAttr attr = TRY(vfs_stat(walk, follow));
  TRY(check_access(attr, file_identity(current().credentials), kAccessExecute));
  const ReadAnything privilege;
  return vfs_open(walk, options);
}

Result<void> open_image(PathWalk& walk, Follow follow, Image& image) {
  image.file = TRY(open_program(walk, follow));
  image.attr = TRY(image.file->attributes());
  if (!S_ISREG(image.attr.mode) || image.file->mount()->no_exec()) {
    return fail(EACCES);
  }
  TRY(check_access(image.attr, file_identity(current().credentials), kAccessExecute));
  image.hold = TRY(WriteHold::create(inode_key(image.attr), WriteHold::Kind::Program));
  IoBuffer buffer{std::span<std::byte>(image.first_page)};
  image.first_bytes = TRY(image.file->read_at(buffer, 0));
  return {};
}

Result<void> parse_image(Image& image) {
  const auto first = std::span<const std::byte>(image.first_page).first(image.first_bytes);
  const std::size_t needed = TRY(elf_header_size(first));
  if (needed <= first.size()) {
    return parse_elf(first, image.attr.size, image.plan);
  }
  auto* const bytes = static_cast<std::byte*>(heap_allocate(needed));
  if (bytes == nullptr) {
    return fail(ENOMEM);
  }
  IoBuffer buffer{std::span<std::byte>(bytes, needed)};
  const Result<std::size_t> got = image.file->read_at(buffer, 0);
  const Result<void> parsed =
      got ? parse_elf({bytes, *got}, image.attr.size, image.plan) : fail(to_int(got.error()));
  heap_free(bytes, needed);
  return parsed;
}

struct ScriptLine {
  std::string_view interpreter, argument;
};

/// "#!interpreter [argument]"; false: not a script.
Result<bool> read_script_line(const Image& image, ScriptLine& line) {
  constexpr std::size_t kMaxLine = 256;  // Linux BINPRM_BUF_SIZE
  // SAFETY: any bytes are characters.
  std::string_view text(reinterpret_cast<const char*>(image.first_page.data()),
                        std::min(image.first_bytes, kMaxLine));
  if (!text.starts_with("#!")) {
    return false;
  }
  text.remove_prefix(2);
  const std::size_t newline = text.find('\n');
  const bool cut = newline == std::string_view::npos && image.first_bytes > kMaxLine;
  text = text.substr(0, newline);
  constexpr std::string_view kBlank = " \t";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  const std::size_t end = std::min(text.find_first_of(kBlank), text.size());
  line.interpreter = text.substr(0, end);
  if (line.interpreter.empty() && newline == std::string_view::npos) {
    return fail(EACCES);  // Linux takes the name to be empty, which is the directory
  }
  if (line.interpreter.empty() || (cut && end == text.size())) {
    return fail(ENOEXEC);  // no interpreter, or its name is not all there
  }
  text.remove_prefix(end);
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  while (!text.empty() && kBlank.find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  line.argument = text;
  return true;
}

/// Makes the request one for the script's interpreter.
Result<void> turn_to_interpreter(const ScriptLine& line, ExecRequest& request) {
  StringBlock arguments;
  TRY(arguments.append(line.interpreter));
  if (!line.argument.empty()) {
    TRY(arguments.append(line.argument));
  }
  TRY(arguments.append(request.file_name.view()));
  if (request.arguments.count() > 1) {
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): strings with their ends, counted
    TRY(arguments.append_list(request.arguments.without_first().data(),
                              request.arguments.count() - 1));
  }
  request.arguments = std::move(arguments);
  request.walk = TRY(walk_from_cwd(line.interpreter));
  request.follow = Follow::Yes;
  return {};
}

/// Opens the program, through scripts, until an ELF file is at hand.
Result<void> find_image(ExecRequest& request, Image& image) {
  for (unsigned depth = 0; depth <= kMaxScripts; ++depth) {
    TRY(open_image(*request.walk, request.follow, image));
    ScriptLine line;
    if (!TRY(read_script_line(image, line))) {
      return parse_image(image);
    }
    if (request.name_will_be_gone) {
      return fail(ENOENT);
    }
    TRY(turn_to_interpreter(line, request));
  }
  return fail(ELOOP);
}

/// Out of what was read of the program, as a rule; else read into `image`, until that is opened.
/// The path fits in one page (elf_loader.cc).
Result<std::string_view> interpreter_path(const Image& program, Image& image) {
  const std::uint64_t offset = program.plan.interpreter_offset;
  std::size_t size = program.plan.interpreter_size;
  const std::byte* bytes = image.first_page.data();
  if (offset < program.first_bytes && size <= program.first_bytes - offset) {
    bytes = program.first_page.data() + offset;
  } else {
    IoBuffer buffer{std::span<std::byte>(image.first_page).first(size)};
    size = TRY(program.file->read_at(buffer, offset));
  }
  // SAFETY: any bytes are characters.
  return std::string_view(reinterpret_cast<const char*>(bytes), size);
}

Result<Owned<Image>> open_interpreter(const Image& program) {
  Owned<Image> image = TRY(make<Image>());
  const std::string_view path = TRY(interpreter_path(program, *image));
  if (path.size() != program.plan.interpreter_size || path.back() != '\0') {
    return fail(ENOEXEC);
  }
  if (path.front() == '\0') {
    return fail(EACCES);  // as an empty name of a script's
  }
  const Owned<PathWalk> walk = TRY(walk_from_cwd(path.substr(0, path.find('\0'))));
  TRY(open_image(*walk, Follow::Yes, *image));
  if (image->first_bytes < sizeof(Elf64_Ehdr)) {
    return fail(EIO);
  }
  return parse_image(*image) ? Result<Owned<Image>>(std::move(image)) : fail(ELIBBAD);
}

Result<LoadedElf> load_program(AddressSpace& mm, const Image& image) {
  if (image.plan.broken) {
    return fail(ENOEXEC);
  }
  UserAddress base = 0;
  if (image.plan.position_independent) {
    base = align_down(mm.layout().pie_base, image.plan.alignment) - image.plan.lowest();
  }
  return load_elf(mm, image.plan, image.file, base);
}

Result<LoadedElf> load_interpreter(AddressSpace& mm, const Image& image) {
  if (image.plan.broken) {
    return fail(ENOEXEC);
  }
  if (!image.plan.position_independent) {
    return load_elf(mm, image.plan, image.file, 0);
  }
  const std::uint64_t size = image.plan.highest() - image.plan.lowest();
  const std::uint64_t slack = image.plan.alignment - kPageSize;
  const UserAddress at = TRY(mm.find_free(size + slack));
  return load_elf(mm, image.plan, image.file,
                  align_up(at, image.plan.alignment) - image.plan.lowest());
}

std::uint64_t stack_size() {
  const std::uint64_t limit = current().process->rlimits[RLIMIT_STACK].soft;
  return limit == ~0ULL ? kDefaultStack
                        : align_up(std::clamp(limit, kMinStack, kMaxStack), kPageSize);
}

/// No less than what fill_stack() will write.
std::uint64_t stack_use(const ExecRequest& request) {
  constexpr std::uint64_t kFixed = 3 * kPageSize;  // jitter, auxiliary vector, short strings
  const StringBlock& arguments = request.arguments;
  const StringBlock& environment = request.environment;
  return arguments.bytes().size() + environment.bytes().size() + request.file_name.view().size() +
         kFixed + (arguments.count() + environment.count()) * sizeof(std::uint64_t);
}

/// `used`: bytes that fill_stack() will write.
Result<void> map_stack(AddressSpace& mm, bool executable, std::uint64_t used) {
  MapRequest request;
  // Room for the strings and what Linux gives at first; the rest comes by fault.
  request.length = align_up(std::max(used, std::min(used + kFirstStack, stack_size())), kPageSize);
  request.address = mm.layout().stack_top - request.length;
  request.protection = PROT_READ | PROT_WRITE | (executable ? std::uint32_t{PROT_EXEC} : 0U);
  request.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN;
  request.kind = VmaKind::Stack;
  TRY(mm.map(request));
  return {};
}

struct LoadedImage {
  LoadedElf program;
  UserAddress interpreter_base = 0;
  UserAddress entry = 0;
  std::uint16_t header_count = 0;
  bool secure = false;
};

Result<UserAddress> fill_stack(const AddressSpace& mm, const ExecRequest& request,
                               const LoadedImage& loaded) {
  const abi::LaunchInfo& host = host_header().launch;
  const Credentials& who = current().credentials;
  const std::array<AuxEntry, 18> auxiliary{{
      {AT_SYSINFO_EHDR, host.vdso_address},
      {AT_MINSIGSTKSZ, host.minsigstksz},
      {AT_HWCAP, host.hwcap},
      {AT_PAGESZ, kPageSize},
      {AT_CLKTCK, host.clock_ticks != 0 ? host.clock_ticks : 100},
      {AT_PHDR, loaded.program.headers},
      {AT_PHENT, sizeof(Elf64_Phdr)},
      {AT_PHNUM, loaded.header_count},
      {AT_BASE, loaded.interpreter_base},
      {AT_FLAGS, 0},
      {AT_ENTRY, loaded.program.entry},
      {AT_UID, who.uid},
      {AT_EUID, who.euid},
      {AT_GID, who.gid},
      {AT_EGID, who.egid},
      {AT_SECURE, loaded.secure ? 1U : 0U},
      // %gs is the kernel's: programs must ask arch_prctl for it, so FSGSBASE is not announced.
      {AT_HWCAP2, host.hwcap2 & ~kHwcap2Fsgsbase},
      {AT_IGNORE, 0},
  }};
  StackContents contents;
  contents.arguments = &request.arguments;
  contents.environment = &request.environment;
  contents.file_name = request.file_name.view();
  random_bytes(contents.random);
  const bool has_vdso = host.vdso_size != 0;
  contents.auxiliary = std::span(auxiliary).subspan(has_vdso ? 0 : 1);
  const UserLayout& layout = mm.layout();
  // Linux: a quarter of the stack's limit, at most 6 MiB.
  const std::uint64_t limit = std::clamp(stack_size() / 4, kMinStack, 6 * kMiB);
  return build_stack(layout.stack_top - layout.stack_jitter, limit, contents);
}

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

/// Where things lie on the new stack: what build_stack() has just written there.
Result<void> record_stack(ProgramImage& image, UserAddress stack, const ExecRequest& request) {
  const UserIn<std::uint64_t> words(stack);
  const std::size_t environment_at = 1 + request.arguments.count() + 1;
  const std::size_t auxiliary_at = environment_at + request.environment.count() + 1;
  image.stack_start = stack;
  image.arguments_start = TRY(words.copy_in(1));
  image.environment_start = TRY(words.copy_in(environment_at));
  while (image.auxiliary_count + 2 <= image.auxiliary.size()) {
    const std::size_t at = image.auxiliary_count;
    image.auxiliary[at] = TRY(words.copy_in(auxiliary_at + at));
    image.auxiliary[at + 1] = TRY(words.copy_in(auxiliary_at + at + 1));
    image.auxiliary_count += 2;
    if (image.auxiliary[at] == AT_NULL) {
      break;
    }
  }
  return {};
}

Result<Ref<ProgramImage>> make_image_record(const ExecRequest& request, Image& program,
                                            const LoadedElf& loaded) {
  Ref<ProgramImage> image = TRY(make_ref<ProgramImage>());
  image->executable = program.file;
  image->hold = std::move(program.hold);
  image->arguments = TRY(Text::copy(request.arguments.bytes()));
  image->environment = TRY(Text::copy(request.environment.bytes()));
  for (std::size_t i = 0; i < program.plan.segment_count; ++i) {
    const ElfSegment& segment = program.plan.segments[i];
    const UserAddress start = loaded.base + segment.address;
    if ((segment.protection & PROT_EXEC) != 0) {
      image->code_start = start;
      image->code_end = start + segment.file_size;
    } else if ((segment.protection & PROT_WRITE) != 0) {
      image->data_start = start;
      image->data_end = start + segment.file_size;
    }
  }
  return image;
}

/// What Linux would end by a signal sooner or later.
bool cannot_run(const Image& image) {
  return image.plan.broken || image.plan.odd;
}

/// Everything that destroys the old image. Errors are fatal for the process, as on Linux.
Result<void> replace_image(const ExecRequest& request, Image& program, const Image* interpreter) {
  Process& process = *current().process;
  release_memory(current());
  posix_timers_clear(process);
  process.membarrier_registered.store(0);
  AddressSpace& mm = *process.mm;
  const bool randomise = (monitor_page().flags & abi::kNoRandomLayout) == 0;
  TRY(mm.reset(make_user_layout(randomise)));
  TRY(own_files(current()));
  current().files->close_marked();

  const bool may_gain =
      !process.no_new_privileges && (program.file->mount()->flags & abi::kMountNoSuid) == 0;
  const ExecCredentials credentials =
      credentials_for_exec(current().credentials, program.attr, may_gain);
  current().credentials = credentials.credentials;
  renew_credentials(current().credentials);
  // Whoever runs as somebody else is not looked into, nor told of its parent's end.
  const Credentials& who = credentials.credentials;
  process.dumpable = who.euid == who.uid && who.egid == who.gid;
  if (credentials.secure) {
    current().parent_death_signal = 0;
  }

  LoadedImage loaded;
  loaded.secure = credentials.secure;
  loaded.header_count = program.plan.header_count;
  TRY(map_stack(mm, program.plan.executable_stack, stack_use(request)));
  loaded.program = TRY(load_program(mm, program));
  loaded.entry = loaded.program.entry;
  mm.set_heap_start(loaded.program.end + mm.layout().brk_gap);
  if (interpreter != nullptr) {
    const LoadedElf linker = TRY(load_interpreter(mm, *interpreter));
    loaded.interpreter_base = linker.base;
    loaded.entry = linker.entry;
  }
  const UserAddress stack_pointer = TRY(fill_stack(mm, request, loaded));
  Ref<ProgramImage> image = TRY(make_image_record(request, program, loaded.program));
  TRY(record_stack(*image, stack_pointer, request));
  process.image = std::move(image);
  return start_new_program(loaded.entry, stack_pointer, base_name(request.file_name.view()));
}

bool shares_memory(const Process& process) {
  const ProcessTable::Guard family;
  return process.cell->processes > 1;
}

}  // namespace

Result<void> exec_program(ExecRequest request, OldImage& old_image) {
  old_image = OldImage::Intact;
  const Owned<Image> program = TRY(make<Image>());
  TRY(find_image(request, *program));
  Owned<Image> interpreter;
  if (program->plan.interpreter_size != 0) {
    interpreter = TRY(open_interpreter(*program));
  }
  const bool first = current().process == container_init() && !current().process->executed;
  if (first && (cannot_run(*program) || (interpreter != nullptr && cannot_run(*interpreter)))) {
    return fail(ENOEXEC);  // the runtime can still say so
  }
  TRY(end_other_threads());
  if (shares_memory(*current().process)) {
    TRY(cell_move_out());
  }
  old_image = OldImage::Gone;
  return replace_image(request, *program, interpreter.get());
}

}  // namespace runhl::kernel
