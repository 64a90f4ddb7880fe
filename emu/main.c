// SPDX-License-Identifier: GPL-2.0-only
// runhl-emu: a software CPU for upstream kernels, in a process of its own. protocol.h draws how it
// is used; only runhl's own programs start it.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "confine.h"
#include "cpu.h"
#include "runhl/emu/protocol.h"

static struct cpu* cpu;
static struct runhl_emu_page* page;
static uint64_t mapped;  // bytes of guest memory

static void on_stop_signal(int number) {
  (void)number;
  if (cpu != NULL) {
    emu_cpu_stop(cpu);
  }
}

// Whatever the monitor's own mask and handlers are: it stops a run with this signal.
static int take_stop_signal(void) {
  const struct sigaction stop = {.sa_handler = on_stop_signal};
  sigset_t mask;
  return sigaction(SIGUSR1, &stop, NULL) == 0 && sigemptyset(&mask) == 0 &&
                 sigprocmask(SIG_SETMASK, &mask, NULL) == 0
             ? 0
             : -1;
}

// A request and the descriptor that came with it, -1 for none. False: the monitor is gone.
static bool receive(struct runhl_emu_request* request, int* fd) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec data = {request, sizeof *request};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t got;
  do {
    got = recvmsg(RUNHL_EMU_SOCKET, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  *fd = -1;
  const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    memcpy(fd, CMSG_DATA(header), sizeof *fd);
  }
  return got == (ssize_t)sizeof *request;
}

// Once confined, messages are read(2), and no descriptor can come in.
static bool receive_plain(struct runhl_emu_request* request) {
  ssize_t got;
  do {
    got = read(RUNHL_EMU_SOCKET, request, sizeof *request);
  } while (got < 0 && errno == EINTR);
  return got == (ssize_t)sizeof *request;
}

static bool answer(const char* failure) {
  const struct runhl_emu_answer reply = {failure != NULL};
  if (failure != NULL && page != NULL) {
    (void)snprintf(page->exit.text, sizeof page->exit.text, "%s", failure);
  }
  ssize_t put;
  do {
    put = write(RUNHL_EMU_SOCKET, &reply, sizeof reply);
  } while (put < 0 && errno == EINTR);
  return put == (ssize_t)sizeof reply;
}

static const char* hello(const struct runhl_emu_request* request, int fd) {
  if (request->value != RUNHL_EMU_VERSION) {
    return "another version";
  }
  void* memory = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    return strerror(errno);
  }
  page = memory;
  return emu_cpu_create(&cpu);
}

static const char* map(const struct runhl_emu_request* request, int fd) {
  if (cpu == NULL) {
    return "there is no CPU yet";
  }
  const bool writable = request->value == RUNHL_EMU_READ_WRITE;
  void* memory = mmap(NULL, request->length, PROT_READ | (writable ? PROT_WRITE : 0),
                      writable ? MAP_SHARED : MAP_PRIVATE, fd, (off_t)request->offset);
  if (memory == MAP_FAILED) {
    return strerror(errno);
  }
  mapped += request->length;
  return emu_cpu_map(cpu, request, memory);
}

static const char* prepare(const struct runhl_emu_request* request, int fd) {
  switch (request->kind) {
    case RUNHL_EMU_HELLO:
      return page == NULL ? hello(request, fd) : "a second hello";
    case RUNHL_EMU_MAP:
      return map(request, fd);
    default:
      return "no such request";
  }
}

// The first request is RUN. False: the monitor asked for something else, or is gone.
static bool serve_confined(void) {
  struct runhl_emu_request request = {.kind = RUNHL_EMU_RUN};
  do {
    if (request.kind == RUNHL_EMU_RUN) {
      emu_cpu_run(cpu, page);
    } else if (request.kind == RUNHL_EMU_SAVE) {
      emu_cpu_save(cpu, page);
    } else {
      return false;
    }
    if (!answer(NULL)) {
      return false;
    }
  } while (receive_plain(&request));
  return true;
}

int main(void) {
  struct runhl_emu_request request;
  int fd = -1;
  if (take_stop_signal() != 0 || confine_early() != 0) {
    return 1;
  }
  while (receive(&request, &fd)) {
    if (request.kind == RUNHL_EMU_RUN && cpu != NULL) {
      if (confine(mapped) != 0) {
        (void)answer(strerror(errno));
        return 1;
      }
      return serve_confined() ? 0 : 1;
    }
    const char* failure = prepare(&request, fd);
    if (fd >= 0) {
      (void)close(fd);
    }
    if (!answer(failure)) {
      return 1;
    }
  }
  return 0;
}
