// SPDX-License-Identifier: Apache-2.0
#include "proc/signal_frame.h"

#include "arch/x86_64/fpu.h"
#include "arch/x86_64/rewrite.h"
#include "core/linux_signal.h"
#include "core/user_memory.h"
#include "runhl/abi/layout.h"

namespace runhl::kernel {

static_assert(sizeof(::sigcontext) == sizeof(MachineContext));
static_assert(offsetof(sigcontext, rip) == offsetof(MachineContext, rip));
static_assert(offsetof(sigcontext, fpstate) == offsetof(MachineContext, fpstate));

namespace {

constexpr std::uint64_t kRedZone = 128;
constexpr std::uint16_t kUserCs = 0x33;
constexpr std::uint16_t kUserSs = 0x2b;
// rflags that a program may set: CF PF AF ZF SF TF DF OF RF AC. (Linux FIX_EFLAGS)
constexpr std::uint64_t kUserFlags = 0x50dd5;
constexpr std::uint64_t kFixedFlags = 0x202;          // reserved bit 1, IF
constexpr std::uint64_t kClearedByHandler = 0x10500;  // RF DF TF

MachineContext save_registers(const Task& task, const UserFrame& f) {
  MachineContext m{};
  m.r8 = f.r8, m.r9 = f.r9, m.r10 = f.r10, m.r11 = f.r11;
  m.r12 = f.r12, m.r13 = f.r13, m.r14 = f.r14, m.r15 = f.r15;
  m.rdi = f.rdi, m.rsi = f.rsi, m.rbp = f.rbp, m.rbx = f.rbx;
  m.rdx = f.rdx, m.rax = f.rax, m.rcx = f.rcx, m.rsp = f.rsp;
  m.rip = rewrite_original_address(f.rip), m.rflags = f.rflags;
  m.cs = kUserCs, m.ss = kUserSs;
  m.error = task.signals.error, m.trap = task.signals.trap;
  m.fault_address = task.signals.fault_address;
  return m;
}

void restore_registers(const MachineContext& m, UserFrame& f) {
  f.r8 = m.r8, f.r9 = m.r9, f.r10 = m.r10, f.r11 = m.r11;
  f.r12 = m.r12, f.r13 = m.r13, f.r14 = m.r14, f.r15 = m.r15;
  f.rdi = m.rdi, f.rsi = m.rsi, f.rbp = m.rbp, f.rbx = m.rbx;
  f.rdx = m.rdx, f.rax = m.rax, f.rcx = m.rcx, f.rsp = m.rsp;
  f.rip = rewrite_resume_address(m.rip);
  f.rflags = (m.rflags & kUserFlags) | kFixedFlags;
  f.orig_rax = ~0ULL;
}

}  // namespace

namespace {

constexpr std::int32_t kAutoDisarm = static_cast<std::int32_t>(1U << 31);  // SS_AUTODISARM

bool lies_on(const AlternateStack& stack, std::uint64_t stack_pointer) {
  return stack_pointer > stack.address && stack_pointer - stack.address <= stack.size;
}

bool is_disabled(const AlternateStack& stack) {
  return (stack.flags & SS_DISABLE) != 0;
}

}  // namespace

bool on_alternate_stack(const Task& task, std::uint64_t stack_pointer) {
  const AlternateStack& stack = task.signals.stack;
  // One that is disarmed by delivery is never found in use.
  return !is_disabled(stack) && (stack.flags & kAutoDisarm) == 0 && lies_on(stack, stack_pointer);
}

StackWords describe_stack(const Task& task, std::uint64_t stack_pointer) {
  const AlternateStack& stack = task.signals.stack;
  const std::int32_t state = is_disabled(stack)                        ? SS_DISABLE
                             : on_alternate_stack(task, stack_pointer) ? SS_ONSTACK
                                                                       : 0;
  return {stack.address, state | (stack.flags & kAutoDisarm), 0, stack.size};
}

Result<void> set_alternate_stack(Task& task, const StackWords& fresh, std::uint64_t stack_pointer) {
  constexpr std::uint64_t kMinimum = 2048;  // MINSIGSTKSZ
  if (on_alternate_stack(task, stack_pointer)) {
    return fail(EPERM);
  }
  const std::int32_t mode = fresh.flags & ~kAutoDisarm;
  if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) {
    return fail(EINVAL);
  }
  if (mode == SS_DISABLE) {
    task.signals.stack = {0, 0, fresh.flags};
    return {};
  }
  if (fresh.size < kMinimum) {
    return fail(ENOMEM);
  }
  task.signals.stack = {fresh.address, fresh.size, fresh.flags & kAutoDisarm};
  return {};
}

Result<void> push_signal_frame(Task& task, UserFrame& frame, const SignalAction& action,
                               const SignalInfo& info, SignalSet mask_to_restore) {
  if ((action.flags & SA_RESTORER) == 0) {
    return fail(EFAULT);  // x86-64 has no other way back
  }
  std::uint64_t stack_pointer = frame.rsp - kRedZone;
  AlternateStack& stack = task.signals.stack;
  const bool nested = on_alternate_stack(task, frame.rsp);
  const bool enters = (action.flags & SA_ONSTACK) != 0 && !is_disabled(stack) && !nested;
  if (enters) {
    stack_pointer = stack.address + stack.size;
  }
  const std::size_t fpu_size = fpu_frame_size();
  const FramePlace place = place_signal_frame(stack_pointer, fpu_size);
  if ((nested || enters) && !lies_on(stack, place.frame)) {
    return fail(EFAULT);  // it overflows: what lies below is not the stack's
  }

  SignalFrame out{};
  out.return_address = action.restorer;
  out.context.flags = kContextHasXstate | kContextHasSs | kContextStrictSs;
  out.context.stack = describe_stack(task, frame.rsp);
  out.context.machine = save_registers(task, frame);
  out.context.machine.old_mask = mask_to_restore;
  out.context.machine.fpstate = place.fpu;
  out.context.mask = mask_to_restore;
  out.info = info;
  // The task runs, so its save area is free for the image.
  fpu_save_frame(task.fpu);
  TRY(copy_to_user(place.fpu, task.fpu, fpu_size));
  TRY(copy_to_user(place.frame, &out, sizeof(out)));
  if ((stack.flags & kAutoDisarm) != 0) {
    stack = {};  // until sigreturn puts it back from the frame
  }

  frame.rdi = static_cast<std::uint32_t>(info.number);
  frame.rsi = place.frame + offsetof(SignalFrame, info);
  frame.rdx = place.frame + offsetof(SignalFrame, context);
  frame.rax = 0;
  frame.rip = action.handler;
  frame.rsp = place.frame;
  frame.rflags &= ~kClearedByHandler;
  frame.orig_rax = ~0ULL;
  return {};
}

Result<void> pop_signal_frame(Task& task, UserFrame& frame) {
  const std::uint64_t address = frame.rsp - sizeof(SignalFrame::return_address);
  const auto context = TRY(UserIn<UserContext>(address + offsetof(SignalFrame, context)).copy_in());
  if (context.machine.fpstate != 0) {
    const std::size_t size = fpu_frame_size();
    TRY(copy_from_user(task.fpu, context.machine.fpstate, size));
    if (!fpu_load_frame(task.fpu, size)) {
      return fail(EFAULT);
    }
  }
  restore_registers(context.machine, frame);
  task.restart = {};  // an interrupted call is not gone on with by another frame
  set_blocked(task, context.mask);
  (void)set_alternate_stack(task, context.stack, frame.rsp);  // a bad one changes nothing, as Linux
  return {};
}

}  // namespace runhl::kernel
