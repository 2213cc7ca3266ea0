# SPDX-License-Identifier: Apache-2.0
"""bundle.md, sentence by sentence; bundle.txt says which test belongs to which."""

import os
import shutil


def test_container_format_1_config_lies_in_the_bundles_root(t):
    bundle = t.bundle()
    os.mkdir(os.path.join(bundle.path, "sub"))
    config = os.path.join(bundle.path, "config.json")
    os.rename(config, os.path.join(bundle.path, "sub", "config.json"))
    t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)


def test_container_format_2_config_has_its_name(t):
    bundle = t.bundle()
    config = os.path.join(bundle.path, "config.json")
    os.rename(config, os.path.join(bundle.path, "configuration.json"))
    t.fails("create", "--bundle", bundle.path, bundle.id)
    t.assert_no_trace(bundle)
    os.rename(os.path.join(bundle.path, "configuration.json"), config)
    t.run_container(bundle)


def test_container_format_3_one_directory_is_the_whole_bundle(t):
    # The same files under another directory are the same bundle: nothing else is needed.
    bundle = t.bundle("echo moved")
    other = t.path("elsewhere")
    shutil.move(bundle.path, other)
    bundle.path = other
    assert t.run_container(bundle).out == "moved\n"
