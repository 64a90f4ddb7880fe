#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make_index.py LAYOUT OUT: an OCI layout with an index of LAYOUT's image, said to be linux/amd64, and
of a second one for linux/arm64 with the same layers."""
import hashlib
import json
import os
import shutil
import sys

layout, out = sys.argv[1:]
shutil.copytree(layout, out)
INDEX = "application/vnd.oci.image.index.v1+json"


def put(content, media_type):
    text = json.dumps(content).encode()
    digest = hashlib.sha256(text).hexdigest()
    with open(os.path.join(out, "blobs/sha256", digest), "wb") as file:
        file.write(text)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(text)}


def get(descriptor):
    with open(os.path.join(out, "blobs/sha256", descriptor["digest"][7:])) as file:
        return json.load(file)


with open(os.path.join(out, "index.json")) as file:
    ours = json.load(file)["manifests"][0]
manifest = get(ours)
config = get(manifest["config"])
config["architecture"] = "arm64"
manifest["config"] = put(config, manifest["config"]["mediaType"])
other = put(manifest, ours["mediaType"])
both = [{**{key: descriptor[key] for key in ("mediaType", "digest", "size")},
         "platform": {"os": "linux", "architecture": architecture}}
        for descriptor, architecture in ((other, "arm64"), (ours, "amd64"))]
top = put({"schemaVersion": 2, "mediaType": INDEX, "manifests": both}, INDEX)
with open(os.path.join(out, "index.json"), "w") as file:
    json.dump({"schemaVersion": 2, "manifests": [top]}, file)
