#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OCI layout with one image, called `base`, of tar archives; or of small files alone.

    make_image.py LAYOUT LAYER.tar…       the lowest first, gzipped
    make_image.py LAYOUT --entries N      one layer with N entries, nine files a directory
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

PIECE = 1 << 20


class Blob(io.RawIOBase):
    """Is named by its digest when it is closed."""

    def __init__(self, layout):
        self.directory = os.path.join(layout, "blobs/sha256")
        os.makedirs(self.directory, exist_ok=True)
        self.file = open(os.path.join(self.directory, "new"), "wb")
        self.hash, self.size = hashlib.sha256(), 0

    def writable(self):
        return True

    def write(self, data):
        self.hash.update(data)
        self.size += len(data)
        return self.file.write(data)

    def finish(self, media_type):
        self.file.close()
        digest = self.hash.hexdigest()
        os.rename(self.file.name, os.path.join(self.directory, digest))
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": self.size}


def document(layout, content, media_type):
    blob = Blob(layout)
    blob.write(json.dumps(content).encode())
    return blob.finish(media_type)


def layer(layout, pieces):
    blob, diff = Blob(layout), hashlib.sha256()
    with gzip.GzipFile(fileobj=blob, mode="wb", compresslevel=6, mtime=0, filename="") as out:
        for piece in pieces:
            diff.update(piece)
            out.write(piece)
    return blob.finish("application/vnd.oci.image.layer.v1.tar+gzip"), "sha256:" + diff.hexdigest()


def pieces_of(path):
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            yield piece


def many_entries(count):
    path = "usr/share/package-%04d/some-directory-%06d"
    for number in range(count):
        place = path % (number // 1000, number // 10)
        if number % 10 == 0:
            entry = tarfile.TarInfo(place)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            yield entry.tobuf(tarfile.USTAR_FORMAT)
        else:
            entry = tarfile.TarInfo("%s/file-%d.txt" % (place, number))
            entry.size = 5
            yield entry.tobuf(tarfile.USTAR_FORMAT) + b"bytes".ljust(512, b"\0")
    yield bytes(1024)


def main():
    layout, rest = sys.argv[1], sys.argv[2:]
    layers = [many_entries(int(rest[1]))] if rest[0] == "--entries" else map(pieces_of, rest)
    made = [layer(layout, pieces) for pieces in layers]
    config = document(layout, {
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in made]},
    }, "application/vnd.oci.image.config.v1+json")
    manifest = document(layout, {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config, "layers": [descriptor for descriptor, _ in made],
    }, "application/vnd.oci.image.manifest.v1+json")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "base"}
    with open(os.path.join(layout, "index.json"), "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [manifest]}, file)
    with open(os.path.join(layout, "oci-layout"), "w") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)


main()
