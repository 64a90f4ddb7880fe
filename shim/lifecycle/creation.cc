// SPDX-License-Identifier: Apache-2.0
#include "lifecycle/creation.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "lifecycle/container_hooks.h"
#include "lifecycle/host_resources.h"
#include "lifecycle/pidfd_socket.h"
#include "lifecycle/remove_container.h"
#include "lifecycle/rootfs_mode.h"
#include "lifecycle/small_file.h"
#include "lifecycle/upstream_rules.h"
#include "monitor/monitor.h"
#include "runhl/base/log.h"
#include "runhl/base/sys.h"
#include "runhl/oci/load_config.h"

namespace runhl::shim {
namespace {

constexpr std::int64_t kOwnTasks = 16;  // the monitor's threads and cell 0, beside the guest's

Result<std::string> absolute_bundle(const std::string& bundle) {
  std::array<char, PATH_MAX> resolved{};
  if (::realpath(bundle.c_str(), resolved.data()) == nullptr) {
    return fail_errno("bundle " + bundle);
  }
  return std::string(resolved.data());
}

/// What will be the state directory of a container that brings its own config.json.
Result<std::string> state_bundle(const StateRoot& root, const std::string& id) {
  std::array<char, PATH_MAX> here{};
  if (root.path().starts_with('/')) {
    return root.path() + "/" + id;
  }
  if (::getcwd(here.data(), here.size()) == nullptr) {
    return fail_errno("working directory");
  }
  return std::string(here.data()) + "/" + root.path() + "/" + id;
}

Result<oci::Config> read_config(const CreateRequest& request, const std::string& bundle) {
  if (!request.config_text.empty()) {
    return oci::parse_config(request.config_text, bundle);
  }
  const UniqueFd dir{::open(bundle.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!dir) {
    return fail_errno("bundle " + bundle);
  }
  return oci::load_config(dir.get(), bundle);
}

Result<oci::Config> load_bundle(const CreateRequest& request, const std::string& bundle) {
  oci::Config config = TRY(read_config(request, bundle));
  for (const std::string& warning : config.warnings) {
    log_warn("{}", warning);
  }
  return config;
}

/// First what runc refuses, in its words, then what we cannot give yet.
Result<void> check_terminal(const oci::Config& config, const CreateRequest& request,
                            Presence presence) {
  const bool terminal = config.process.terminal;
  const bool detached = presence == Presence::Detached;
  if (terminal && detached && request.console_socket.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "/process/terminal: cannot allocate tty if runhl will detach without setting "
                "console socket");
  }
  if ((!terminal || !detached) && !request.console_socket.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "--console-socket: cannot use console socket if runhl will not detach or allocate "
                "tty");
  }
  if (terminal) {
    return fail(ErrorCode::Unsupported, "/process/terminal: terminals are not supported yet");
  }
  return {};
}

Result<void> check_request(const CreateRequest& request) {
  TRY(check_container_id(request.id));
  if (request.preserve_fds != 0) {
    return fail(ErrorCode::Unsupported,
                "--preserve-fds: a guest gets no descriptors beyond the three streams");
  }
  return {};
}

// By chrono: the C library's calendar reads /etc/localtime, even for UTC.
std::string now_rfc3339() {
  using std::chrono::days;
  using std::chrono::floor;
  using std::chrono::nanoseconds;
  const auto now = floor<nanoseconds>(std::chrono::system_clock::now());
  const auto day = floor<days>(now);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{now - day};
  std::array<char, 80> text{};
  (void)std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02ld:%02ld:%02ld.%09ldZ",
                      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                      static_cast<unsigned>(date.day()), time.hours().count(),
                      time.minutes().count(), time.seconds().count(), time.subseconds().count());
  return text.data();
}

ContainerState plan_state(const CreateRequest& request, const oci::Config& config,
                          const GuestKind& kind, const std::string& bundle) {
  ContainerState state;
  state.id = request.id;
  state.bundle = bundle;
  state.rootfs = config.root_path;
  state.oci_version = config.oci_version;
  state.isolation = vmm::to_string(kind.isolation);
  state.created = now_rfc3339();
  state.owner = ::geteuid();
  state.annotations = config.annotations;
  state.annotations["dev.runhl.isolation"] = state.isolation;
  if (!kind.upstream_kernel.empty()) {
    state.annotations[kKernelAnnotation] = kind.upstream_kernel;
  }
  state.poststart = config.hooks.poststart;
  state.poststop = config.hooks.poststop;
  state.start_hooks = !config.hooks.start_container.empty();
  return state;
}

/// What the guest is, and in which form it has its root file system.
struct GuestPlan {
  GuestKind kind;
  RootfsMode mode = RootfsMode::Direct;
};

Result<GuestPlan> plan_guest(const CreateRequest& request, const oci::Config& config,
                             const MachineFactory& factory) {
  GuestPlan plan;
  if (!request.choose) {
    plan.kind.factory = factory;
  } else {
    plan.kind = TRY(request.choose(config));
  }
  if (plan.kind.upstream_kernel.empty()) {
    plan.mode = TRY(rootfs_mode(request, config));
    return plan;
  }
  TRY(check_upstream(config));
  plan.mode = TRY(upstream_rootfs_mode(request, config));
  return plan;
}

Result<UniqueFd> open_initrd(const CreateRequest& request, const oci::Config& config) {
  if (!request.initrd) {
    return fail(ErrorCode::Unsupported,
                "rootfs mode initrd: only `runhl run` and `create` have it");
  }
  return with_context("rootfs mode initrd", request.initrd(config.root_path));
}

}  // namespace

Result<Creation> Creation::begin(const StateRoot& root, const CreateRequest& request,
                                 Presence presence, const MachineFactory& factory) {
  Creation creation = TRY(launch(root, request, presence, factory, SetupStep::Proceed));
  TRY(creation.created());
  return creation;
}

Result<void> Creation::created() {
  TRY(facts_->channel.expect(SetupStep::Ready));
  TRY(publish_pid());
  if (::pwrite(facts_->exit_file.get(), kCreatedLine.data(), kCreatedLine.size(), 0) < 0) {
    return fail_errno("write " + facts_->dir.path() + "/exit");
  }
  return {};
}

Result<Creation> Creation::begin_running(const StateRoot& root, const CreateRequest& request,
                                         Presence presence, const MachineFactory& factory) {
  Creation creation = TRY(launch(root, request, presence, factory, SetupStep::ProceedAndStart));
  if (creation.state().start_hooks) {
    TRY(creation.created());
  }
  return creation;
}

Result<Creation> Creation::launch(const StateRoot& root, const CreateRequest& request,
                                  Presence presence, const MachineFactory& factory,
                                  SetupStep release) {
  TRY(check_request(request));
  const bool own_config = !request.config_text.empty();
  const std::string bundle =
      TRY(own_config ? state_bundle(root, request.id) : absolute_bundle(request.bundle));
  oci::Config config = TRY(load_bundle(request, bundle));
  TRY(check_terminal(config, request, presence));
  GuestPlan guest = TRY(plan_guest(request, config, factory));
  UniqueFd initrd;
  if (guest.mode == RootfsMode::Initrd) {
    initrd = TRY(open_initrd(request, config));
  }
  ContainerState state = plan_state(request, config, guest.kind, bundle);
  state.annotations[kRootfsAnnotation] = to_string(guest.mode);
  CgroupPlan cgroup = TRY(plan_host_resources(config, &state));
  auto ends = TRY(SetupChannel::create());
  StateDir dir = TRY(root.claim(request.id));
  Creation creation(std::make_unique<Facts>(Facts{.root = root,
                                                  .request = request,
                                                  .config = std::move(config),
                                                  .dir = std::move(dir),
                                                  .state = std::move(state),
                                                  .exit_file = {},
                                                  .cgroup = std::move(cgroup),
                                                  .channel = std::move(ends.first),
                                                  .initrd = std::move(initrd),
                                                  .kind = std::move(guest.kind)}));
  if (own_config) {
    TRY(creation.facts_->dir.make_bundle(request.config_text));
  }
  creation.facts_->exit_file = TRY(creation.facts_->dir.make_progress());
  TRY(creation.fork_monitor(std::move(ends.second)));
  TRY(creation.set_up(release));
  return creation;
}

Result<void> Creation::fork_monitor(SetupChannel monitor_end) {
  Facts& facts = *facts_;
  UniqueFd null_device{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (!null_device) {
    return fail_errno("open /dev/null");
  }
  const pid_t pid = ::fork();
  if (pid < 0) {
    return fail_errno("fork");
  }
  if (pid == 0) {
    MonitorPlan plan{.config = std::move(facts.config),
                     .state = std::move(facts.state),
                     .cgroup = std::move(facts.cgroup),
                     .dir = std::move(facts.dir),
                     .exit_file = std::move(facts.exit_file),
                     .null_device = std::move(null_device),
                     .channel = std::move(monitor_end),
                     .initrd = std::move(facts.initrd),
                     .rootfs_size = facts.request.rootfs_size,
                     .kind = std::move(facts.kind)};
    {
      const SetupChannel verbs_end = std::move(facts.channel);
    }
    ::_exit(run_monitor(std::move(plan)));
  }
  facts.initrd.reset();           // the monitor's alone
  facts.kind = {};                // as are its descriptors
  facts.state.monitor.pid = pid;  // known to undo() from here on
  facts.state.monitor = TRY(identify_process(pid));
  return {};
}

Result<void> Creation::set_up(SetupStep release) {
  Facts& facts = *facts_;
  TRY(facts.dir.write(facts.state));
  const oci::Hooks& hooks = facts.config.hooks;
  if (has_verb_hooks(hooks)) {
    TRY(facts.channel.expect(SetupStep::NamespacesReady));
    const ContainerView creating{oci::Status::Creating, facts.state.monitor.pid, facts.state};
    facts.hooks_began = true;
    TRY(run_container_hooks("prestart", hooks.prestart, creating));
    TRY(run_container_hooks("createRuntime", hooks.create_runtime, creating));
    TRY(facts.channel.send(SetupStep::HooksDone));
  }
  facts.hooks_began = true;  // the monitor's come next
  // The claim on the groups ends when the monitor is in them.
  Cgroup group = TRY(Cgroup::create(linux_sys(), facts.cgroup, facts.config.resources,
                                    {.pids_overhead = kOwnTasks}));
  if (!facts.cgroup.joined_by_member()) {
    TRY(add_monitor(&group));
  }
  TRY(facts.channel.send(facts.state.start_hooks ? SetupStep::Proceed : release));
  if (facts.cgroup.joined_by_member()) {
    TRY(facts.channel.expect(SetupStep::Joined));
  }
  return {};
}

/// By us, while the monitor is at work: it takes long, and is done when the monitor is.
Result<void> Creation::add_monitor(Cgroup* group) {
  Facts& facts = *facts_;
  auto added = group->add(facts.state.monitor.pid);
  if (!added && added.error().os_errno == ESRCH) {
    TRY(facts.channel.receive());  // its last word says why it is gone
  }
  return added;
}

/// From here others may look.
Result<void> Creation::publish_pid() {
  Facts& facts = *facts_;
  if (!facts.request.pidfd_socket.empty()) {
    TRY(send_pidfd(facts.request.pidfd_socket, facts.state.monitor.pid));
  }
  if (!facts.request.pid_file.empty()) {
    const std::string pid = std::to_string(facts.state.monitor.pid);
    TRY(with_context("--pid-file", replace_file_at(AT_FDCWD, facts.request.pid_file, pid, 0644)));
    facts.pid_file_written = true;
  }
  return {};
}

Result<void> Creation::commit() {
  TRY(facts_->channel.send(SetupStep::Commit));
  facts_.reset();
  return {};
}

Result<void> Creation::started() {
  TRY(facts_->channel.expect(SetupStep::Started));
  TRY(publish_pid());
  facts_.reset();
  return {};
}

Creation::~Creation() {
  if (facts_) {
    undo();
  }
}

/// The monitor is our child: no pidfd is needed to kill exactly it.
void Creation::undo() {
  const int pid = facts_->state.monitor.pid;
  if (pid > 0) {
    (void)::kill(pid, SIGKILL);  // a zombie at worst
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (facts_->pid_file_written) {
    (void)::unlink(facts_->request.pid_file.c_str());  // gone is as good
  }
  const Poststop poststop = facts_->hooks_began ? Poststop::Run : Poststop::Skip;
  if (const auto removed = remove_container(facts_->root, facts_->state, poststop); !removed) {
    log_warn("{}", removed.error().message);
  }
}

}  // namespace runhl::shim
