# SPDX-License-Identifier: Apache-2.0
"""Write the tables that drive the reader and the writer, and the parse functions."""

from typing import Dict, List, TextIO

from load import run
from model import INTEGERS, Enum, Field, Model, Root, Type

HEAD = """\
// SPDX-License-Identifier: Apache-2.0
// Tables of the OCI documents for the reader and the writer, generated from libocispec/schema.

#include <libocispec/oci.h>
#include <libocispec/runtime/model.h>

#include <string.h>
"""

KINDS = {"string": "OCI_STRING", "bool": "OCI_BOOL", "enum": "OCI_ENUM", "object": "OCI_OBJECT"}
KINDS.update({name: info[1] for name, info in INTEGERS.items()})


def c_int(value: int, unsigned: bool) -> str:
    if unsigned:
        return f"UINT64_C({value})"
    # The least int64 has no literal of its own.
    return "INT64_MIN" if value == -(2**63) else f"INT64_C({value})"


def emit_enum(enum: Enum, out: TextIO) -> None:
    count = len(enum.values) + 1
    out.write(f"\nstatic const char *const {enum.name}_names[{count}] = {{\n")
    for value, suffix in enum.values.items():
        out.write(f'\t[{enum.prefix}{suffix}] = "{value}",\n')
    out.write("};\n")
    out.write(f"static const struct oci_enum {enum.name}_enum = {{\n"
              f'\t.what = "{enum.what}", .names = {enum.name}_names, .count = {count},\n}};\n')
    out.write(f"_Static_assert(sizeof({enum.c_type}) == sizeof(int), \"enums are stored as int\");\n")
    out.write(f"""
const char *oci_{enum.name}_name({enum.c_type} value)
{{
	return (unsigned)value < {count} ? {enum.name}_names[value] : NULL;
}}

{enum.c_type} oci_{enum.name}_from_name(const char *name)
{{
	return ({enum.c_type})oci_enum_lookup(&{enum.name}_enum, name, strlen(name));
}}
""")


def emit_lookup(kind: Type, out: TextIO) -> None:
    """A switch on the length, then memcmp with a constant length, which compilers inline."""
    by_length: Dict[int, List[int]] = {}
    for index, member in enumerate(kind.fields):
        by_length.setdefault(len(member.key), []).append(index)
    out.write(f"\nstatic int {kind.name}_lookup(const char *key, size_t len)\n{{\n\tswitch (len) {{\n")
    for length in sorted(by_length):
        out.write(f"\tcase {length}:\n")
        for index in by_length[length]:
            out.write(f'\t\tif (memcmp(key, "{kind.fields[index].key}", {length}) == 0)\n'
                      f"\t\t\treturn {index};\n")
        out.write("\t\treturn -1;\n")
    out.write("\tdefault:\n\t\treturn -1;\n\t}\n}\n")


def symbol(model: Model, name: str) -> str:
    return f"oci_{name}_type" if name in model.roots else f"{name}_type"


def field_row(model: Model, kind: Type, member: Field) -> str:
    row = [f'.key = "{member.key}"', f".key_len = {len(member.key)}",
           f".shape = OCI_{member.shape.upper()}", f".kind = {KINDS[member.kind]}",
           f".offset = offsetof({kind.c_type}, {member.name})"]
    if member.has_flag:
        row.append(f".aux = offsetof({kind.c_type}, has_{member.name})")
    if member.shape == "array":
        row.append(f".aux = offsetof({kind.c_type}, {member.name}_len)")
        row.append(f".item_size = sizeof({member.item})")
    if member.shape == "map":
        row.append(f".item_size = sizeof(struct {member.pair_name})")
    if member.kind == "object":
        row.append(f".type = &{symbol(model, member.target)}")
    if member.kind == "enum":
        row.append(f".values = &{member.target}_enum")
    if member.kind in INTEGERS:
        row.append(f".min = {c_int(member.low, False)}")
        row.append(f".max = {c_int(member.high, True)}")
    if member.check:
        row.append(f".check = oci_check_{member.check}")
    lines = ""
    for item in row:
        lines += f"\t\t{item},\n"
    return f"\t{{\n{lines}\t}},\n"


def emit_type(model: Model, kind: Type, out: TextIO) -> None:
    emit_lookup(kind, out)
    out.write(f"\nstatic const struct oci_field {kind.name}_fields[] = {{\n")
    for member in kind.fields:
        out.write(field_row(model, kind, member))
    out.write("};\n")
    for member in kind.fields:
        if member.shape == "map" and member.kind == "object":
            out.write(f"_Static_assert(offsetof(struct {member.pair_name}, value) == sizeof(char *), "
                      '"the value follows the key");\n')
    required = sum(1 << i for i, member in enumerate(kind.fields) if member.required)
    # A document's own type is public; the others stay inside the table.
    root = model.roots.get(kind.name)
    linkage = "" if root else "static "
    out.write(f"{linkage}const struct oci_type {symbol(model, kind.name)} = {{\n"
              f"\t.fields = {kind.name}_fields,\n\t.count = {len(kind.fields)},\n"
              f"\t.size = sizeof({kind.c_type}),\n\t.required = {c_int(required, True)},\n"
              f"\t.lookup = {kind.name}_lookup,\n")
    if root:
        out.write(f'\t.file = "{root.file}",\n')
    out.write("};\n")


def emit_root(root: Root, kind: Type, out: TextIO) -> None:
    out.write(f"""
int oci_{root.name}_parse(const char *name, const char *data, size_t len, struct oci_arena *arena,
		{kind.c_type} **ret, struct oci_parse_error *err)
{{
	void *found = NULL;
	int r = oci_parse(&oci_{root.name}_type, name, data, len, arena, &found, err);

	if (r == 0)
		*ret = found;
	return r;
}}

int oci_{root.name}_parse_fd(int fd, const char *name, struct oci_arena *arena,
		struct oci_text *text, {kind.c_type} **ret, struct oci_parse_error *err)
{{
	void *found = NULL;
	int r = oci_parse_fd(&oci_{root.name}_type, fd, name, arena, text, &found, err);

	if (r == 0)
		*ret = found;
	return r;
}}
""")


def emit(model: Model, out: TextIO) -> None:
    out.write(HEAD)
    for enum in model.enums.values():
        emit_enum(enum, out)
    used = {f.target for t in model.types.values() for f in t.fields if f.kind == "object"}
    for kind in model.ordered_types():
        if kind.name in used or kind.name in model.roots:
            emit_type(model, kind, out)
    for root in model.roots.values():
        emit_root(root, model.types[root.type], out)


if __name__ == "__main__":
    run(__doc__, emit)
