# SPDX-License-Identifier: Apache-2.0
"""Where the newest containerd and Docker come from: of the releases, none has containerd 2 yet."""

import roots

SUITE = "sid"
PACKAGES = ["containerd", "containernetworking-plugins", "docker.io", "docker-cli",
            "docker-compose", "docker-buildx", "fuse-overlayfs", "iproute2", "iptables",
            "nftables", "procps", "redis-server", "rootlesskit", "slirp4netns", "uidmap"]


def root():
    return roots.debootstrap(SUITE, PACKAGES)
