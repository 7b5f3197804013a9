"""A drawn net as a page for a browser, where a click on a layer tells all about it; and as PNG."""

from __future__ import annotations

import json
from html import escape

from caffe_compat.errors import CaffeCompatError
from caffe_compat.explain.describe import describe_branch, describe_layer, describe_propagate_down
from caffe_compat.explain.explanation import Explanation

STYLE = """
body { margin: 0; display: flex; height: 100vh; font: 14px Helvetica, Arial, sans-serif; color: #1f2937 }
#net { flex: 1; overflow: auto } #net svg { display: block; margin: auto }
#told { width: 24em; padding: 1em; overflow: auto; border-left: 1px solid #d1d5db; background: #f9fafb }
#told p { margin: .35em 0; padding-left: 1em; text-indent: -1em; overflow-wrap: anywhere }
#told p:first-child { font-weight: bold } .layer { cursor: pointer }
.layer:hover > rect { fill: #0001 } .layer.chosen > rect { stroke: #111827; stroke-width: 2px }
"""
SCRIPT = """
const told = JSON.parse(document.getElementById("stories").textContent);
function tell(layer) {
  document.querySelectorAll(".chosen").forEach(g => g.classList.remove("chosen"));
  layer.classList.add("chosen");
  document.getElementById("told").replaceChildren(...told[layer.dataset.layer].map(line => {
    const p = document.createElement("p");
    p.textContent = line.trim();
    p.style.marginLeft = line.search(/\\S/) / 2 + "em";
    return p;
  }));
  history.replaceState(null, "", "#" + encodeURIComponent(layer.dataset.layer));
}
const layers = [...document.querySelectorAll(".layer")];
layers.forEach(layer => layer.addEventListener("click", () => tell(layer)));
const asked = layers.find(layer => "#" + encodeURIComponent(layer.dataset.layer) === location.hash);
if (asked) { tell(asked); asked.scrollIntoView({block: "center"}); }
"""


def html(facts: Explanation, svg: str) -> str:
    """A page that needs nothing else. `#NAME` at the end of its address chooses a layer."""
    told = {layer.name: describe_layer(facts, layer) for layer in facts.layers}
    net = [*(describe_branch(facts, branch) for branch in facts.branches), describe_propagate_down(facts)]
    first = ["Click on a layer for its shapes, params and gradient.", *net]
    text = "".join(f"<p>{escape(line)}</p>" for line in first)
    stories = json.dumps(told).replace("<", "\\u003c")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(facts.name or facts.file)}'
        f"</title><style>{STYLE}</style></head>\n<body>\n"
        f'<div id="net">{svg}</div>\n<div id="told">{text}</div>\n'
        f'<script type="application/json" id="stories">{stories}</script>\n<script>{SCRIPT}</script>\n'
        "</body></html>\n"
    )


def png(svg: str) -> bytes:
    """The picture as a PNG file. Raises CaffeCompatError where resvg-py is not installed."""
    try:
        import resvg_py
    except ImportError as error:
        raise CaffeCompatError(
            "a PNG needs resvg-py; pip install 'caffe-compat[png]', or draw an .svg"
        ) from error
    return bytes(resvg_py.svg_to_bytes(svg_string=svg))
