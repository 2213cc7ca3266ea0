# SPDX-License-Identifier: Apache-2.0
"""The state directory belongs to whoever runs the command, whatever the umask, and to nobody else."""

import json
import os

from harness import flavors


@flavors("root", "rootless")
def test_umask_of_the_caller_does_not_lock_it_out(t):
    bundle = t.bundle(["sleep", "1000"])
    for mask in (0o777, 0o700, 0):
        deep = t.path(f"xdg/state{mask}")
        root = ["--root", deep]
        t.rt(*root, "create", "-b", bundle.path, bundle.id, root=False,
             preexec_fn=lambda mask=mask: os.umask(mask) and None)
        assert json.loads(t.rt(*root, "state", bundle.id, root=False).out)["status"] == "created"
        t.rt(*root, "start", bundle.id, root=False)
        for name in (deep, f"{deep}/{bundle.id}"):
            assert os.stat(name).st_mode & 0o777 == 0o700, name
        t.rt(*root, "delete", "--force", bundle.id, root=False)
        assert os.listdir(deep) == []


def test_list_leaves_out_what_belongs_to_others_in_every_form(t):
    bundle = t.bundle(["sleep", "1000"])
    t.create(bundle)
    foreign = os.path.join(t.state_dir, "foreign")
    os.mkdir(foreign)
    os.chown(foreign, 12345, 12345)
    assert t.rt("list", "-q").out.split() == [bundle.id]
    assert [c["id"] for c in json.loads(t.rt("list", "-f", "json").out)] == [bundle.id]
    assert "foreign" not in t.rt("list").out
    os.rmdir(foreign)
