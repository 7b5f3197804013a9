#!/usr/bin/env python3
"""Write docs/layers.md: what each layer type takes and does, from facts of its class and the converters."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

from caffe_compat.engines.torch import converters as torch
from caffe_compat.layers.common.facts import MESSAGES, LayerFacts, all_facts, fields_of
from caffe_compat.onnx_export import converters as onnx

ROOT = Path(__file__).resolve().parent.parent
TABLE, GOLDEN = ROOT / "docs" / "layers.md", ROOT / "tests" / "golden"
# golden/ohem, pipeline and rpn hold what these compute, without the text of a net
RECORDED = {
    *("RoIData", "RoIDataLayer", "HardRoIMining", "OHEMDataLayer"),
    *("AnchorTargetLayer", "ProposalLayer", "ProposalTargetLayer"),
}

HEADER = """\
# Layers

Written by `scripts/generate_layer_table.py`; do not edit. `caffe-compat layers` prints the same but for what
torch and ONNX have, `--json` with all fields.

**from**: the Caffe that has the layer; BVLC is BVLC master. **params**: the fields that it honours: a test holds each
against a case in which it changes the result. *No effect*: fields that change no number; *refused*: fields that are an
error, which names the way out. **backward**: whether there is one, and the bottoms that take no gradient. **torch**:
whether the engine of that name computes it by PyTorch; the others run on the CPU there, too. **ONNX**: whether
`caffe-compat export` writes it. **truth**: what its numbers are held against, recordings of that Caffe (`tests/golden`)
or the formula of its paper or source, as plain loops (`tests/layers/naive`); all have their gradient checked as well.

| type | from | params | backward | in place | torch | ONNX | truth |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def brief(names: list[str]) -> list[str]:
    """The names, a message alone where all its fields are among them."""
    whole = [m for m in MESSAGES if {f"{m}.{field}" for field in fields_of(m)} <= set(names)]
    return whole + [name for name in names if name.split(".")[0] not in whole]


def yes(held: bool) -> str:
    return "yes" if held else ""


def recorded_types() -> set[str]:
    """The types in nets of which there are recordings; of Python layers the names of their classes."""
    found = set(RECORDED)
    for path in GOLDEN.rglob("*.npz"):
        with np.load(path) as arrays:
            texts = [str(arrays[key]) for key in ("prototxt", "net") if key in arrays.files]
        found.update(*(re.findall(r'(?:type|layer): *"(\w+)"', text) for text in texts))
    return found


def row(facts: LayerFacts, torch_types: list[str], onnx_types: list[str], recorded: set[str]) -> str:
    """One row of the table. torch_types, onnx_types: those that torch computes, and that ONNX has a form of. recorded:
    those of which there are recordings."""
    params = [f"`{message}`: {', '.join(fields)}" for message, fields in facts.params.items()]
    for title, names in (("no effect", facts.without_effect), ("refused", facts.refused)):
        if names:
            params.append(f"*{title}*: {', '.join(brief(names))}")
    cells = (
        facts.type,
        facts.origin,
        "<br>".join(params),
        facts.gradients,
        *(yes(held) for held in (facts.in_place, facts.type in torch_types, facts.type in onnx_types)),
        "recordings" if facts.type.removeprefix("Python: ") in recorded else "formula",
    )
    return f"| {' | '.join(cells)} |\n"


def text() -> str:
    """The whole file."""
    types = torch.converted_types(), onnx.converted_types(), recorded_types()
    return HEADER + "".join(row(facts, *types) for facts in all_facts())


def main() -> int:
    TABLE.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
