# SPDX-License-Identifier: Apache-2.0
"""Podman's scenarios: one container, from `run --rm` to `rm`."""

from framework import scenario


class Scenarios:
    @scenario(quick=True)
    def run_prints_and_leaves_nothing(self):
        done = self.container(":", "sh", "-c", "echo out; echo err >&2; hostname; echo $HOME")
        lines = done.out.split("\n")
        assert lines[0] == "out" and len(lines[1]) == 12 and lines[2] == "/root", done
        assert done.err == "err\n", done
