"""Activations of mobile nets and of YOLOv4."""

from __future__ import annotations

from layers.harness import Case, apart, normal

CASES = [
    *(
        Case(f'type: "{name}" {params}', [(4, 90)], [(2, 3, 7)], fills=[fill])
        for name, params, fill in (
            ("HSwish", "", apart),
            ("HardSwish", "", apart),
            ("HardSigmoid", "", apart),
            ("HardSigmoid", "hard_sigmoid_param { alpha: 0.31 beta: 0.4 }", apart),
            ("Mish", "", normal),
        )
    ),
]
