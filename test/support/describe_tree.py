#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""describe_tree.py ROOT: a line for each name below ROOT, with all that a layer can say of it.

    name  type and mode  owner  group  time  names of the inode  device  target  size  content  xattrs
"""
import hashlib
import os
import stat
import sys


def content(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def xattrs(path):
    # What the file systems keep for themselves is no part of the image.
    names = [n for n in os.listxattr(path, follow_symlinks=False) if not n.startswith("trusted.overlay.")]
    return ",".join("%s=%s" % (n, os.getxattr(path, n, follow_symlinks=False).hex()) for n in sorted(names))


def walk(root):
    yield b"."
    for at, directories, files in os.walk(root):
        for name in directories + files:
            yield os.path.relpath(os.path.join(at, name), root)


root = os.fsencode(sys.argv[1])
names = sorted(walk(root))
of_inode = {}
for name in names:
    info = os.lstat(os.path.join(root, name))
    of_inode.setdefault((info.st_dev, info.st_ino), []).append(name)
for name in names:
    path = os.path.join(root, name)
    info = os.lstat(path)
    device = stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode)
    regular = stat.S_ISREG(info.st_mode)
    others = [other for other in of_inode[info.st_dev, info.st_ino] if other != name]
    print(repr(name), oct(info.st_mode), info.st_uid, info.st_gid, info.st_mtime_ns, others,
          (os.major(info.st_rdev), os.minor(info.st_rdev)) if device else "",
          os.readlink(path) if stat.S_ISLNK(info.st_mode) else "",
          info.st_size if regular else "", content(path) if regular else "", xattrs(path))
