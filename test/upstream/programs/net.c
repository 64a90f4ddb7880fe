// SPDX-License-Identifier: Apache-2.0
// Operations on sockets, each a pair of words on the command line (VERB ADDRESS:PORT[=TEXT]); one
// line each: what came of it, or the error's name.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int talk(int socket, const char* text) {
  char answer[100];
  if (text != NULL && send(socket, text, strlen(text), 0) < 0) {
    return -1;
  }
  const ssize_t got = recv(socket, answer, sizeof answer, 0);
  if (got < 0) {
    return -1;
  }
  printf(" %.*s", (int)got, answer);
  return 0;
}

static int connected(const struct sockaddr_in* address, const char* text) {
  const int stream = socket(AF_INET, SOCK_STREAM, 0);
  if (stream < 0 || connect(stream, (const struct sockaddr*)address, sizeof *address) != 0 ||
      talk(stream, text) != 0) {
    return -1;
  }
  return close(stream);
}

// Says where it listens, takes one, and gives back what comes.
static int served(const struct sockaddr_in* address) {
  char text[100];
  const int one = 1;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
      bind(listener, (const struct sockaddr*)address, sizeof *address) != 0 ||
      listen(listener, 4) != 0) {
    return -1;
  }
  printf(" listening\n");
  fflush(stdout);
  const int stream = accept(listener, NULL, NULL);
  const ssize_t got = stream < 0 ? -1 : recv(stream, text, sizeof text, 0);
  if (got < 0 || send(stream, text, (size_t)got, 0) != got) {
    return -1;
  }
  printf("served: %.*s", (int)got, text);
  close(stream);
  return close(listener);
}

static int sent(const struct sockaddr_in* address, const char* text) {
  const int datagram = socket(AF_INET, SOCK_DGRAM, 0);
  if (datagram < 0 || sendto(datagram, text, strlen(text), 0, (const struct sockaddr*)address,
                             sizeof *address) < 0) {
    return -1;
  }
  return talk(datagram, NULL);
}

static int perform(const char* verb, const struct sockaddr_in* address, const char* text) {
  if (strcmp(verb, "connect") == 0) {
    return connected(address, text);
  }
  if (strcmp(verb, "serve") == 0) {
    return served(address);
  }
  if (strcmp(verb, "send") == 0) {
    return sent(address, text);
  }
  errno = ENOSYS;
  return -1;
}

int main(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; i += 2) {
    char* text = strchr(argv[i + 1], '=');
    if (text != NULL) {
      *text++ = '\0';
    }
    char* port = strchr(argv[i + 1], ':');
    if (port == NULL) {
      return 2;
    }
    *port++ = '\0';
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    inet_pton(AF_INET, argv[i + 1], &address.sin_addr);
    printf("%s:", argv[i]);
    if (perform(argv[i], &address, text == NULL ? "" : text) != 0) {
      printf(" %s", strerrorname_np(errno));
    }
    printf("\n");
    fflush(stdout);
  }
  return 0;
}
