# SPDX-License-Identifier: Apache-2.0
"""Where the newer Podman comes from."""

import roots

SUITE = "trixie"
PACKAGES = ["podman", "crun", "conmon", "netavark", "aardvark-dns", "passt", "slirp4netns",
            "uidmap", "fuse-overlayfs", "catatonit", "nftables", "iproute2", "buildah",
            "containers-storage", "procps"]


def root():
    return roots.debootstrap(SUITE, PACKAGES)
