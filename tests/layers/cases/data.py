"""DummyData; data_cases.py has the layers that need files or arrays."""

from __future__ import annotations

from layers.harness import Case

CASES = [
    Case(
        'type: "DummyData" dummy_data_param { shape { dim: 2 dim: 3 } data_filler { type: "gaussian" } }', []
    ),
    Case(
        'type: "DummyData" dummy_data_param { num: 2 channels: 3 channels: 4 height: 5 width: 6 '
        'data_filler { type: "xavier" } }',
        [],
        tops=2,
    ),
]
