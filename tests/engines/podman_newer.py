# SPDX-License-Identifier: Apache-2.0
"""Where the newer Podman comes from, and Docker's client and Compose for its API."""

import roots

SUITE = "trixie"
PACKAGES = ["podman", "crun", "conmon", "netavark", "aardvark-dns", "passt", "slirp4netns",
            "uidmap", "fuse-overlayfs", "catatonit", "nftables", "iproute2", "buildah",
            "containers-storage", "procps", "docker-cli", "docker-compose"]


def root():
    return roots.debootstrap(SUITE, PACKAGES)
