# SPDX-License-Identifier: Apache-2.0
"""What a schema says, as plain objects, and how its names look in C."""

import re
from dataclasses import dataclass, field
from typing import Dict, List, Optional

# JSON number types: C type, enumerator of the table, least and greatest value.
INTEGERS = {
    "uint16": ("uint16_t", "OCI_UINT16", 0, 2**16 - 1),
    "int32": ("int32_t", "OCI_INT32", -(2**31), 2**31 - 1),
    "uint32": ("uint32_t", "OCI_UINT32", 0, 2**32 - 1),
    "int64": ("int64_t", "OCI_INT64", -(2**63), 2**63 - 1),
    "uint64": ("uint64_t", "OCI_UINT64", 0, 2**64 - 1),
}
SCALARS = ("string", "bool") + tuple(INTEGERS)


def snake(name: str) -> str:
    """noNewPrivileges -> no_new_privileges, hostID -> host_id, kernelTCP -> kernel_tcp."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return name.lower()


@dataclass
class Enum:
    name: str
    what: str  # "a namespace type", for error sentences
    where: str  # page and section of the specification
    note: str
    values: Dict[str, str]  # JSON string -> suffix of the C enumerator

    @property
    def c_type(self) -> str:
        return f"enum oci_{self.name}"

    @property
    def prefix(self) -> str:
        return f"OCI_{self.name.upper()}_"


@dataclass
class Field:
    key: str
    shape: str  # one, array or map
    kind: str  # a scalar, enum or object
    target: Optional[str]  # name of the enum or of the type
    required: bool
    extension: bool  # ours or the engines', not in the specification
    check: Optional[str]
    low: int
    high: int
    about: str
    where: str

    @property
    def name(self) -> str:
        return snake(self.key)

    @property
    def has_flag(self) -> bool:
        """Whether a bool has_x tells presence; pointers and enums tell it themselves."""
        return self.shape == "one" and (self.kind == "bool" or self.kind in INTEGERS)

    @property
    def item(self) -> str:
        """C type of one value."""
        if self.kind == "string":
            return "const char *"
        if self.kind == "bool":
            return "bool"
        if self.kind == "enum":
            return f"enum oci_{self.target}"
        if self.kind == "object":
            return f"struct oci_{self.target}"
        return INTEGERS[self.kind][0]

    @property
    def map_name(self) -> str:
        return "oci_string" if self.kind == "string" else f"oci_{self.target}"

    @property
    def pair_name(self) -> str:
        return self.map_name + "_pair"

    @property
    def json_type(self) -> str:
        """What the leaf is called in the list of leaves."""
        kind = {"string": "string", "bool": "boolean", "object": "object"}.get(self.kind, self.kind)
        if self.kind == "enum":
            kind = f"one of {self.target}"
        if self.shape == "one":
            return kind
        return f"{self.shape} of {kind}"


@dataclass
class Type:
    name: str
    about: str
    where: str
    fields: List[Field] = field(default_factory=list)

    @property
    def c_type(self) -> str:
        return f"struct oci_{self.name}"


@dataclass
class Root:
    name: str  # oci_<name>_parse
    type: str
    file: str  # what the document is called where no better name is known


@dataclass
class Model:
    enums: Dict[str, Enum]
    types: Dict[str, Type]
    roots: Dict[str, Root]

    def ordered_types(self) -> List[Type]:
        """Types such that whatever is held by value comes before its holder."""
        done: List[Type] = []
        busy: List[str] = []

        def visit(name: str) -> None:
            if any(t.name == name for t in done):
                return
            if name in busy:
                raise ValueError(f"type {name} contains itself: {' -> '.join(busy)}")
            busy.append(name)
            for member in self.types[name].fields:
                if member.kind == "object":
                    visit(member.target)
            busy.pop()
            done.append(self.types[name])

        for name in self.types:
            visit(name)
        return done

    def object_maps(self) -> List[str]:
        """Names of the types that occur as values of a map."""
        found = {f.target for t in self.types.values() for f in t.fields
                 if f.shape == "map" and f.kind == "object"}
        return sorted(found)

    def depth(self, name: str) -> int:
        """Levels of JSON nesting below and including an object of this type."""
        deepest = 0
        for member in self.types[name].fields:
            level = 0 if member.shape == "one" else 1
            if member.kind == "object":
                level += self.depth(member.target)
            deepest = max(deepest, level)
        return 1 + deepest
