# SPDX-License-Identifier: Apache-2.0
"""What runs in a machine with systemd: the disk with the tree and the runtime, and the boot."""

import glob
import json
import os
import re
import shutil
import subprocess

import common
import initramfs
import machine
import root

LAYOUTS = ("v2", "v1", "hybrid")
SYSTEMD_WORDS = {
    "v2": ["systemd.unified_cgroup_hierarchy=1"],
    # systemd 256 wants to be asked twice; 258 has no v1 any more.
    "v1": ["systemd.unified_cgroup_hierarchy=0", "systemd.legacy_systemd_cgroup_controller=1",
           "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"],
    "hybrid": ["systemd.unified_cgroup_hierarchy=0",
               "systemd.legacy_systemd_cgroup_controller=0",
               "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"],
}
INTEGRATION = "/vm/tree/tests/integration"
# A part of the suite that touches every room and takes minutes in an emulated machine.
SLICE = ["test_smoke.py", "test_limits_real.py", "test_lsm_real.py", "test_systemd.py"]


def existing(names):
    """Those of the files that there are."""
    return [name for name in names if os.path.exists(f"{common.TOP}/tests/integration/{name}")]


def matching(pattern):
    """Files of the integration suite whose name matches."""
    return [name for name in sorted(os.listdir(f"{common.TOP}/tests/integration"))
            if pattern.fullmatch(name)]


def lsm_words(lsm):
    if lsm == "none":
        return ["apparmor=0", "selinux=0"]
    if lsm == "selinux":
        return ["apparmor=0", "security=selinux", "selinux=1", "enforcing=0"]
    return ["apparmor=1", "security=apparmor", "selinux=0"]


def copy_tree(target):
    """The sources, without the bulk that no test in a machine reads."""
    listed = subprocess.run(["git", "-C", common.TOP, "ls-files", "-z", "-co",
                             "--exclude-standard"], capture_output=True, check=False)
    if listed.returncode:
        names = [os.path.relpath(os.path.join(here, name), common.TOP)
                 for top in ("tests", "scripts", "docs")
                 for here, _dirs, files in os.walk(os.path.join(common.TOP, top)) for name in files]
    else:
        names = listed.stdout.decode().split("\0")
    for name in names:
        source = os.path.join(common.TOP, name)
        if not name or name.startswith("tests/fuzz/") or not os.path.isfile(source):
            continue
        os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
        shutil.copy2(source, os.path.join(target, name))


class Case:
    """Commands for one machine, and how it is booted."""

    def __init__(self, layout="v2", lsm="apparmor"):
        self.layout, self.lsm = layout, lsm
        self.commands, self.env, self.linger = [], {}, False
        self.packages = ()   # what the root file system has besides what the suite needs
        self.folders = []    # (folder of the host, name below /vm)
        self.timeout = 2 * 3600   # for what hangs outside of a test, which has an end of its own

    def command(self, argv):
        self.commands.append(list(argv))

    def suite(self, files, text="", width=2, without=None):
        """Files of the integration suite; all of them when none is named."""
        paths = []
        for name in files:
            folder = "oci-validation" if os.path.basename(name).startswith("test_oci_") \
                else "integration"
            if os.path.exists(f"{common.TOP}/tests/{folder}/{os.path.basename(name)}"):
                paths.append(f"/vm/tree/tests/{folder}/{os.path.basename(name)}")
            else:
                raise SystemExit(f"no file {os.path.basename(name)} in tests/{folder}")
        if not files:
            for folder in ("integration", "oci-validation"):
                paths += [f"/vm/tree/tests/{folder}/{name}"
                          for name in sorted(os.listdir(f"{common.TOP}/tests/{folder}"))
                          if re.fullmatch(r"test_.*\.py", name)]
            self.timeout = 6 * 3600
        argv = ["python3", "-B", f"{INTEGRATION}/run.py", "--runtime", "/vm/bin/crun", f"-j{width}"]
        argv += ["--without", without] if without else []
        self.command(argv + (["-k", text] if text else []) + paths)

    def slice(self):
        self.suite(existing(SLICE))

    def booted(self, text=""):
        """The engines' scenarios that want a machine."""
        self.command(["python3", "-B", "/vm/tree/tests/engines/booted.py", "--runtime",
                      "/vm/bin/crun"] + (["-k", text] if text else []))

    def corpus(self, runtime="/vm/bin/crun", words=()):
        """The attack corpus; `words` are more arguments for it."""
        self.env["CORPUS_PROBE"] = "/vm/programs/corpus-probe"
        self.command(["python3", "-B", "/vm/tree/tests/security/run.py", "--throwaway", "--runtime",
                      runtime, *words])

    def prepare(self):
        root.image(self.packages)

    def payload(self, runtime, folder, kvm):
        """The image that the guest sees as /vm."""
        top = os.path.join(folder, "payload")
        os.makedirs(f"{top}/bin")
        copy_tree(f"{top}/tree")
        shutil.copy2(runtime, f"{top}/bin/crun")
        os.mkdir(f"{top}/programs")
        programs = {os.path.basename(source)[:-2]: source
                    for source in glob.glob(f"{common.TOP}/tests/integration/*.c")}
        programs["corpus-probe"] = f"{common.TOP}/tests/security/probe.c"
        for name, source in programs.items():
            common.tool(os.environ.get("CC", "cc").split() +
                        ["-static", "-O1", "-o", f"{top}/programs/{name}", source])
        for source, name in self.folders:
            shutil.copytree(source, f"{top}/{name}", symlinks=True)
        spec = os.environ.get("OCI_SPEC_DIR")
        if spec and os.path.isdir(spec):
            shutil.copytree(spec, f"{top}/oci-spec")
            self.env["OCI_SPEC_DIR"] = "/vm/oci-spec"
        if not kvm:
            self.env["CRUN_TEST_PATIENCE"] = os.environ.get("CRUN_TEST_PATIENCE", "6")
        with open(f"{top}/case.json", "w", encoding="utf-8") as out:
            json.dump({"commands": self.commands, "swap": True, "linger": self.linger,
                       "selinux": self.lsm == "selinux", "env": self.env}, out)
        image = os.path.join(folder, "payload.ext4")
        common.make_ext4(image, top)
        shutil.rmtree(top)
        return image

    def boot(self, kernel, runtime, folder, append=(), cpus=2, memory=1536, timeout=None,
             **how):
        """`how`: see machine.boot()."""
        common.need(machine.QEMU)
        image = root.image(self.packages)
        payload = self.payload(runtime, folder, machine.has_kvm(kernel))
        swap = os.path.join(folder, "swap")
        with open(swap, "wb") as out:
            out.truncate(256 << 20)
        initrd = os.path.join(folder, "initrd")
        initramfs.stage(kernel, initrd)
        words = [*SYSTEMD_WORDS[self.layout], *lsm_words(self.lsm), *append,
                 "systemd.unit=crun-vm.target", "systemd.show_status=false", "hugepages=16",
                 "swapaccount=1", "net.ifnames=0"]
        return machine.boot(kernel, initrd, words, [(image, True), (payload, False),
                                                    (kernel.modules_image, False), (swap, True)],
                            cpus, memory, timeout or self.timeout, folder=folder, **how)
