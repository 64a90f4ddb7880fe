// SPDX-License-Identifier: Apache-2.0
// What embed.cc does, in C.
//   embed_c KERNEL ARCHIVE
#include <runhl/vmm.h>
#include <stdio.h>
#include <string.h>

static void print(void* context, runhl_stream stream, const char* bytes, size_t size) {
  (void)context;
  (void)fwrite(bytes, 1, size, stream == RUNHL_OUT ? stdout : stderr);
}

struct price {
  const char *item, *price;
};
static const struct price kPrices[] = {{"tea", "3.20"}, {"cake", "4.50"}};

static int price_of(void* context, const char* item, size_t size, runhl_reply* answer) {
  const struct price* const prices = context;
  for (size_t i = 0; i < sizeof kPrices / sizeof *kPrices; ++i) {
    if (strlen(prices[i].item) == size && memcmp(prices[i].item, item, size) == 0) {
      (void)runhl_reply_set(answer, prices[i].price, strlen(prices[i].price));
      return 0;
    }
  }
  (void)runhl_reply_set(answer, "we sell none", strlen("we sell none"));
  return 1;
}

// Null: why is in runhl_error().
static runhl_machine* boot(char** argv, const char* program, const char* const* arguments) {
  runhl_options* const options = runhl_options_new();
  runhl_machine* machine = NULL;
  if (runhl_options_set_kernel(options, argv[1]) != RUNHL_OK ||
      runhl_options_set_initrd(options, argv[2]) != RUNHL_OK ||
      runhl_options_set_emulator(options, RUNHL_EMULATOR) != RUNHL_OK ||
      runhl_options_set_output(options, print, NULL) != RUNHL_OK ||
      runhl_options_add_function(options, "shop.price", price_of, (void*)kPrices) != RUNHL_OK ||
      runhl_options_set_program(options, program, arguments) != RUNHL_OK ||
      runhl_machine_new(options, &machine) != RUNHL_OK || runhl_machine_boot(machine) != RUNHL_OK) {
    runhl_machine_free(machine);
    machine = NULL;
  }
  runhl_options_free(options);
  return machine;
}

static int quote(runhl_machine* machine, const char* item) {
  const char* const arguments[] = {item, NULL};
  runhl_reply* reply = NULL;
  if (runhl_machine_call(machine, "quote", arguments, &reply) != RUNHL_OK) {
    return -1;
  }
  printf("host: status %d, \"%s\"\n", (int)runhl_reply_status(reply),
         runhl_reply_bytes(reply, NULL));
  runhl_reply_free(reply);
  return 0;
}

static int sell(char** argv) {
  static const char* const kItems[] = {"tea", "cake", "gold"};
  runhl_machine* const machine = boot(argv, "/bin/shop", NULL);
  if (machine == NULL) {
    return -1;
  }
  printf("isolation: %s\n", runhl_machine_isolation(machine));
  int status = 0;
  for (size_t i = 0; i < sizeof kItems / sizeof *kItems && status == 0; ++i) {
    status = quote(machine, kItems[i]);
  }
  runhl_machine_free(machine);
  return status;
}

static int greet(char** argv) {
  const char* const arguments[] = {"you", "and you", NULL};
  runhl_machine* const machine = boot(argv, "/bin/greet", arguments);
  int status = 0;
  if (machine == NULL || runhl_machine_wait(machine, &status) != RUNHL_OK) {
    runhl_machine_free(machine);
    return -1;
  }
  printf("host: it ended with %d\n", status);
  runhl_machine_free(machine);
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    (void)fputs("usage: embed_c KERNEL ARCHIVE\n", stderr);
    return 2;
  }
  if (sell(argv) != 0 || greet(argv) != 0) {
    (void)fprintf(stderr, "embed_c: %s\n", runhl_error());
    return 1;
  }
  return 0;
}
