# SPDX-License-Identifier: Apache-2.0
"""Write the C header: enums, structs and the functions of each root type."""

from typing import TextIO

from load import run
from model import Enum, Field, Model, Root, Type

HEAD = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* C types of the OCI runtime specification, generated from libocispec/schema: do not edit.
 *
 * Absent values: a NULL pointer, an enumerator 0 or has_x == false. An empty array or map is a
 * non-NULL pointer with length 0. Arrays of strings also end with a NULL.
 * Everything lives in the arena that was given to the parser.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libocispec/runtime/json.h>
#include <libocispec/runtime/parse.h>

/* The gnu dialects of C define linux as 1, which would rename the field of struct oci_config. */
#undef linux

struct oci_string_pair {
	const char *key, *value;
};

struct oci_string_map {
	struct oci_string_pair *items;
	size_t len;
};
"""


def emit_enum(enum: Enum, out: TextIO) -> None:
    upper = f"OCI_{enum.name.upper()}"
    note = f" {enum.note}" if enum.note else ""
    out.write(f"\n/* {enum.what}: {enum.where}{';' + note if note else ''} */\n")
    out.write(f"{enum.c_type} {{\n\t{upper}_UNSET,\n")
    for suffix in enum.values.values():
        out.write(f"\t{enum.prefix}{suffix},\n")
    out.write("};\n")
    last = list(enum.values.values())[-1]
    out.write(f"#define {upper}_LAST {enum.prefix}{last}\n")
    out.write(f"/* JSON string of the value; NULL when unset or unknown. */\n"
              f"const char *oci_{enum.name}_name({enum.c_type} value);\n"
              f"/* Value of the JSON string; 0 when there is none. */\n"
              f"{enum.c_type} oci_{enum.name}_from_name(const char *name);\n")


def comment(member: Field) -> str:
    extra = []
    if member.required:
        extra.append("required")
    if member.extension:
        extra.append("not in the specification")
    tail = f" ({', '.join(extra)})" if extra else ""
    return f"/* {member.about}{tail} */"


def emit_field(member: Field, out: TextIO) -> None:
    name, item = member.name, member.item
    space = "" if item.endswith("*") else " "
    out.write(f"\t{comment(member)}\n")
    if member.shape == "map":
        out.write(f"\tstruct {member.map_name}_map *{name};\n")
    elif member.shape == "array":
        out.write(f"\t{item}{space}*{name};\n\tsize_t {name}_len;\n")
    elif member.kind == "object":
        out.write(f"\t{item} *{name};\n")
    elif member.has_flag:
        out.write(f"\tbool has_{name};\n\t{item} {name};\n")
    else:
        out.write(f"\t{item}{space}{name};\n")


def emit_type(kind: Type, out: TextIO) -> None:
    out.write(f"\n/* {kind.about} {kind.where} */\n{kind.c_type} {{\n")
    for member in kind.fields:
        emit_field(member, out)
    out.write("};\n")


def emit_map(name: str, out: TextIO) -> None:
    out.write(f"""
struct oci_{name}_pair {{
	const char *key;
	struct oci_{name} value;
}};

struct oci_{name}_map {{
	struct oci_{name}_pair *items;
	size_t len;
}};
""")


def emit_root(root: Root, out: TextIO) -> None:
    kind = f"struct oci_{root.type}"
    out.write(f"""
extern const struct oci_type oci_{root.name}_type;
/* See oci_parse() and oci_parse_fd() in parse.h, oci_write() in json.h. A NULL name is "{root.file}". */
__attribute__((warn_unused_result)) int oci_{root.name}_parse(const char *name, const char *data,
		size_t len, struct oci_arena *arena, {kind} **ret, struct oci_parse_error *err);
__attribute__((warn_unused_result)) int oci_{root.name}_parse_fd(int fd, const char *name,
		struct oci_arena *arena, struct oci_text *text, {kind} **ret,
		struct oci_parse_error *err);
__attribute__((warn_unused_result)) int oci_{root.name}_write(const {kind} *value,
		struct oci_json *out);
""")


def emit(model: Model, out: TextIO) -> None:
    out.write(HEAD)
    for enum in model.enums.values():
        emit_enum(enum, out)
    maps = model.object_maps()
    for kind in model.ordered_types():
        emit_type(kind, out)
        if kind.name in maps:
            emit_map(kind.name, out)
    for root in model.roots.values():
        emit_root(root, out)


if __name__ == "__main__":
    run(__doc__, emit)
