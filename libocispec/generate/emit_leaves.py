# SPDX-License-Identifier: Apache-2.0
"""Write the list of all leaves: JSON pointer, type, required or not, place in the specification.

An index of an array is written as *, a key of a map as <key>.
"""

from typing import Iterator, TextIO, Tuple

from load import run
from model import Field, Model


def leaves(model: Model, name: str, path: str) -> Iterator[Tuple[str, Field]]:
    for member in model.types[name].fields:
        pointer = f"{path}/{member.key}"
        pointer += {"one": "", "array": "/*", "map": "/<key>"}[member.shape]
        if member.kind == "object":
            yield from leaves(model, member.target, pointer)
        else:
            yield pointer, member


def emit(model: Model, out: TextIO) -> None:
    out.write("# document\tpointer\ttype\trequired\tspecification\tmeaning\n")
    for root in model.roots.values():
        for pointer, member in leaves(model, root.type, ""):
            need = "required" if member.required else "optional"
            if member.extension:
                need = "extension"
            kind = member.json_type.split(" of ", 1)[1] if member.shape != "one" else member.json_type
            if member.kind == "enum":
                kind = "|".join(model.enums[member.target].values)
            out.write(f"{root.name}\t{pointer}\t{kind}\t{need}\t{member.where}\t{member.about}\n")


if __name__ == "__main__":
    run(__doc__, emit)
