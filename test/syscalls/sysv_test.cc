// SPDX-License-Identifier: Apache-2.0
// System V shared memory, semaphores and message queues.
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include <array>
#include <csignal>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <vector>

#include "syscall_test.h"

namespace {

constexpr std::size_t kPage = 4096;

/// A key of this test program's own.
key_t fresh_key() {
  static int count = 0;
  return 0x51'0000 + (::getpid() & 0xff) * 256 + ++count;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Runs `body` in a child as uid and gid 4711 without capabilities: its exit status.
template <typename Body>
int as_stranger(Body&& body) {
  return in_child([&] {
    if (::setgid(4711) != 0 || ::setuid(4711) != 0) {
      return 99;
    }
    return body();
  });
}

/// As GETNCNT, GETPID, GETVAL, GETZCNT: the argument is not looked at.
int sem_ask(int id, int number, int command) {
  return ::semctl(id, number, command, 0);
}

/// Until `condition()` holds, for ten seconds.
template <typename Condition>
bool eventually(Condition&& condition) {
  for (int i = 0; i < 10'000; ++i) {
    if (condition()) {
      return true;
    }
    ::usleep(1000);
  }
  return false;
}

// ---- shared memory -----------------------------------------------------------------------------

/// Removes itself.
class Segment {
 public:
  explicit Segment(std::size_t size, key_t key = IPC_PRIVATE, int flags = IPC_CREAT | 0600)
      : id_(::shmget(key, size, flags)) {}
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  ~Segment() {
    if (id_ >= 0) {
      ::shmctl(id_, IPC_RMID, nullptr);
    }
  }
  [[nodiscard]] int id() const { return id_; }
  [[nodiscard]] char* attach(int flags = 0, void* at = nullptr) const {
    return static_cast<char*>(::shmat(id_, at, flags));
  }
  [[nodiscard]] shmid_ds status() const {
    shmid_ds status{};
    EXPECT_THAT(::shmctl(id_, IPC_STAT, &status), Succeeds());
    return status;
  }
  [[nodiscard]] shmatt_t attaches() const { return status().shm_nattch; }

 private:
  int id_;
};
const auto* const kFailed = reinterpret_cast<char*>(-1);

TEST(SharedMemory, Is_found_by_its_key) {
  const key_t key = fresh_key();
  EXPECT_THAT(::shmget(key, kPage, 0600), FailsWith(ENOENT));
  const Segment segment(kPage + 1, key);
  ASSERT_THAT(segment.id(), Succeeds());
  EXPECT_THAT(::shmget(key, 0, 0), SucceedsWith(segment.id()));
  EXPECT_THAT(::shmget(key, kPage + 1, IPC_CREAT | 0600), SucceedsWith(segment.id()));
  EXPECT_THAT(::shmget(key, kPage + 2, 0), FailsWith(EINVAL)) << "larger than it is";
  EXPECT_THAT(::shmget(key, kPage, IPC_CREAT | IPC_EXCL | 0600), FailsWith(EEXIST));
  EXPECT_THAT(::shmget(IPC_PRIVATE, 0, 0600), FailsWith(EINVAL));
}

TEST(SharedMemory, Private_segments_are_many) {
  const Segment one(kPage);
  const Segment other(kPage);
  EXPECT_NE(one.id(), other.id());
}

TEST(SharedMemory, Is_one_for_all_attaches) {
  const Segment segment(3 * kPage);
  char* const one = segment.attach();
  char* const other = segment.attach();
  ASSERT_NE(one, kFailed);
  ASSERT_NE(other, kFailed);
  EXPECT_NE(one, other);
  EXPECT_EQ(one[kPage], 0) << "new memory is zero";
  one[2 * kPage] = 'x';
  EXPECT_EQ(other[2 * kPage], 'x');
  EXPECT_THAT(in_child([&] {
                other[0] = 'c';
                return ::shmdt(other);
              }),
              Exited(0));
  EXPECT_EQ(one[0], 'c');
  EXPECT_THAT(::shmdt(one), Succeeds());
  EXPECT_THAT(::shmdt(one), FailsWith(EINVAL));
  EXPECT_THAT(::shmdt(other), Succeeds());
}

TEST(SharedMemory, Status_tells_size_owner_and_users) {
  const Segment segment(kPage + 1);
  shmid_ds status = segment.status();
  EXPECT_EQ(status.shm_segsz, kPage + 1);
  EXPECT_EQ(status.shm_perm.mode, 0600);
  EXPECT_EQ(status.shm_perm.uid, ::geteuid());
  EXPECT_EQ(status.shm_perm.cgid, ::getegid());
  EXPECT_EQ(status.shm_cpid, ::getpid());
  EXPECT_EQ(status.shm_lpid, 0);
  EXPECT_EQ(status.shm_atime, 0);
  EXPECT_EQ(status.shm_nattch, 0U);
  char* const at = segment.attach();
  status = segment.status();
  EXPECT_EQ(status.shm_lpid, ::getpid());
  EXPECT_NE(status.shm_atime, 0);
  EXPECT_EQ(status.shm_dtime, 0);
  EXPECT_THAT(::shmdt(at), Succeeds());
  EXPECT_NE(segment.status().shm_dtime, 0);
}

TEST(SharedMemory, Attaches_are_counted_over_fork_and_exit) {
  const Segment segment(kPage);
  char* const at = segment.attach();
  EXPECT_EQ(segment.attaches(), 1U);
  EXPECT_THAT(in_child([&] { return segment.attaches() == 2 ? 0 : 1; }), Exited(0));
  EXPECT_EQ(segment.attaches(), 1U);
  EXPECT_THAT(::shmdt(at), Succeeds());
  EXPECT_EQ(segment.attaches(), 0U);
}

TEST(SharedMemory, A_program_begins_without) {
  const Segment segment(kPage);
  ASSERT_NE(segment.attach(), kFailed);
  std::array<int, 2> ends{};
  ASSERT_THAT(::pipe(ends.data()), Succeeds());
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[0], 0);
    ::close(ends[1]);
    ::execl("/bin/cat", "cat", nullptr);
    ::_exit(1);
  }
  EXPECT_TRUE(eventually([&] { return segment.attaches() == 1; }));
  ::close(ends[0]);
  ::close(ends[1]);
  reap(child);
}

TEST(SharedMemory, Removed_it_lives_until_the_last_detach) {
  const key_t key = fresh_key();
  const int id = ::shmget(key, kPage, IPC_CREAT | 0600);
  auto* const at = static_cast<char*>(::shmat(id, nullptr, 0));
  at[0] = 'x';
  ASSERT_THAT(::shmctl(id, IPC_RMID, nullptr), Succeeds());
  EXPECT_THAT(::shmget(key, kPage, 0), FailsWith(ENOENT)) << "its key is free";
  shmid_ds status{};
  ASSERT_THAT(::shmctl(id, IPC_STAT, &status), Succeeds());
  EXPECT_EQ(status.shm_perm.mode, 0600 | SHM_DEST);
  auto* const again = static_cast<char*>(::shmat(id, nullptr, 0));
  ASSERT_NE(again, kFailed) << "Linux lets in who knows the id";
  EXPECT_EQ(again[0], 'x');
  ::shmdt(again);
  ::shmdt(at);
  EXPECT_THAT(::shmctl(id, IPC_STAT, &status), FailsWith(EINVAL));
}

TEST(SharedMemory, Attaching_checks_its_arguments) {
  const Segment segment(2 * kPage);
  EXPECT_THAT(reinterpret_cast<long>(::shmat(-1, nullptr, 0)), FailsWith(EINVAL));
  char* const at = segment.attach();
  EXPECT_THAT(reinterpret_cast<long>(segment.attach(0, at + 1)), FailsWith(EINVAL));
  EXPECT_THAT(reinterpret_cast<long>(segment.attach(0, at + kPage)), FailsWith(EINVAL)) << "taken";
  EXPECT_THAT(reinterpret_cast<long>(segment.attach(SHM_REMAP)), FailsWith(EINVAL));
  char* const over = segment.attach(SHM_REMAP | SHM_RND, at + 100);
  EXPECT_EQ(over, at);
  EXPECT_EQ(segment.attaches(), 1U);
  EXPECT_THAT(::shmdt(at + kPage), FailsWith(EINVAL));
  EXPECT_THAT(::shmdt(at), Succeeds());
}

TEST(SharedMemory, Read_only_stays_so) {
  const Segment segment(kPage);
  char* const at = segment.attach(SHM_RDONLY);
  ASSERT_NE(at, kFailed);
  EXPECT_THAT(::mprotect(at, kPage, PROT_READ | PROT_WRITE), FailsWith(EACCES));
  ::shmdt(at);
}

TEST(SharedMemory, A_part_that_is_left_is_detached) {
  const Segment segment(3 * kPage);
  char* const at = segment.attach();
  ASSERT_THAT(::munmap(at + kPage, kPage), Succeeds());
  EXPECT_EQ(segment.attaches(), 2U) << "two mappings";
  EXPECT_THAT(::shmdt(at), Succeeds());
  EXPECT_EQ(segment.attaches(), 0U);
}

TEST(SharedMemory, Is_named_in_proc) {
  const key_t key = fresh_key();
  const Segment segment(kPage, key);
  char* const at = segment.attach();
  std::ostringstream name;
  name << "/SYSV" << std::hex << std::setw(8) << std::setfill('0') << key;
  EXPECT_THAT(content_of("/proc/self/maps"), ::testing::HasSubstr(name.str()));
  EXPECT_THAT(content_of("/proc/sysvipc/shm"),
              ::testing::HasSubstr(" " + std::to_string(segment.id()) + "   600 "));
  ::shmdt(at);
}

TEST(SharedMemory, Strangers_are_kept_out) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root";
  }
  const key_t key = fresh_key();
  const Segment segment(kPage, key, IPC_CREAT | 0604);
  EXPECT_THAT(as_stranger([&] {
                shmid_ds status{};
                const bool refused =
                    ::shmget(key, kPage, 0600) == -1 && errno == EACCES &&
                    ::shmat(segment.id(), nullptr, 0) == kFailed && errno == EACCES &&
                    ::shmctl(segment.id(), IPC_RMID, nullptr) == -1 && errno == EPERM;
                const bool read = ::shmget(key, kPage, 0400) == segment.id() &&
                                  ::shmat(segment.id(), nullptr, SHM_RDONLY) != kFailed &&
                                  ::shmctl(segment.id(), IPC_STAT, &status) == 0;
                return refused && read ? 0 : 1;
              }),
              Exited(0));
}

TEST(SharedMemory, The_owner_changes_permissions) {
  const Segment segment(kPage);
  shmid_ds status = segment.status();
  status.shm_perm.mode = 0640;
  ASSERT_THAT(::shmctl(segment.id(), IPC_SET, &status), Succeeds());
  EXPECT_EQ(segment.status().shm_perm.mode, 0640);
  EXPECT_THAT(::shmctl(segment.id(), 77, nullptr), FailsWith(EINVAL));
  EXPECT_THAT(::shmctl(segment.id(), IPC_SET, nullptr), FailsWith(EFAULT));
}

TEST(SharedMemory, Limits_are_told) {
  shminfo info{};
  ASSERT_THAT(::shmctl(0, IPC_INFO, reinterpret_cast<shmid_ds*>(&info)), Succeeds());
  EXPECT_EQ(content_of("/proc/sys/kernel/shmmax"), std::to_string(info.shmmax) + "\n");
  EXPECT_EQ(content_of("/proc/sys/kernel/shmmni"), std::to_string(info.shmmni) + "\n");
  EXPECT_EQ(info.shmmin, 1U);
}

// ---- semaphores --------------------------------------------------------------------------------

class Semaphores {
 public:
  explicit Semaphores(int count, key_t key = IPC_PRIVATE, int flags = IPC_CREAT | 0600)
      : id_(::semget(key, count, flags)) {}
  Semaphores(const Semaphores&) = delete;
  Semaphores& operator=(const Semaphores&) = delete;
  ~Semaphores() {
    if (id_ >= 0) {
      ::semctl(id_, 0, IPC_RMID);
    }
  }
  [[nodiscard]] int id() const { return id_; }
  [[nodiscard]] int value(int number) const { return sem_ask(id_, number, GETVAL); }
  [[nodiscard]] int set(int number, int value) const {
    return ::semctl(id_, number, SETVAL, value);
  }
  [[nodiscard]] int operate(std::vector<sembuf> operations) const {
    return ::semop(id_, operations.data(), operations.size());
  }
  [[nodiscard]] int operate_until(sembuf operation, timespec timeout) const {
    return ::semtimedop(id_, &operation, 1, &timeout);
  }

 private:
  int id_;
};

constexpr sembuf operation(unsigned short number, short change, int flags = 0) {
  return {number, change, static_cast<short>(flags)};
}

TEST(SysvSemaphores, Are_found_by_their_key) {
  const key_t key = fresh_key();
  EXPECT_THAT(::semget(key, 3, 0), FailsWith(ENOENT));
  EXPECT_THAT(::semget(key, 0, IPC_CREAT), FailsWith(EINVAL));
  EXPECT_THAT(::semget(IPC_PRIVATE, -1, 0600), FailsWith(EINVAL));
  EXPECT_THAT(::semget(IPC_PRIVATE, 40'000, 0600), FailsWith(EINVAL));
  const Semaphores set(3, key);
  EXPECT_THAT(::semget(key, 0, 0), SucceedsWith(set.id()));
  EXPECT_THAT(::semget(key, 4, 0), FailsWith(EINVAL));
  EXPECT_THAT(::semget(key, 3, IPC_CREAT | IPC_EXCL), FailsWith(EEXIST));
}

TEST(SysvSemaphores, Operations_of_one_call_happen_together) {
  const Semaphores set(2);
  EXPECT_THAT(set.operate({operation(0, 3), operation(1, 1)}), Succeeds());
  EXPECT_THAT(set.operate({operation(0, -3), operation(1, -2, IPC_NOWAIT)}), FailsWith(EAGAIN));
  EXPECT_EQ(set.value(0), 3) << "taken back";
  EXPECT_THAT(set.operate({operation(0, 0, IPC_NOWAIT)}), FailsWith(EAGAIN));
  EXPECT_THAT(set.operate({operation(0, -3), operation(0, 0), operation(0, 7)}), Succeeds());
  EXPECT_EQ(set.value(0), 7);
}

TEST(SysvSemaphores, Check_their_arguments) {
  const Semaphores set(2);
  EXPECT_THAT(set.operate({}), FailsWith(EINVAL));
  EXPECT_THAT(set.operate({operation(2, 1)}), FailsWith(EFBIG));
  EXPECT_THAT(set.operate(std::vector<sembuf>(501, operation(0, 1))), FailsWith(E2BIG));
  EXPECT_THAT(set.set(0, 32'767), Succeeds());
  EXPECT_THAT(set.operate({operation(0, 1)}), FailsWith(ERANGE));
  EXPECT_THAT(set.set(0, 32'768), FailsWith(ERANGE));
  EXPECT_THAT(set.set(0, -1), FailsWith(ERANGE));
  EXPECT_THAT(set.set(2, 1), FailsWith(EINVAL));
  EXPECT_THAT(set.value(-1), FailsWith(EINVAL));
  EXPECT_THAT(::semop(-1, nullptr, 1), FailsWith(EFAULT));
  EXPECT_THAT(::semctl(set.id(), 0, 77), FailsWith(EINVAL));
  EXPECT_THAT(set.operate_until(operation(1, -1), {.tv_sec = 0, .tv_nsec = 1'000'000'000}),
              FailsWith(EINVAL));
}

TEST(SysvSemaphores, Wait_for_more_and_for_zero) {
  const Semaphores set(1);
  const pid_t more = ::fork();
  if (more == 0) {
    ::_exit(set.operate({operation(0, -2)}) == 0 ? 0 : 1);
  }
  EXPECT_TRUE(eventually([&] { return sem_ask(set.id(), 0, GETNCNT) == 1; }));
  EXPECT_EQ(sem_ask(set.id(), 0, GETZCNT), 0);
  EXPECT_THAT(set.operate({operation(0, 1)}), Succeeds());
  EXPECT_EQ(sem_ask(set.id(), 0, GETNCNT), 1) << "one is not enough";
  EXPECT_THAT(set.operate({operation(0, 2)}), Succeeds());
  EXPECT_THAT(reap(more), Exited(0));
  EXPECT_EQ(set.value(0), 1);
  EXPECT_EQ(sem_ask(set.id(), 0, GETPID), more);

  const pid_t zero = ::fork();
  if (zero == 0) {
    ::_exit(set.operate({operation(0, 0)}) == 0 ? 0 : 1);
  }
  EXPECT_TRUE(eventually([&] { return sem_ask(set.id(), 0, GETZCNT) == 1; }));
  EXPECT_THAT(set.set(0, 0), Succeeds());
  EXPECT_THAT(reap(zero), Exited(0));
}

TEST(SysvSemaphores, A_wait_ends_in_time_by_signal_and_by_removal) {
  const Semaphores set(1);
  EXPECT_THAT(set.operate_until(operation(0, -1), {.tv_sec = 0, .tv_nsec = 1'000'000}),
              FailsWith(EAGAIN));
  EXPECT_THAT(set.operate_until(operation(0, -1), {.tv_sec = 0, .tv_nsec = 0}), FailsWith(EAGAIN));

  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGUSR1, &action, nullptr);
  const pid_t interrupted = ::fork();
  if (interrupted == 0) {
    ::_exit(set.operate({operation(0, -1)}) == -1 && errno == EINTR ? 0 : 1);
  }
  EXPECT_TRUE(eventually([&] { return sem_ask(set.id(), 0, GETNCNT) == 1; }));
  ::kill(interrupted, SIGUSR1);
  EXPECT_THAT(reap(interrupted), Exited(0));
  EXPECT_EQ(sem_ask(set.id(), 0, GETNCNT), 0);
  ::signal(SIGUSR1, SIG_DFL);

  const int id = ::semget(IPC_PRIVATE, 1, 0600);
  const pid_t orphaned = ::fork();
  if (orphaned == 0) {
    sembuf wait = operation(0, -1);
    ::_exit(::semop(id, &wait, 1) == -1 && errno == EIDRM ? 0 : 1);
  }
  EXPECT_TRUE(eventually([&] { return sem_ask(id, 0, GETNCNT) == 1; }));
  EXPECT_THAT(::semctl(id, 0, IPC_RMID), Succeeds());
  EXPECT_THAT(reap(orphaned), Exited(0));
  EXPECT_THAT(sem_ask(id, 0, GETVAL), FailsWith(EINVAL));
}

TEST(SysvSemaphores, What_a_process_asked_to_undo_is_undone_at_its_end) {
  const Semaphores set(2);
  EXPECT_THAT(set.set(0, 5), Succeeds());
  EXPECT_THAT(in_child([&] {
                const bool done = set.operate({operation(0, -2, SEM_UNDO)}) == 0 &&
                                  set.operate({operation(0, -1)}) == 0 &&
                                  set.operate({operation(1, 4, SEM_UNDO)}) == 0 &&
                                  set.operate({operation(1, -1)}) == 0;
                return done && set.value(0) == 2 && set.value(1) == 3 ? 0 : 1;
              }),
              Exited(0));
  EXPECT_EQ(set.value(0), 4);
  EXPECT_EQ(set.value(1), 0) << "never below zero";
}

TEST(SysvSemaphores, Setting_a_value_forgets_what_was_to_be_undone) {
  const Semaphores set(1);
  EXPECT_THAT(in_child([&] {
                return set.operate({operation(0, 3, SEM_UNDO)}) == 0 && set.set(0, 8) == 0 ? 0 : 1;
              }),
              Exited(0));
  EXPECT_EQ(set.value(0), 8);
}

TEST(SysvSemaphores, A_child_does_not_inherit_what_is_to_be_undone) {
  const Semaphores set(1);
  const int status = in_child([&] {
    if (set.operate({operation(0, 3, SEM_UNDO)}) != 0 || in_child([] { return 0; }) != 0) {
      return 1;
    }
    return set.value(0) == 3 ? 0 : 2;
  });
  EXPECT_THAT(status, Exited(0));
  EXPECT_EQ(set.value(0), 0);
}

TEST(SysvSemaphores, All_values_are_set_and_told_at_once) {
  const Semaphores set(3);
  std::array<unsigned short, 3> values{1, 2, 3};
  ASSERT_THAT(::semctl(set.id(), 0, SETALL, values.data()), Succeeds());
  values = {};
  ASSERT_THAT(::semctl(set.id(), 0, GETALL, values.data()), Succeeds());
  EXPECT_EQ(values, (std::array<unsigned short, 3>{1, 2, 3}));
  values[1] = 40'000;
  EXPECT_THAT(::semctl(set.id(), 0, SETALL, values.data()), FailsWith(ERANGE));
  EXPECT_EQ(set.value(0), 1);
  semid_ds status{};
  ASSERT_THAT(::semctl(set.id(), 0, IPC_STAT, &status), Succeeds());
  EXPECT_EQ(status.sem_nsems, 3U);
  EXPECT_EQ(status.sem_otime, 0);
  EXPECT_THAT(content_of("/proc/sysvipc/sem"),
              ::testing::HasSubstr(" " + std::to_string(set.id()) + "   600          3 "));
}

TEST(SysvSemaphores, Strangers_are_kept_out) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root";
  }
  const Semaphores set(1, IPC_PRIVATE, 0604);
  EXPECT_THAT(as_stranger([&] {
                const bool refused = set.operate({operation(0, 1)}) == -1 && errno == EACCES &&
                                     set.set(0, 1) == -1 && errno == EACCES &&
                                     ::semctl(set.id(), 0, IPC_RMID) == -1 && errno == EPERM;
                return refused && set.value(0) == 0 && set.operate({operation(0, 0)}) == 0 ? 0 : 1;
              }),
              Exited(0));
}

// ---- message queues ----------------------------------------------------------------------------

struct Message {
  long type = 0;
  std::array<char, 100> text{};
};

class Queue {
 public:
  explicit Queue(key_t key = IPC_PRIVATE, int flags = IPC_CREAT | 0600)
      : id_(::msgget(key, flags)) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    if (id_ >= 0) {
      ::msgctl(id_, IPC_RMID, nullptr);
    }
  }
  [[nodiscard]] int id() const { return id_; }
  [[nodiscard]] int send(long type, const std::string& text, int flags = IPC_NOWAIT) const {
    Message message{.type = type};
    text.copy(message.text.data(), message.text.size());
    return ::msgsnd(id_, &message, text.size(), flags);
  }
  /// "type:text", or the error's name.
  [[nodiscard]] std::string receive(long type, int flags = IPC_NOWAIT,
                                    std::size_t room = 100) const {
    Message message;
    const ssize_t size = ::msgrcv(id_, &message, room, type, flags);
    if (size < 0) {
      return error_name(errno);
    }
    return std::to_string(message.type) + ":" +
           std::string(message.text.data(), static_cast<std::size_t>(size));
  }
  [[nodiscard]] msqid_ds status() const {
    msqid_ds status{};
    EXPECT_THAT(::msgctl(id_, IPC_STAT, &status), Succeeds());
    return status;
  }

 private:
  int id_;
};

TEST(MessageQueue, Is_found_by_its_key) {
  const key_t key = fresh_key();
  EXPECT_THAT(::msgget(key, 0), FailsWith(ENOENT));
  const Queue queue(key);
  EXPECT_THAT(::msgget(key, 0), SucceedsWith(queue.id()));
  EXPECT_THAT(::msgget(key, IPC_CREAT | IPC_EXCL), FailsWith(EEXIST));
}

TEST(MessageQueue, Messages_come_in_order_and_by_type) {
  const Queue queue;
  for (const auto& [type, text] : std::vector<std::pair<long, std::string>>{
           {3, "three"}, {1, "one"}, {2, "two"}, {1, "uno"}, {5, ""}}) {
    ASSERT_THAT(queue.send(type, text), Succeeds());
  }
  EXPECT_EQ(queue.receive(1), "1:one");
  EXPECT_EQ(queue.receive(3, IPC_NOWAIT | MSG_EXCEPT), "2:two");
  EXPECT_EQ(queue.receive(-2), "1:uno") << "the lowest up to two";
  EXPECT_EQ(queue.receive(-2), "ENOMSG");
  EXPECT_EQ(queue.receive(0), "3:three");
  EXPECT_EQ(queue.receive(0), "5:");
  EXPECT_EQ(queue.receive(0), "ENOMSG");
}

TEST(MessageQueue, A_long_message_waits_or_is_cut) {
  const Queue queue;
  ASSERT_THAT(queue.send(1, "long message"), Succeeds());
  EXPECT_EQ(queue.receive(0, IPC_NOWAIT, 4), "E2BIG");
  EXPECT_EQ(queue.receive(0, IPC_NOWAIT | MSG_NOERROR, 4), "1:long");
  EXPECT_EQ(queue.receive(0), "ENOMSG");
}

TEST(MessageQueue, Checks_its_arguments) {
  const Queue queue;
  Message message;
  EXPECT_THAT(queue.send(0, "x"), FailsWith(EINVAL));
  EXPECT_THAT(queue.send(-1, "x"), FailsWith(EINVAL));
  message.type = 1;
  EXPECT_THAT(::msgsnd(queue.id(), &message, 8193, 0), FailsWith(EINVAL));
  EXPECT_THAT(::msgsnd(queue.id(), bad_address(), 1, 0), FailsWith(EFAULT));
  EXPECT_THAT(::msgsnd(-1, &message, 1, 0), FailsWith(EINVAL));
  EXPECT_THAT(::msgrcv(queue.id(), &message, static_cast<std::size_t>(-1), 0, 0),
              FailsWith(EINVAL));
}

TEST(MessageQueue, Is_full_at_its_limit) {
  const Queue queue;
  msqid_ds status = queue.status();
  status.msg_qbytes = 20;
  ASSERT_THAT(::msgctl(queue.id(), IPC_SET, &status), Succeeds());
  ASSERT_THAT(queue.send(1, "0123456789"), Succeeds());
  ASSERT_THAT(queue.send(1, "0123456789"), Succeeds());
  EXPECT_THAT(queue.send(1, "x"), FailsWith(EAGAIN));
  const pid_t sender = ::fork();
  if (sender == 0) {
    ::_exit(queue.send(2, "x", 0) == 0 ? 0 : 1);
  }
  EXPECT_EQ(queue.receive(0), "1:0123456789");
  EXPECT_EQ(queue.receive(2, 0), "2:x") << "the sender had waited for room";
  EXPECT_THAT(reap(sender), Exited(0));
}

TEST(MessageQueue, Raising_the_limit_needs_the_capability) {
  const Queue queue;
  msqid_ds status = queue.status();
  EXPECT_EQ(std::to_string(status.msg_qbytes) + "\n", content_of("/proc/sys/kernel/msgmnb"));
  status.msg_qbytes += 1;
  EXPECT_THAT(::msgctl(queue.id(), IPC_SET, &status), FailsWith(EPERM));
}

TEST(MessageQueue, A_receiver_waits_and_hears_of_the_removal) {
  const int id = ::msgget(IPC_PRIVATE, 0600);
  const pid_t child = ::fork();
  if (child == 0) {
    Message message;
    const bool got = ::msgrcv(id, &message, 100, 7, 0) == 2;
    const bool removed = ::msgrcv(id, &message, 100, 7, 0) == -1 && errno == EIDRM;
    ::_exit(got && removed ? 0 : 1);
  }
  Message message{.type = 6, .text = {'n', 'o'}};
  ASSERT_THAT(::msgsnd(id, &message, 2, 0), Succeeds());
  message.type = 7;
  ASSERT_THAT(::msgsnd(id, &message, 2, 0), Succeeds());
  msqid_ds status{};
  EXPECT_TRUE(eventually([&] {
    ::msgctl(id, IPC_STAT, &status);
    return status.msg_qnum == 1;
  }));
  EXPECT_EQ(status.msg_lrpid, child);
  EXPECT_THAT(::msgctl(id, IPC_RMID, nullptr), Succeeds());
  EXPECT_THAT(reap(child), Exited(0));
}

TEST(MessageQueue, A_handler_interrupts_a_receiver) {
  const Queue queue;
  struct sigaction action{};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGALRM, &action, nullptr);
  ::alarm(1);
  EXPECT_EQ(queue.receive(0, 0), "EINTR");
  ::signal(SIGALRM, SIG_DFL);
}

TEST(MessageQueue, Status_tells_what_is_in_it) {
  const Queue queue;
  EXPECT_EQ(queue.status().msg_stime, 0);
  ASSERT_THAT(queue.send(1, "four"), Succeeds());
  ASSERT_THAT(queue.send(1, "five!"), Succeeds());
  const msqid_ds status = queue.status();
  EXPECT_EQ(status.msg_qnum, 2U);
  EXPECT_EQ(status.__msg_cbytes, 9U);
  EXPECT_EQ(status.msg_lspid, ::getpid());
  EXPECT_NE(status.msg_stime, 0);
  EXPECT_EQ(status.msg_perm.mode, 0600);
  EXPECT_THAT(
      content_of("/proc/sysvipc/msg"),
      ::testing::HasSubstr(" " + std::to_string(queue.id()) + "   600           9          2 "));
}

}  // namespace
