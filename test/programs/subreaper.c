// SPDX-License-Identifier: Apache-2.0
// subreaper PIDFILE STATUS COMMAND…: what a shim or conmon does. Runs COMMAND (which creates and
// starts a container), then reaps the orphan that PIDFILE names and writes to STATUS "exit N",
// "signal N", or "not ours" when it never became our child.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char** argv) {
  int status = 0;
  int pid = 0;
  if (argc < 4 || prctl(PR_SET_CHILD_SUBREAPER, 1))
    return 2;
  pid_t command = fork();
  if (command == 0) {
    execvp(argv[3], argv + 3);
    _exit(127);
  }
  if (command < 0 || waitpid(command, &status, 0) < 0 || !WIFEXITED(status) ||
      WEXITSTATUS(status)) {
    fprintf(stderr, "subreaper: the command failed\n");
    return 1;
  }
  FILE* in = fopen(argv[1], "r");
  if (!in || fscanf(in, "%d", &pid) != 1) {
    fprintf(stderr, "subreaper: no pid in %s: %s\n", argv[1], strerror(errno));
    return 1;
  }
  fclose(in);
  FILE* out = fopen(argv[2], "w");
  if (!out)
    return 2;
  if (waitpid(pid, &status, 0) != pid) {
    fprintf(out, "not ours\n");
  } else if (WIFEXITED(status)) {
    fprintf(out, "exit %d\n", WEXITSTATUS(status));
  } else {
    fprintf(out, "signal %d\n", WTERMSIG(status));
  }
  fclose(out);
  return 0;
}
