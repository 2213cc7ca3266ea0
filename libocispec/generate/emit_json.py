# SPDX-License-Identifier: Apache-2.0
"""Write the functions that turn the structs back into JSON."""

from typing import TextIO

from load import run
from model import Model

HEAD = """\
// SPDX-License-Identifier: Apache-2.0
// JSON writers of the OCI documents, generated from libocispec/schema.

#include <libocispec/oci.h>
#include <libocispec/runtime/model.h>
"""


def emit(model: Model, out: TextIO) -> None:
    out.write(HEAD)
    for root in model.roots.values():
        out.write(f"""
int oci_{root.name}_write(const struct oci_{root.type} *value, struct oci_json *out)
{{
	return oci_write(&oci_{root.name}_type, value, out);
}}
""")


if __name__ == "__main__":
    run(__doc__, emit)
