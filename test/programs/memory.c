// SPDX-License-Identifier: Apache-2.0
// memory FILE: what mmap and its relatives owe a program. FILE is made, mapped and removed. Says
// what was wrong; exit status 1 then.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096UL
static int failures;
static const char* path;

#define CHECK(what)                                                       \
  do {                                                                    \
    if (!(what)) {                                                        \
      printf("%s:%d: %s (errno %d)\n", __func__, __LINE__, #what, errno); \
      ++failures;                                                         \
    }                                                                     \
  } while (0)
#define FAILS(call, error)                                                                       \
  do {                                                                                           \
    errno = 0;                                                                                   \
    const long result_ = (long)(call);                                                           \
    if (result_ != -1 || errno != (error)) {                                                     \
      printf("%s:%d: %s gave %ld, errno %d instead of %d\n", __func__, __LINE__, #call, result_, \
             errno, (error));                                                                    \
      ++failures;                                                                                \
    }                                                                                            \
  } while (0)

static sigjmp_buf back;
static volatile int fault_code, fault_signal;
static char* volatile fault_address;
static void on_fault(int signal, siginfo_t* info, void* context) {
  (void)context;
  fault_signal = signal;
  fault_code = info->si_code;
  fault_address = info->si_addr;
  siglongjmp(back, 1);
}

// The signal that reading a byte there raises; 0: none.
static int probe(volatile char* at) {
  fault_signal = 0;
  if (sigsetjmp(back, 1) == 0)
    (void)*at;
  return fault_signal;
}

static char* anonymous(size_t pages, int protection, int flags) {
  return mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static int make_file(size_t size, char fill) {
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  char block[PAGE];
  memset(block, fill, sizeof block);
  for (size_t at = 0; at < size; at += PAGE) {
    const size_t part = size - at < PAGE ? size - at : PAGE;
    if (write(fd, block, part) != (ssize_t)part)
      printf("cannot write %s\n", path);
  }
  return fd;
}

static void placement(void) {
  char* const area = anonymous(4, PROT_READ, 0);
  FAILS(mmap(area, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
        EEXIST);
  FAILS(mmap(area + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
  FAILS(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
  FAILS(mmap(NULL, 1UL << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  FAILS(munmap(area + 1, PAGE), EINVAL);
  FAILS(munmap(area, 0), EINVAL);
  CHECK(munmap(area + PAGE, PAGE) == 0);
  char* const hint = mmap(area + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(hint == area + PAGE);
  CHECK(munmap(area, 4 * PAGE) == 0);
  CHECK(munmap(area, 4 * PAGE) == 0);
  // Reserving is cheap, however much.
  char* const reserved = anonymous(8UL << 18, PROT_NONE, MAP_NORESERVE);
  CHECK(reserved != MAP_FAILED);
  CHECK(mprotect(reserved + (4UL << 30), PAGE, PROT_READ | PROT_WRITE) == 0);
  reserved[4UL << 30] = 1;
  CHECK(munmap(reserved, 8UL << 30) == 0);
}

static void stacks(void) {
  char* const top = anonymous(600, PROT_NONE, 0);
  CHECK(munmap(top, 600 * PAGE) == 0);
  char* const stack = mmap(top + 598 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  CHECK(stack == top + 598 * PAGE);
  CHECK(probe(stack - PAGE) == 0);
  CHECK(probe(stack - 40 * PAGE) == 0);
  // The kernel's own copies make it grow as well.
  const int pipes_ok = make_file(10 * PAGE, 's');
  CHECK(pread(pipes_ok, stack - 200 * PAGE, 8 * PAGE, 0) == (ssize_t)(8 * PAGE));
  CHECK(stack[-200 * (long)PAGE] == 's' && stack[-193 * (long)PAGE + 17] == 's');
  close(pipes_ok);
  FAILS(mprotect(top, PAGE, PROT_READ | PROT_GROWSDOWN | PROT_GROWSUP), EINVAL);
  CHECK(mprotect(stack + PAGE, PAGE, PROT_READ | PROT_GROWSDOWN) == 0);
  CHECK(munmap(top, 600 * PAGE) == 0);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0), EINVAL);
}

// A frame of 64 KiB at each depth: the main stack grows by faults.
static int deep(int depth) {
  volatile char frame[65536];
  frame[0] = (char)depth;
  frame[sizeof frame - 1] = 1;
  return depth == 0 ? frame[0] : deep(depth - 1) + frame[sizeof frame - 1];
}

static void file_mappings(void) {
  const int fd = make_file(2 * PAGE + 100, 'a');
  char* const shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char* const private = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(shared != MAP_FAILED && private != MAP_FAILED);
  CHECK(shared[0] == 'a' && private[2 * PAGE + 99] == 'a' && private[2 * PAGE + 100] == 0);
  CHECK(probe(shared + 3 * PAGE) == SIGBUS && fault_code == BUS_ADRERR &&
        fault_address == shared + 3 * PAGE);
  shared[5] = 'b';
  char byte = 0;
  CHECK(pread(fd, &byte, 1, 5) == 1 && byte == 'b');
  CHECK(pwrite(fd, "c", 1, 6) == 1 && shared[6] == 'c' && private[6] == 'c');
  private[7] = 'p';
  CHECK(pwrite(fd, "q", 1, 7) == 1 && private[7] == 'p' && shared[7] == 'q');
  FAILS(write(fd, shared + 3 * PAGE, 1), EFAULT);

  CHECK(ftruncate(fd, (off_t)PAGE) == 0);
  CHECK(probe(shared + PAGE) == SIGBUS && probe(private + PAGE) == SIGBUS);
  CHECK(ftruncate(fd, (off_t)(4 * PAGE)) == 0);
  CHECK(probe(shared + 3 * PAGE) == 0 && shared[PAGE] == 0);
  CHECK(msync(shared, 4 * PAGE, MS_SYNC) == 0 && msync(shared, 4 * PAGE, MS_ASYNC) == 0);
  FAILS(msync(shared, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
  CHECK(madvise(private, PAGE, MADV_DONTNEED) == 0 && private[7] == 'q');

  const int read_only = open(path, O_RDONLY);
  char* const viewed = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, read_only, 0);
  FAILS(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, read_only, 0), EACCES);
  FAILS(mprotect(viewed, PAGE, PROT_READ | PROT_WRITE), EACCES);
  const int write_only = open(path, O_WRONLY);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, write_only, 0), EACCES);
  FAILS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 1), EINVAL);
  close(read_only);
  close(write_only);
  close(fd);
  CHECK(shared[7] == 'q');
  munmap(shared, 4 * PAGE);
  munmap(private, 4 * PAGE);
  munmap(viewed, PAGE);
}

static void shared_memory(void) {
  const size_t pages = 5000;  // several runs of kernel memory
  char* const at =
      mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  for (size_t page = 0; page < pages; page += 7)
    *(size_t*)(at + page * PAGE) = page + 1;
  char* const twin = mremap(at, 0, pages * PAGE, MREMAP_MAYMOVE);
  CHECK(twin != MAP_FAILED && twin != at);
  size_t wrong = 0;
  for (size_t page = 0; page < pages; page += 7)
    wrong += *(size_t*)(twin + page * PAGE) != page + 1;
  CHECK(wrong == 0);
  char* const moved = mremap(at, pages * PAGE, (pages + 3) * PAGE, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED);
  CHECK(*(size_t*)(moved + 7 * PAGE) == 8 && *(size_t*)(moved + 4998 * PAGE) == 4999);
  CHECK(probe(moved + (pages + 1) * PAGE) == SIGBUS);
  CHECK(madvise(twin, 100 * PAGE, MADV_REMOVE) == 0 && *(size_t*)(moved + 7 * PAGE) == 0);
  CHECK(mprotect(twin, PAGE, PROT_NONE) == 0 && probe(twin) == SIGSEGV &&
        fault_code == SEGV_ACCERR);
  munmap(moved, (pages + 3) * PAGE);
  munmap(twin, pages * PAGE);

  const int zero = open("/dev/zero", O_RDWR);
  char* const zeros = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0);
  CHECK(zeros != MAP_FAILED && zeros[PAGE] == 0);
  close(zero);
}

static void moving(void) {
  char* at = anonymous(4, PROT_READ | PROT_WRITE, 0);
  at[3 * PAGE] = 'x';
  at = mremap(at, 4 * PAGE, 4096 * PAGE, MREMAP_MAYMOVE);
  CHECK(at != MAP_FAILED && at[3 * PAGE] == 'x' && at[4095 * PAGE] == 0);
  CHECK(mremap(at, 4096 * PAGE, 2 * PAGE, 0) == at && probe(at + 2 * PAGE) == SIGSEGV &&
        fault_code == SEGV_MAPERR);
  char* const target = anonymous(2, PROT_NONE, 0);
  at[PAGE] = 'y';
  CHECK(mremap(at, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
  CHECK(target[PAGE] == 'y' && probe(at) == SIGSEGV);
  FAILS(mremap(target, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE), EINVAL);
  FAILS(mremap(target, 0, PAGE, MREMAP_MAYMOVE), EINVAL);
  FAILS(mremap(target + 1, PAGE, PAGE, MREMAP_MAYMOVE), EINVAL);
  FAILS(mremap(target, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
  FAILS(mremap(target, PAGE, PAGE, 64), EINVAL);
  FAILS(mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
  CHECK(mprotect(target + PAGE, PAGE, PROT_READ) == 0);
  FAILS(mremap(target, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE), EFAULT);
  char* const left =
      (char*)syscall(SYS_mremap, target, PAGE, PAGE, MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */, 0);
  CHECK(left != MAP_FAILED && left != target && target[0] == 0);
}

static void advices(void) {
  char* const at = anonymous(8, PROT_READ | PROT_WRITE, 0);
  memset(at, 'z', 8 * PAGE);
  CHECK(madvise(at, 2 * PAGE, MADV_DONTNEED) == 0 && at[0] == 0 && at[2 * PAGE] == 'z');
  CHECK(madvise(at, 8 * PAGE, MADV_FREE) == 0);
  static const int fine[] = {MADV_NORMAL,
                             MADV_RANDOM,
                             MADV_SEQUENTIAL,
                             MADV_WILLNEED,
                             MADV_DONTDUMP,
                             MADV_DODUMP,
                             MADV_COLD,
                             MADV_PAGEOUT,
                             MADV_DONTFORK,
                             MADV_DOFORK,
                             MADV_WIPEONFORK,
                             MADV_KEEPONFORK,
                             22 /* POPULATE_READ */,
                             23 /* POPULATE_WRITE */};
  for (size_t i = 0; i < sizeof fine / sizeof *fine; ++i)
    CHECK(madvise(at, 8 * PAGE, fine[i]) == 0);
  FAILS(madvise(at + 1, PAGE, MADV_NORMAL), EINVAL);
  FAILS(madvise(at, PAGE, 77), EINVAL);
  FAILS(madvise(at, PAGE, MADV_REMOVE), EINVAL);
  CHECK(madvise(at, 0, MADV_DONTNEED) == 0);
  CHECK(munmap(at + 4 * PAGE, PAGE) == 0);
  FAILS(madvise(at, 8 * PAGE, MADV_DONTNEED), ENOMEM);
  CHECK(mprotect(at, PAGE, PROT_READ) == 0);
  FAILS(madvise(at, PAGE, 23), EINVAL);
  FAILS(mprotect(at, 8 * PAGE, PROT_READ), ENOMEM);
  unsigned char seen[8];
  CHECK(mincore(at, 4 * PAGE, seen) == 0);
  FAILS(mincore(at, 8 * PAGE, seen), ENOMEM);
  FAILS(mincore(at + 1, PAGE, seen), EINVAL);
}

static void locks(void) {
  char* const at = anonymous(16, PROT_READ | PROT_WRITE, 0);
  CHECK(mlock(at, 4 * PAGE) == 0);
  FAILS(madvise(at, PAGE, MADV_DONTNEED), EINVAL);
  FAILS(msync(at, PAGE, MS_INVALIDATE), EBUSY);
  CHECK(munlock(at, 4 * PAGE) == 0);
  CHECK(munmap(at + 8 * PAGE, PAGE) == 0);
  FAILS(mlock(at, 16 * PAGE), ENOMEM);
  FAILS(mlockall(0), EINVAL);
  CHECK(munlockall() == 0);
  char* const locked = anonymous(2, PROT_READ | PROT_WRITE, MAP_LOCKED | MAP_POPULATE);
  CHECK(locked != MAP_FAILED && munmap(locked, 2 * PAGE) == 0);
}

static void limits(void) {
  struct rlimit old, low;
  getrlimit(RLIMIT_AS, &old);
  low = old;
  low.rlim_cur = 1UL << 30;
  CHECK(setrlimit(RLIMIT_AS, &low) == 0);
  FAILS(mmap(NULL, 1UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  CHECK(setrlimit(RLIMIT_AS, &old) == 0);
  getrlimit(RLIMIT_DATA, &old);
  low = old;
  low.rlim_cur = 64UL << 20;
  CHECK(setrlimit(RLIMIT_DATA, &low) == 0);
  FAILS(mmap(NULL, 64UL << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
  char* const none = anonymous(64UL << 8, PROT_NONE, 0);
  CHECK(none != MAP_FAILED);
  FAILS(mprotect(none, 64UL << 20, PROT_READ | PROT_WRITE), ENOMEM);
  CHECK(setrlimit(RLIMIT_DATA, &old) == 0);
  munmap(none, 64UL << 20);
  char* const brk_before = sbrk(0);
  CHECK(sbrk(3 * PAGE) == brk_before && brk_before[2 * PAGE] == 0);
  CHECK(sbrk(-3 * (long)PAGE) == brk_before + 3 * PAGE);
}

static void other_calls(void) {
  char from[100] = "far away", to[100] = "";
  struct iovec local = {to, sizeof to}, remote = {from, sizeof from};
  CHECK(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 100 && !strcmp(to, from));
  FAILS(process_vm_readv(getpid(), &local, 1, &remote, 1, 1), EINVAL);
  remote.iov_base = (void*)16;
  FAILS(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
  int mode = -1;
  unsigned long nodes[16] = {0};
  CHECK(syscall(SYS_get_mempolicy, &mode, nodes, 1024, 0, 0) == 0 && mode == 0);
  FAILS(syscall(SYS_set_mempolicy, 99, 0, 0), EINVAL);
  FAILS(syscall(SYS_pkey_free, 77), EINVAL);
}

static void file_pages(void) {
  const int fd = make_file(3 * PAGE, '0');
  CHECK(pwrite(fd, "1", 1, (off_t)PAGE) == 1 && pwrite(fd, "2", 1, (off_t)(2 * PAGE)) == 1);
  char* const at = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(remap_file_pages(at, PAGE, 0, 2, 0) == 0 && at[0] == '2' && at[PAGE] == '1');
  FAILS(remap_file_pages(at, PAGE, PROT_READ, 2, 0), EINVAL);
  close(fd);
}

int main(int argc, char** argv) {
  path = argc > 1 ? argv[1] : "/tmp/memory.test";
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  placement();
  stacks();
  CHECK(deep(100) == 100);  // 6.5 MiB of the usual 8
  file_mappings();
  shared_memory();
  moving();
  advices();
  locks();
  limits();
  other_calls();
  file_pages();
  unlink(path);
  return failures != 0;
}
