# SPDX-License-Identifier: Apache-2.0
"""Read the schema directory into a Model; anything unexpected in it is an error."""

import argparse
import json
import os
import sys
from typing import Any, Callable, Dict, TextIO, Tuple

from model import INTEGERS, SCALARS, Enum, Field, Model, Root, Type

# The reader keeps one bit per field of an object in a 64-bit mask.
MAX_FIELDS = 64
# OCI_MAX_FRAMES in runtime/model.h.
MAX_FRAMES = 16
# Functions of runtime/check.c.
CHECKS = ("oci_version", "hugepage_size", "mem_bw_schema")


class SchemaError(Exception):
    pass


def no_twins(pairs: list) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise SchemaError(f"key {key!r} is given twice")
        found[key] = value
    return found


def only(what: str, given: Dict[str, Any], *known: str) -> None:
    for key in given:
        if key not in known:
            raise SchemaError(f"{what}: unknown key {key!r}")


def load_enum(name: str, page: str, raw: Dict[str, Any]) -> Enum:
    only(f"enum {name}", raw, "section", "what", "note", "strip", "values")
    values = raw["values"]
    if isinstance(values, list):
        strip = raw.get("strip", "")
        for value in values:
            if not value.startswith(strip):
                raise SchemaError(f"enum {name}: {value} does not begin with {strip}")
        values = {value: value[len(strip):].upper() for value in values}
    return Enum(name, raw["what"], place(page, raw.get("section", "")), raw.get("note", ""), values)


def place(page: str, section: str) -> str:
    return f"{page}#{section}" if section else page


def split_type(text: str) -> Tuple[str, str, str]:
    """"array of enum x" -> (array, enum, x)"""
    shape = "one"
    for prefix in ("array", "map"):
        if text.startswith(prefix + " of "):
            shape = prefix
            text = text[len(prefix) + 4:]
    words = text.split()
    if len(words) == 2 and words[0] in ("enum", "object"):
        return shape, words[0], words[1]
    if len(words) == 1 and words[0] in SCALARS:
        return shape, words[0], ""
    raise SchemaError(f"unknown type {text!r}")


def load_field(owner: str, key: str, page: str, section: str, raw: Dict[str, Any]) -> Field:
    what = f"{owner}.{key}"
    only(what, raw, "is", "required", "extension", "min", "max", "check", "section", "about")
    shape, kind, target = split_type(raw["is"])
    low, high = INTEGERS[kind][2:] if kind in INTEGERS else (0, 0)
    if ("min" in raw or "max" in raw) and kind not in INTEGERS:
        raise SchemaError(f"{what}: min and max are for integers")
    low, high = raw.get("min", low), raw.get("max", high)
    check = raw.get("check")
    if check is not None and (check not in CHECKS or kind != "string"):
        raise SchemaError(f"{what}: check {check!r} does not exist or is not for {kind}")
    if shape == "map" and kind not in ("string", "object"):
        raise SchemaError(f"{what}: a map of {kind} is not supported")
    return Field(key, shape, kind, target, raw.get("required", False),
                 raw.get("extension", False), check, low, high, raw["about"],
                 place(page, raw.get("section", section)))


def load_type(name: str, page: str, raw: Dict[str, Any]) -> Type:
    only(f"type {name}", raw, "page", "section", "about", "fields")
    page = raw.get("page", page)
    section = raw.get("section", "")
    fields = [load_field(name, key, page, section, f) for key, f in raw["fields"].items()]
    if len(fields) > MAX_FIELDS:
        raise SchemaError(f"type {name}: more than {MAX_FIELDS} fields")
    return Type(name, raw["about"], place(page, section), fields)


def check_model(model: Model) -> None:
    for kind in model.types.values():
        for member in kind.fields:
            table = {"enum": model.enums, "object": model.types}.get(member.kind)
            if table is not None and member.target not in table:
                raise SchemaError(f"{kind.name}.{member.key}: unknown {member.kind} {member.target}")
    for root in model.roots.values():
        if root.type not in model.types:
            raise SchemaError(f"root {root.name}: unknown type {root.type}")
        if root.name != root.type:
            raise SchemaError(f"root {root.name}: must be called like its type")
        if model.depth(root.type) > MAX_FRAMES:
            raise SchemaError(f"root {root.name}: nested deeper than {MAX_FRAMES}")


def load(directory: str) -> Model:
    model = Model({}, {}, {})
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".json"):
            continue
        with open(os.path.join(directory, name), encoding="utf-8") as stream:
            try:
                raw = json.load(stream, object_pairs_hook=no_twins)
                only("file", raw, "page", "roots", "enums", "types")
                page = raw["page"]
                for key, value in raw.get("roots", {}).items():
                    model.roots[key] = Root(key, value["type"], value["file"])
                for key, value in raw.get("enums", {}).items():
                    model.enums[key] = load_enum(key, page, value)
                for key, value in raw["types"].items():
                    if key in model.types:
                        raise SchemaError(f"type {key} is defined twice")
                    model.types[key] = load_type(key, page, value)
            except (KeyError, SchemaError, ValueError) as error:
                raise SchemaError(f"{name}: {error}") from error
    if not model.types:
        raise SchemaError("no schema found")
    check_model(model)
    return model


def run(description: str, emit: Callable[[Model, TextIO], None]) -> None:
    """The main program of every emit_*.py."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--schema", required=True, help="directory of the schema")
    parser.add_argument("--output", required=True, help="file to write")
    options = parser.parse_args()
    try:
        model = load(options.schema)
    except (OSError, SchemaError) as error:
        sys.exit(f"{options.schema}: {error}")
    scratch = options.output + ".tmp"
    os.makedirs(os.path.dirname(os.path.abspath(scratch)), exist_ok=True)
    with open(scratch, "w", encoding="utf-8") as stream:
        emit(model, stream)
    # A reader of a parallel build sees the old file or the new one, never half of it.
    os.replace(scratch, options.output)
