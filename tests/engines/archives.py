# SPDX-License-Identifier: Apache-2.0
"""Image archives as `docker save` writes them, for engines that do not import a plain tar."""

import hashlib
import io
import json
import tarfile

ENVIRONMENT = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]


def docker_archive(path, layers, tag, **config):
    """Write an image of the tar files `layers`; config: Cmd, Entrypoint, User, … of the image."""
    config.setdefault("Env", ENVIRONMENT)
    contents = []
    for layer in layers:
        with open(layer, "rb") as source:
            contents.append(source.read())
    digests = [hashlib.sha256(content).hexdigest() for content in contents]
    description = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2024-01-01T00:00:00Z",
        "config": config, "history": [{"created": "2024-01-01T00:00:00Z"}] * len(layers),
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest for digest in digests]},
    }).encode()
    name = hashlib.sha256(description).hexdigest() + ".json"
    members = [f"{digest}/layer.tar" for digest in digests]
    manifest = json.dumps([{"Config": name, "RepoTags": [tag], "Layers": members}]).encode()
    with tarfile.open(path, "w") as archive:
        for member, content in [(name, description), *zip(members, contents),
                                ("manifest.json", manifest)]:
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path
