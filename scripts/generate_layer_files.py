#!/usr/bin/env python3
"""Write layers/type_files.py: in which file each layer type registers itself."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from caffe_compat import layers
from caffe_compat.layers import registry

FILES = Path(__file__).resolve().parent.parent / "layers" / "type_files.py"

HEADER = '''\
"""In which files the class of each layer type is, and those that have forms of it. Written by
`scripts/generate_layer_files.py`; do not edit. A net imports the files of the types that it has, and no others.
"""

FILES: dict[str, tuple[str, ...]] = {
'''


def text() -> str:
    """The whole file."""
    for file in pkgutil.walk_packages(layers.__path__, "caffe_compat.layers."):
        if ".kernels" not in file.name:
            importlib.import_module(file.name)
    files = {
        type: [cls.__module__]
        for type, cls in registry.registered.items()
        if cls.__module__.startswith("caffe_compat.layers.")  # and is no user's
    }
    for type, forms in registry.forms.items():
        files[type] += [files[name][0] for _, name in forms]
    for type, cls in registry.registered.items():  # subclasses that say that they compute the same type
        files[type] += [form.__module__ for form in cls.__subclasses__() if vars(form).get("type") == type]
    return HEADER + "".join(_line(type, files[type]) for type in sorted(files)) + "}\n"


def _line(type: str, files: list[str]) -> str:
    head, *forms = dict.fromkeys(files)
    line = f'    "{type}": ({", ".join(f"{chr(34)}{file}{chr(34)}" for file in (head, *sorted(forms)))}'
    line += ",)" if not forms else ")"
    if len(line) < 110:
        return f"{line},\n"
    inner = "".join(f'        "{file}",\n' for file in (head, *sorted(forms)))
    return f'    "{type}": (\n{inner}    ),\n'


def main() -> int:
    FILES.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
