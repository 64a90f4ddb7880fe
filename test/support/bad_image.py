#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Copies an OCI layout with one image and spoils the copy, so that its digests still agree.

    bad_image.py LAYOUT OUT KIND

KIND is a function below whose name begins with spoil_.
"""
import gzip
import hashlib
import json
import os
import shutil
import sys

source, out, kind = sys.argv[1:]
shutil.copytree(source, out)


def path(digest):
    return os.path.join(out, "blobs/sha256", digest.split(":")[1])


def read(descriptor):
    with open(path(descriptor["digest"]), "rb") as file:
        return file.read()


def put(descriptor, content):
    """The descriptor names this content from now on."""
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    descriptor["digest"] = "sha256:" + hashlib.sha256(content).hexdigest()
    descriptor["size"] = len(content)
    with open(path(descriptor["digest"]), "wb") as file:
        file.write(content)


def spoil_diff_id(manifest, config):
    config["rootfs"]["diff_ids"][-1] = "sha256:" + "0" * 64


def spoil_truncated_gzip(manifest, config):
    put(manifest["layers"][-1], read(manifest["layers"][-1])[:-1000])


def spoil_damaged_gzip(manifest, config):
    layer = bytearray(read(manifest["layers"][-1]))
    layer[len(layer) // 2] ^= 0xFF
    put(manifest["layers"][-1], bytes(layer))


def spoil_no_tar(manifest, config):
    text = b"<html>not a layer</html>" * 1000
    put(manifest["layers"][-1], gzip.compress(text))
    config["rootfs"]["diff_ids"][-1] = "sha256:" + hashlib.sha256(text).hexdigest()


def spoil_foreign(manifest, config):
    manifest["layers"][-1]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    manifest["layers"][-1]["urls"] = ["https://elsewhere.invalid/layer"]


def spoil_encrypted(manifest, config):
    manifest["layers"][-1]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"


def spoil_unknown(manifest, config):
    manifest["layers"][-1]["mediaType"] = "application/vnd.example.layer"


def spoil_no_layers(manifest, config):
    manifest["layers"] = config["rootfs"]["diff_ids"] = []


def spoil_no_rootfs(manifest, config):
    del config["rootfs"]


def spoil_many_layers(manifest, config):
    manifest["layers"] *= 10000 // len(manifest["layers"])
    config["rootfs"]["diff_ids"] *= 10000 // len(config["rootfs"]["diff_ids"])


def spoil_fewer_diff_ids(manifest, config):
    config["rootfs"]["diff_ids"].pop()


def spoil_size(manifest, config):
    manifest["layers"][-1]["size"] += 1


def spoil_schema1(manifest, config):
    manifest["schemaVersion"] = 1


with open(os.path.join(out, "index.json")) as file:
    index = json.load(file)
top = index["manifests"][0]
the_manifest = json.loads(read(top))
the_config = json.loads(read(the_manifest["config"]))
if kind == "nested":
    # As deep as an index that contains itself would be, which no digest allows.
    for _ in range(20):
        put(top, {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [dict(top)]})
        top["mediaType"] = "application/vnd.oci.image.index.v1+json"
else:
    globals()["spoil_" + kind](the_manifest, the_config)
    put(the_manifest["config"], the_config)
    the_manifest.setdefault("mediaType", "application/vnd.oci.image.manifest.v1+json")
    put(top, the_manifest)
with open(os.path.join(out, "index.json"), "w") as file:
    json.dump(index, file)
