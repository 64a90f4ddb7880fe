// SPDX-License-Identifier: Apache-2.0
// show: arguments, environment, working directory, ids, one a line, without a shell in between.
#include <grp.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char** argv, char** env) {
  char cwd[4096];
  gid_t groups[64];
  for (int i = 0; i < argc; ++i)
    printf("arg %d <%s>\n", i, argv[i]);
  for (char** e = env; *e; ++e)
    printf("env <%s>\n", *e);
  printf("cwd <%s>\n", getcwd(cwd, sizeof cwd) ? cwd : "?");
  printf("uid %d %d gid %d %d\n", (int)getuid(), (int)geteuid(), (int)getgid(), (int)getegid());
  int n = getgroups(64, groups);
  printf("groups");
  for (int i = 0; i < n; ++i)
    printf(" %d", (int)groups[i]);
  printf("\n");
  return 0;
}
