// SPDX-License-Identifier: Apache-2.0
// A program for upstream kernels that serves calls of its host's: "quote" ITEM. What an item costs
// it asks the host in turn, by the function "shop.price".
//
//   host: call("quote", "tea") ──► read(/dev/hlcall)
//                                  ioctl: HostCall("shop.price", "tea") ──► host
//                                  printf, write(/dev/hlcall)           ◄── "3.20"
//   host: reply                ◄── the next read
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// The kernel's device. What comes back of a host call: a byte, 0 for well, and a text.
struct host_call {
  const char* name;
  uint64_t name_size;
  const void* arguments;
  uint64_t arguments_size;
  void* answer;
  uint64_t answer_space, answer_size;
};
#define CALL_SPACE _IOR('H', 1, uint64_t)
#define HOST_CALL _IOWR('H', 3, struct host_call)

// A call is a FlatBuffers message with its size in front: a table whose first field is the
// function's name and whose second its parameters; of a parameter the second field is a table, too,
// with the text as its first. It comes from the kernel, which is trusted here.
static const uint8_t* follow(const uint8_t* at) {
  uint32_t distance;
  memcpy(&distance, at, sizeof distance);
  return at + distance;
}
static const uint8_t* field(const uint8_t* table, unsigned number) {
  int32_t back;
  uint16_t distance;
  memcpy(&back, table, sizeof back);
  memcpy(&distance, table - back + 4 + 2 * number, sizeof distance);
  return follow(table + distance);
}
static const char* text(const uint8_t* string) {
  return (const char*)string + sizeof(uint32_t);  // a NUL is behind it
}
static const char* function_name(const uint8_t* call) {
  return text(field(follow(call + 4), 0));
}
static const char* first_text(const uint8_t* call) {
  const uint8_t* const parameters = field(follow(call + 4), 1);
  return text(field(field(follow(parameters + 4), 1), 0));
}

struct answer {
  int32_t status;  // 0: well; then the kernel passes the text on
  char text[256];
};

static int ask_price(int calls, const char* item, char* price, size_t space) {
  char answer[256];
  struct host_call call = {"shop.price", strlen("shop.price"), item, strlen(item),
                           answer,       sizeof answer,        0};
  if (ioctl(calls, HOST_CALL, &call) != 0) {
    snprintf(price, space, "no host call: %s", strerror(errno));
    return -1;
  }
  snprintf(price, space, "%.*s", (int)call.answer_size - 1, answer + 1);
  return answer[0];
}

static void quote(int calls, const char* item, struct answer* answer) {
  char price[128];
  answer->status = ask_price(calls, item, price, sizeof price) == 0 ? 0 : 1;
  if (answer->status == 0) {
    printf("shop: %s costs %s\n", item, price);
    snprintf(answer->text, sizeof answer->text, "%s: %s", item, price);
  } else {
    printf("shop: no price for %s: %s\n", item, price);
  }
  fflush(stdout);
}

int main(void) {
  const int calls = open("/dev/hlcall", O_RDWR | O_CLOEXEC);
  uint64_t space = 0;
  if (calls < 0 || ioctl(calls, CALL_SPACE, &space) != 0) {
    perror("/dev/hlcall");
    return 1;
  }
  uint8_t* const call = malloc(space);
  for (;;) {
    if (call == NULL || read(calls, call, space) < 0) {
      perror("a call");
      return 1;
    }
    struct answer answer = {2, ""};  // no such function
    if (strcmp(function_name(call), "quote") == 0) {
      quote(calls, first_text(call), &answer);
    }
    // A call that failed has no text.
    if (write(calls, &answer, sizeof answer.status + strlen(answer.text)) < 0) {
      perror("an answer");
    }
  }
}
