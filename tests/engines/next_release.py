# SPDX-License-Identifier: Apache-2.0
"""Where the newer containerd, Docker and Buildah come from."""

import roots

SUITE = "trixie"
PACKAGES = ["docker.io", "docker-cli", "docker-compose", "docker-buildx", "containerd", "buildah",
            "redis-server", "rootlesskit", "slirp4netns", "uidmap", "fuse-overlayfs", "iptables",
            "containernetworking-plugins", "netavark", "passt", "iproute2", "nftables", "procps",
            "python3-minimal"]


def root():
    return roots.debootstrap(SUITE, PACKAGES)
