"""Layers that give their bottom another shape or order, a part of it, or copies of it."""

from __future__ import annotations

from layers.cases.shared import IMAGE, OTHER_IMAGE
from layers.harness import Case

CASES = [
    *(
        Case(f'type: "Dtow" dtow_param {{ {params} }}', [shape], [other])
        for params, shape, other in (
            ("", (2, 12, 4, 5), (3, 4, 2, 6)),
            ("method: MWTOD psize: 3", (2, 4, 3, 6), (3, 1, 9, 3)),
            ("method: LDTOW psize: 3 ngroup: 2", (2, 36, 4, 5), (1, 18, 6, 2)),
            ("method: LWTOD ngroup: 3", (2, 6, 4, 8), (1, 3, 2, 6)),
        )
    ),
    *(
        Case(
            f'type: "CornerCrop" corner_crop_param {{ {params} }}',
            [(2, 3, 9, 8) if overlaps else (2, 3, 8, 6)],
            [(3, 2, 7, 10) if overlaps else (3, 2, 10, 4)],
            tops=params.count("position"),
            gradient=not overlaps,
            note="the gradient is a mean, as the original's; test_long_tail.py" if overlaps else "",
        )
        for params, overlaps in (
            ('crop_size: 2 position: "upperleft" position: "lowerright" position: "upperright"', False),
            ('crop_h: 5 crop_w: 4 position: "lowerleft" position: "center"', True),
        )
    ),
    Case('type: "Flatten"', [IMAGE], [OTHER_IMAGE]),
    Case('type: "Flatten" flatten_param { axis: 0 end_axis: -3 }', [IMAGE], [OTHER_IMAGE]),
    *(
        Case(
            f'type: "DepthToSpace" depth_to_space_param {{ block_size: 2 {params} }}',
            [(2, 8, 3, 4)],
            [(1, 4, 2, 12)],
        )
        for params in ("", 'data_format: "NCHW"', 'data_format: "DCR"', 'data_format: "CRD"')
    ),
    Case(
        "type: 'PatchReshape' reshape_param { new_channel: 2 new_height: 9 new_width: 8 new_patch_width: 4 "
        "new_patch_height: 3 }",
        [(2, 24, 3, 2)],
        [(5, 24, 3, 2)],
    ),
    Case(
        "type: 'PatchReshape' reshape_param { new_channel: 5 new_height: 2 new_width: 3 new_patch_width: 3 "
        "new_patch_height: 2 }",
        [(2, 30)],
        [(4, 30, 1)],
    ),
    Case('type: "Squeeze"', [(2, 1, 3, 1)], [(1, 4, 1, 2)]),
    Case('type: "Squeeze" squeeze_param { axis: 1 axis: -1 }', [(2, 1, 1, 3, 1)], [(1, 1, 4, 2, 1)]),
    Case(
        'type: "Pad" pad_param { paddings: [0, 0, 1, 0, 2, 3] constant_values: 1.5 }',
        [(2, 3, 4)],
        [(1, 2, 5)],
    ),
    Case('type: "Mul"', [(2, 3, 4, 5), (2, 3, 1, 1)], [(3, 1, 2, 5), (1, 2, 2, 1)]),
    Case('type: "Mul"', [(3, 1), (2, 3, 4)], [(4,), (2, 4)]),
    Case('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 dim: 1 } }', [IMAGE], [OTHER_IMAGE]),
    Case(
        'type: "Reshape" reshape_param { shape { dim: 2 dim: -1 } axis: 1 num_axes: 1 }',
        [(3, 4, 5)],
        [(2, 6, 7)],
    ),
    *(
        Case(f'type: "Permute" permute_param {{ {order} }}', [(2, 3, 4, 5)], [(3, 1, 6, 2)])
        for order in ("order: 0 order: 2 order: 3 order: 1", "order: 2 order: 0", "")
    ),
    *(
        Case(f'type: "{type}"', [(2, 3, 4), (5,)], [(3, 1, 6), (2,)], tops=2)
        for type in ("Gather", "Scatter")
    ),
    *(
        Case(
            f'type: "ShuffleChannel" shuffle_channel_param {{ group: {group} }}',
            [(2, 6, 3, 5)],
            [(3, 12, 2, 4)],
        )
        for group in (1, 2, 3)
    ),
    *(
        Case(f'type: "Tiling" tiling_param {{ tile_dim: {side} }}', [(2, 36, 3, 5)], [(3, 72, 4, 2)])
        for side in (1, 2, 3)
    ),
    *(
        Case(
            f'type: "Reorg" reorg_param {{ {params} }}',
            [shape],
            [other],
            gradient=False,
            note="the original gives no gradient; layers/yolo/test_reorg.py",
        )
        for params, shape, other in (
            ("stride: 2", (3, 4, 6, 2), (2, 8, 4, 10)),
            ("stride: 3 reverse: true", (2, 18, 4, 5), (3, 9, 2, 1)),
        )
    ),
    Case('type: "Crop"', [(2, 3, 7, 6), (1, 5, 4, 2)], [(3, 2, 5, 8), (1, 4, 5, 6)]),
    Case(
        'type: "Crop" crop_param { axis: 1 offset: 1 offset: 0 offset: 2 }',
        [(2, 3, 7, 6), (5, 2, 4, 3)],
        [(3, 4, 5, 8), (1, 2, 3, 6)],
    ),
    Case(
        'type: "AutoCrop" crop_param { axis: 1 offset: 1 offset: 0 offset: 2 }',
        [(2, 3, 7, 6), (5, 2, 4, 3)],
        [(3, 4, 5, 8), (1, 2, 3, 6)],
    ),
    Case(
        'type: "CropCenter" crop_center_param { crop_size: 0 crop_size: 1 crop_size: 2 crop_size: 0 }',
        [(2, 3, 7, 5)],
        [(3, 4, 5, 8)],
    ),
    Case('type: "Tile" tile_param { tiles: 3 }', [(2, 3, 4)], [(5, 1, 6)]),
    Case('type: "Tile" tile_param { tiles: 2 axis: -1 }', [(2, 3, 4)], [(5, 1, 6)]),
    Case('type: "Tile" tile_param { axis: -3 tiles: 2 }', [(2, 3, 5)]),
    *(
        Case(
            f'type: "MergeCrop" {params}',
            [(2, 3, 4, 5), (2, 3, 7, 5)],
            [(1, 2, 6), (1, 2, 9)],
            gradient=not note,
            note=note,
        )
        for params, note in (
            ("mergecrop_param { backward: true backward: true }", ""),
            ("mergecrop_param { backward: true backward: true operation: ADD }", ""),
            ("", "bottom[1] takes none; test_papers.py"),
            ("mergecrop_param { forward: false }", "bottom[0] takes one that is not there; test_papers.py"),
        )
    ),
]
