# SPDX-License-Identifier: Apache-2.0
"""Docker's scenarios: `docker build` with the classic builder and with BuildKit."""

from framework import scenario

DOCKERFILE = """FROM scratch
ADD root.tar /
ENV PATH=/bin GREETING=hello
RUN echo "$GREETING" >/made && id -u >>/made
WORKDIR /place
RUN ["/bin/sh", "-c", "pwd >here; hostname >name"]
USER 1000
RUN id -u >/tmp/user
CMD cat /made /place/here /tmp/user
"""


class Build:
    def build(self, tag, dockerfile, buildkit, *words, **kwargs):
        """`docker build`; run.py has put the busybox root file system into the context."""
        folder = self.mkdir("context")
        if not self.run("test", "-e", folder + "/root.tar", check=False).rc == 0:
            self.run("cp", self.image_tar(), folder + "/root.tar")
        self.file("context/Dockerfile", dockerfile)
        return self.docker("build", "--tag", tag, *words, folder, env={
            "DOCKER_BUILDKIT": "1" if buildkit else "0", "BUILDKIT_PROGRESS": "plain"},
                           timeout=120, **kwargs)

    def remove_image(self, tag):
        self.docker("rmi", "--force", tag, check=False)

    @scenario(timeout=300)
    def build_with_the_classic_builder(self):
        self.build("made", DOCKERFILE, False)
        done = self.container("made")
        assert done.out == "hello\n0\n/place\n1000\n", done
        self.remove_image("made")

    @scenario(timeout=300)
    def build_with_buildkit(self):
        self.build("made", DOCKERFILE, True)
        done = self.container("made")
        assert done.out == "hello\n0\n/place\n1000\n", done
        self.remove_image("made")

    @scenario(timeout=300)
    def build_that_fails(self):
        for buildkit in (False, True):
            for command, text in (("exit 9", "9"), ("no-such-program", "not found")):
                done = self.build("bad", f"FROM {self.image}\nRUN {command}\n", buildkit,
                                  check=False)
                assert done.rc and text in done.out + done.err, done
            done = self.build("bad", f'FROM {self.image}\nRUN ["/etc"]\n', buildkit, check=False)
            assert done.rc, done

    @scenario(timeout=300)
    def build_with_a_cache_mount_and_a_secret(self):
        self.file("secret", "do not tell\n")
        self.build("made", f"FROM {self.image}\nRUN --mount=type=cache,target=/cache "
                   "--mount=type=secret,id=word,target=/word --mount=type=tmpfs,target=/scratch "
                   "cat /word >/read && echo x >/cache/x && touch /scratch/y\n", True,
                   "--secret", f"id=word,src={self.path('secret')}")
        done = self.container("made", "sh", "-c", "cat /read; find /cache /scratch /word -type f",
                              check=False)
        assert done.out in ("do not tell\n", "do not tell\n/word\n"), done
        self.remove_image("made")
