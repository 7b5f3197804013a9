"""Bags of instances, and the loss that goes with them."""

from layers.harness import Case, apart, unit

CASES = [
    Case('type: "MIL"', [(3, 2, 4, 5)], [(2, 4, 3, 6)], fills=[apart]),
    Case('type: "MIL" mil_param { type: NOR }', [(3, 2, 4, 5)], [(2, 4, 3, 1)], fills=[unit]),
    *(
        Case(f'type: "MILOfRows" mil_param {{ {rows} }}', [(7, 4)], [(9, 2, 1, 1)], fills=[apart])
        for rows in ("context_per_roi: 3", "instances_per_bag: 2")
    ),
    Case('type: "CrossEntropyLoss"', [(3, 4, 5)] * 2, [(2, 6)] * 2, fills=[unit, unit]),
]
