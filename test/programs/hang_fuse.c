// SPDX-License-Identifier: Apache-2.0
// A file system whose program stops: hang_fuse DIRECTORY FILE mounts one there, with the files
// "quick", which says "quick", "busybox", which is FILE, and "hang". Once "hang" was opened nobody
// answers any more, so whoever asks for anything waits; until this process is killed. Runs on the
// host, not in a guest.
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { kQuick = 2, kHang = 3, kProgram = 4 };
static const char kText[] = "quick\n";
static int device, program;

static void reply(const struct fuse_in_header* in, int error, const void* data, size_t size) {
  struct fuse_out_header out = {
      .len = (unsigned)(sizeof(out) + size), .error = error, .unique = in->unique};
  struct iovec parts[2] = {{&out, sizeof(out)}, {(void*)data, size}};
  if (writev(device, parts, 2) < 0) {
    perror("reply");  // the caller was interrupted: nothing to answer
  }
}

static struct fuse_attr attributes(unsigned long node) {
  struct fuse_attr attr = {.ino = node, .nlink = 1, .blksize = 4096};
  attr.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
  attr.size = node == FUSE_ROOT_ID ? 0 : sizeof(kText) - 1;
  struct stat status;
  if (node == kProgram && fstat(program, &status) == 0) {
    attr.mode = S_IFREG | 0755;
    attr.size = (unsigned long)status.st_size;
  }
  return attr;
}

static void look_up(const struct fuse_in_header* in, const char* name) {
  struct fuse_entry_out out = {0};
  out.nodeid = strcmp(name, "quick") == 0     ? kQuick
               : strcmp(name, "hang") == 0    ? kHang
               : strcmp(name, "busybox") == 0 ? kProgram
                                              : 0;
  out.attr = attributes(out.nodeid);
  reply(in, out.nodeid == 0 ? -ENOENT : 0, &out, out.nodeid == 0 ? 0 : sizeof(out));
}

static void read_program(const struct fuse_in_header* in, const struct fuse_read_in* wanted) {
  static char bytes[1 << 17];
  const size_t room = wanted->size < sizeof(bytes) ? wanted->size : sizeof(bytes);
  const ssize_t count = pread(program, bytes, room, (off_t)wanted->offset);
  reply(in, count < 0 ? -EIO : 0, bytes, count < 0 ? 0 : (size_t)count);
}

static void serve(const struct fuse_in_header* in, const void* body) {
  struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096};
  struct fuse_attr_out attr = {.attr = attributes(in->nodeid)};
  struct fuse_open_out opened = {0};
  struct fuse_statfs_out statfs = {.st = {.bsize = 4096, .namelen = 255}};
  switch (in->opcode) {
    case FUSE_INIT:
      reply(in, 0, &init, sizeof(init));
      return;
    case FUSE_LOOKUP:
      look_up(in, body);
      return;
    case FUSE_GETATTR:
      reply(in, 0, &attr, sizeof(attr));
      return;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
      reply(in, 0, &opened, sizeof(opened));
      while (in->nodeid == kHang) {
        pause();
      }
      return;
    case FUSE_READ: {
      const struct fuse_read_in* read = body;
      if (in->nodeid == kProgram) {
        read_program(in, read);
        return;
      }
      const size_t rest = read->offset < sizeof(kText) - 1 ? sizeof(kText) - 1 - read->offset : 0;
      reply(in, 0, kText + (sizeof(kText) - 1 - rest), rest);
      return;
    }
    case FUSE_STATFS:
      reply(in, 0, &statfs, sizeof(statfs));
      return;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_READDIR:
      reply(in, 0, NULL, 0);
      return;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
      return;
    default:  // FUSE_FLUSH too: closing would wait for it, and no signal ends that
      reply(in, -ENOSYS, NULL, 0);
  }
}

int main(int argc, char** argv) {
  static char request[1 << 17] __attribute__((aligned(8)));
  char options[64];
  if (argc != 3 || (program = open(argv[2], O_RDONLY | O_CLOEXEC)) < 0 ||
      (device = open("/dev/fuse", O_RDWR | O_CLOEXEC)) < 0) {
    return 2;
  }
  snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other",
           device);
  if (mount("hang", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) != 0) {
    perror("mount");
    return 2;
  }
  for (;;) {
    if (read(device, request, sizeof(request)) < 0) {
      if (errno == ENODEV) {
        return 0;  // unmounted
      }
      continue;
    }
    serve((const struct fuse_in_header*)request, request + sizeof(struct fuse_in_header));
  }
}
