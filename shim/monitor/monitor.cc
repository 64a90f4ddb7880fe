// SPDX-License-Identifier: Apache-2.0
#include "monitor/monitor.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <optional>
#include <utility>
#include <vector>

#include "lifecycle/container_hooks.h"
#include "monitor/mount_table.h"
#include "monitor/own_limits.h"
#include "monitor/process_spec.h"
#include "monitor/process_title.h"
#include "monitor/session.h"
#include "monitor/streams.h"
#include "monitor/working_directory.h"
#include "runhl/base/log.h"
#include "runhl/base/sys.h"
#include "runhl/shim/capabilities.h"
#include "runhl/shim/cell_uids.h"
#include "runhl/shim/control.h"
#include "runhl/shim/jail.h"
#include "runhl/shim/monitor_filter.h"
#include "runhl/shim/netns.h"
#include "runhl/shim/rootless.h"

namespace runhl::shim {
namespace {

constexpr int kSetupFailed = 1;

/// Everything between the fork and the wait, in the one order that works (design in lifecycle.h).
class Setup {
 public:
  explicit Setup(MonitorPlan plan) : plan_(std::move(plan)), sys_(linux_sys()) {}

  /// Until the guest can boot. What the session needs is in the result; the rest is gone.
  Result<SessionParts> run();
  [[nodiscard]] SetupChannel& channel() { return plan_.channel; }

  /// What run() was told, memory alone.
  struct Rest {
    oci::Config config;
    ContainerState state;
  };
  std::shared_ptr<Rest> take_rest() {
    return std::make_shared<Rest>(
        Rest{.config = std::move(plan_.config), .state = std::move(plan_.state)});
  }

 private:
  Result<void> become_own_process();
  enum class DeathOfVerb : std::uint8_t { Kills, EndsChannel };
  Result<void> on_death_of_verb(DeathOfVerb effect);
  Result<void> join_namespaces();
  [[nodiscard]] bool needs_release() const;
  Result<void> await_release();
  Result<void> open_what_confinement_forbids();
  Result<void> enter_control_groups();
  Result<vmm::MachineSpec> describe_guest();
  Result<void> make_guest(vmm::MachineSpec spec);
  Result<void> enter_jail(vmm::MachineSpec* spec);
  Result<void> confine(const std::vector<vmm::GrantedTree>& trees, const vmm::Ceiling& ceiling);

  MonitorPlan plan_;
  Sys& sys_;
  std::unique_ptr<EventLoop> loop_;
  vmm::Stdio stdio_;
  UniqueFd proc_, signals_, listener_, report_;
  CgroupHandles cgroup_handles_;
  Privilege privilege_ = Privilege::Full;
  std::vector<vmm::Rlimit> inherited_limits_;
  vmm::ProcessSpec process_;
  CellUid cell_uid_;
  JailSpec jail_;
  std::vector<DetachedTree> trees_;
  std::unique_ptr<vmm::Machine> machine_;
  std::optional<StartMode> start_;
  bool confined_ = false;
};

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string domain_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::getdomainname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::uint64_t limit_or_none(const std::optional<std::int64_t>& limit) {
  return limit && *limit > 0 ? static_cast<std::uint64_t>(*limit) : 0;
}

/// They see what is told to all hooks, from inside: the process that waits for them is number 1.
vmm::StartHooks start_hooks(const std::vector<oci::Hook>& hooks, const ContainerState& state) {
  vmm::StartHooks out;
  for (const oci::Hook& hook : hooks) {
    out.hooks.push_back({.path = hook.path,
                         .args = hook.args,
                         .env = hook.env,
                         .timeout_seconds = hook.timeout_seconds});
  }
  if (!hooks.empty()) {
    out.input = oci::to_json(to_oci({oci::Status::Created, 1, state}));
  }
  return out;
}

std::vector<vmm::DeviceRule> device_rules(const oci::Resources& resources) {
  std::vector<vmm::DeviceRule> rules;
  const auto number = [](const std::optional<std::int64_t>& value) {
    return value ? std::optional(static_cast<std::uint32_t>(*value)) : std::nullopt;
  };
  for (const oci::DeviceRule& rule : resources.devices) {
    rules.push_back({.allow = rule.allow,
                     .type = rule.type,
                     .read = rule.access.find('r') != std::string::npos,
                     .write = rule.access.find('w') != std::string::npos,
                     .make = rule.access.find('m') != std::string::npos,
                     .major = number(rule.major),
                     .minor = number(rule.minor)});
  }
  return rules;
}

Result<SessionParts> Setup::run() {
  TRY(become_own_process());
  TRY(join_namespaces());
  if (has_verb_hooks(plan_.config.hooks)) {
    TRY(plan_.channel.send(SetupStep::NamespacesReady));
    TRY(plan_.channel.expect(SetupStep::HooksDone));
  }
  TRY(enter_mount_namespace(sys_));
  if (needs_release()) {
    TRY(await_release());
  }
  TRY(run_container_hooks("createContainer", plan_.config.hooks.create_container,
                          {oci::Status::Creating, ::getpid(), plan_.state}));
  TRY(enter_control_groups());
  TRY(open_what_confinement_forbids());
  vmm::MachineSpec spec = TRY(describe_guest());
  TRY(await_release());
  TRY(make_guest(std::move(spec)));
  return SessionParts{.start = *start_,
                      .loop = std::move(loop_),
                      .machine = std::move(machine_),
                      .channel = std::move(plan_.channel),
                      .control_listener = std::move(listener_),
                      .exit_file = std::move(plan_.exit_file),
                      .signals = std::move(signals_),
                      .cell_uid_lock = std::move(cell_uid_.lock),
                      .report = std::move(report_),
                      .thaw = std::move(cgroup_handles_.thaw),
                      .oom = std::move(cgroup_handles_.oom),
                      .when_settled = {}};
}

/// Whether the set-up needs what the verb has made, or makes what outlives us, before the guest.
bool Setup::needs_release() const {
  return plan_.cgroup.version != CgroupVersion::None ||
         !plan_.config.hooks.create_container.empty();
}

/// Until the state is written, from which all can be undone, and the control groups are there. Once
/// is enough.
Result<void> Setup::await_release() {
  if (start_) {
    return {};
  }
  const SetupChannel::Message message = TRY(plan_.channel.receive());
  switch (message.step) {
    case SetupStep::Proceed:
      start_ = StartMode::ByOrder;
      return {};
    case SetupStep::ProceedAndStart:
      start_ = StartMode::AtOnce;
      return {};
    default:
      return fail(ErrorCode::Internal, "set-up messages out of order");
  }
}

/// Out of the caller's session, without its descriptors, with the container's streams aside.
Result<void> Setup::become_own_process() {
  signals_ = TRY(block_and_collect_signals());
  TRY(on_death_of_verb(DeathOfVerb::Kills));
  (void)::setsid();  // fails only for a leader, who has a session already
  std::vector<int> keep = plan_.kind.descriptors;
  keep.insert(keep.end(), {plan_.channel.fd(), plan_.dir.fd(), plan_.exit_file.get(),
                           signals_.get(), log_descriptor(), plan_.initrd.get()});
  stdio_ = TRY(take_streams(keep, std::move(plan_.null_device)));
  log_leave_stderr();
  if (log_descriptor() < 0 && stdio_.err) {
    report_.reset(::fcntl(stdio_.err.get(), F_DUPFD_CLOEXEC, 3));
  }
  set_process_title("runhl: " + plan_.state.id);
  return {};
}

/// While steps may block (hooks, file systems). Credential changes undo it, so it is asked for
/// again after them. Not longer: a verb that has sent its Commit exits at once.
Result<void> Setup::on_death_of_verb(DeathOfVerb effect) {
  if (::prctl(PR_SET_PDEATHSIG, effect == DeathOfVerb::Kills ? SIGKILL : 0) != 0) {
    return fail_errno("prctl PR_SET_PDEATHSIG");
  }
  return {};  // a verb that died before, or dies later, is seen as the end of the channel
}

Result<void> Setup::join_namespaces() {
  proc_ = TRY(sys_.open(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  inherited_limits_ = inherited_limits();
  TRY(apply_own_limits(plan_.config.process));
  const oci::User& user = plan_.config.process.user;
  privilege_ =
      TRY(enter_user_namespace_if_needed(sys_, proc_.get(), {.uid = user.uid, .gid = user.gid}));
  return enter_namespaces(sys_, plan_.config, proc_.get());
}

Result<void> Setup::enter_control_groups() {
  Cgroup group = Cgroup::made(sys_, plan_.cgroup);
  if (plan_.cgroup.joined_by_member()) {
    TRY(group.join());
    TRY(plan_.channel.send(SetupStep::Joined));
  }
  cgroup_handles_ = TRY(group.open_handles());
  return {};
}

/// The state directory, /proc and new epoll sets are out of reach afterwards.
Result<void> Setup::open_what_confinement_forbids() {
  process_ = process_spec(plan_.config, std::move(inherited_limits_));
  process_.nice = own_nice_value();
  process_.oom_adjust = own_oom_score();
  if (!plan_.initrd) {  // else the guest does it, in memory
    make_working_directory(plan_.config);
  }
  cell_uid_ = TRY(claim_cell_uid(sys_, proc_.get(), {}));
  loop_ = std::make_unique<EventLoop>(TRY(EventLoop::create()));
  listener_ = TRY(control_listen(plan_.dir));
  return {};
}

Result<vmm::MachineSpec> Setup::describe_guest() {
  MountPlan mounts = plan_mounts(
      plan_.config,
      {.mode = plan_.initrd ? RootfsMode::Initrd : RootfsMode::Direct, .size = plan_.rootfs_size});
  vmm::MachineSpec spec;
  spec.ceiling = TRY(cut_ceiling(sys_, ceiling_of(plan_.config), privilege_));
  jail_ = {.trees = std::move(mounts.trees), .uid = spec.ceiling.uid, .gid = spec.ceiling.gid};
  trees_ = TRY(detach_trees(sys_, jail_.trees));
  spec.id = plan_.state.id;
  spec.process = std::move(process_);
  spec.start_hooks = start_hooks(plan_.config.hooks.start_container, plan_.state);
  spec.stdio = std::move(stdio_);
  spec.trees = describe_trees(jail_.trees, trees_);
  spec.mounts = std::move(mounts.mounts);
  spec.initrd = std::move(plan_.initrd);
  spec.cell_identity = cell_uid_.identity;
  spec.hostname = host_name();
  spec.domainname = domain_name();
  spec.memory_limit = limit_or_none(plan_.config.resources.memory_limit);
  spec.pids_limit = limit_or_none(plan_.config.resources.pids_limit);
  spec.rewriting = TRY(wants(plan_.config.annotations, kRewriteAnnotation));
  spec.injection = TRY(wants(plan_.config.annotations, kMapFilesAnnotation));
  spec.cpu_quota_us = limit_or_none(plan_.config.resources.cpu_quota);
  spec.cpu_period_us = plan_.config.resources.cpu_period.value_or(0);
  spec.cpu_weight = plan_.config.resources.cpu_shares.value_or(0);
  spec.device_rules = device_rules(plan_.config.resources);
  spec.sysctls = plan_.config.guest_sysctl;
  spec.proc_dir = std::move(proc_);
  spec.cell_cgroup = std::move(cgroup_handles_.cells_directory);
  spec.cell_tasks = std::move(cgroup_handles_.cells_tasks);
  return spec;
}

Result<void> Setup::make_guest(vmm::MachineSpec spec) {
  TRY(become_ceiling(sys_, spec.ceiling));
  TRY(on_death_of_verb(DeathOfVerb::Kills));
  spec.before_cell_goes = [this](vmm::MachineSpec& made) { return enter_jail(&made); };
  spec.while_cell_prepares = [this](const vmm::MachineSpec& made) {
    return confine(made.trees, made.ceiling);
  };
  machine_ = TRY(plan_.kind.factory(std::move(spec)));
  plan_.kind = {};  // its descriptors are the guest's by now
  if (!confined_) {
    return fail(ErrorCode::Internal, "the guest was made without a confined monitor");
  }
  return {};
}

/// With the ceiling's ids, but all capabilities still. Cell 0 is in our mount namespace already and
/// gets the new root with us.
Result<void> Setup::enter_jail(vmm::MachineSpec* spec) {
  Jail jail = TRY(build_jail(sys_, jail_, std::move(trees_)));
  spec->trees = std::move(jail.trees);
  return {};
}

Result<void> Setup::confine(const std::vector<vmm::GrantedTree>& trees,
                            const vmm::Ceiling& ceiling) {
  prefer_short_slices();  // the cells are apart by now
  TRY(limit_file_size(plan_.config.process));
  TRY(drop_capabilities(sys_, ceiling));
  TRY(confine_files(sys_, trees));
  TRY(on_death_of_verb(DeathOfVerb::EndsChannel));
  TRY(confine_calls(sys_));
  confined_ = true;
  return {};
}

}  // namespace

int run_monitor(MonitorPlan plan) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread yet
  (void)::mallopt(M_ARENA_MAX, 1);  // the file service's thread needs none of its own
  auto setup = std::make_unique<Setup>(std::move(plan));
  Result<SessionParts> parts = setup->run();
  if (!parts) {
    (void)setup->channel().send_failure(parts.error());  // it sees our end otherwise
    return kSetupFailed;
  }
  // The plan is of no more use. A program that ends at once ends before its memory is given back.
  parts->when_settled = [rest = setup->take_rest()]() mutable {
    rest.reset();
    (void)::malloc_trim(0);
  };
  setup.reset();
  Session session(std::move(*parts));
  const int code = session.run();
  if (session.finished()) {
    ::_exit(code);  // what is left is memory, and a thread that waits
  }
  return code;
}

}  // namespace runhl::shim
