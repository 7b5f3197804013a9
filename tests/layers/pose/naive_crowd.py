"""OPData's people and labels, one cell after the other, from its source; joints by their names."""

import numpy as np

from layers.pose.crowd_files import CAR, COCO, FEET, KNOWN

F = np.float32
BODY = (
    "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee LAnkle REye LEye "
    "REar LEar"
)
LIMBS = (
    "Neck-MidHip RHip-RKnee RKnee-RAnkle MidHip-RHip MidHip-LHip LHip-LKnee LKnee-LAnkle Neck-RShoulder "
    "RShoulder-RElbow RElbow-RWrist RShoulder-REar Neck-LShoulder LShoulder-LElbow LElbow-LWrist LShoulder-LEar "
    "Neck-Nose Nose-REye Nose-LEye REye-REar LEye-LEar"
)
OF_FEET = " LAnkle-LBigToe LBigToe-LSmallToe LAnkle-LHeel RAnkle-RBigToe RBigToe-RSmallToe RAnkle-RHeel"
OF_18 = (
    "Neck-RHip RHip-RKnee RKnee-RAnkle Neck-LHip LHip-LKnee LKnee-LAnkle Neck-RShoulder RShoulder-RElbow RElbow-RWrist "
    "RShoulder-REar Neck-LShoulder LShoulder-LElbow LElbow-LWrist LShoulder-LEar Neck-Nose Nose-REye Nose-LEye "
    "REye-REar LEye-LEar"
)
OF_25B = (
    "Nose-LEye Nose-REye LEye-LEar REye-REar Nose-LShoulder Nose-RShoulder LShoulder-LElbow RShoulder-RElbow "
    "LElbow-LWrist RElbow-RWrist LShoulder-LHip RShoulder-RHip LHip-LKnee RHip-RKnee LKnee-LAnkle RKnee-RAnkle"
    f"{OF_FEET} LShoulder-UpperNeck LShoulder-HeadTop RShoulder-UpperNeck RShoulder-HeadTop LEar-REar LEar-LShoulder "
    "REar-RShoulder LShoulder-LWrist RShoulder-RWrist LWrist-RWrist LWrist-LHip RWrist-RHip LHip-RHip LAnkle-RAnkle"
)
WIDE = (
    "Neck-MidHip Neck-RShoulder RShoulder-RElbow RElbow-RWrist Neck-LShoulder LShoulder-LElbow LElbow-LWrist "
    "MidHip-RHip RHip-RKnee RKnee-RAnkle MidHip-LHip LHip-LKnee LKnee-LAnkle Neck-Nose Nose-REye REye-REar Nose-LEye "
    "LEye-LEar"
)
MORE = (
    " RShoulder-REar LShoulder-LEar RShoulder-RHip LShoulder-LHip RShoulder-RWrist LShoulder-LWrist RHip-RAnkle "
    "LHip-LAnkle RWrist-LWrist RAnkle-LAnkle RWrist-RHip LWrist-LHip"
)
ACROSS = " RAnkle-RSmallToe LAnkle-LSmallToe"
OF_23 = (
    "Nose-RShoulder RShoulder-RElbow RElbow-RWrist Nose-LShoulder LShoulder-LElbow LElbow-LWrist RHip-RKnee "
    f"RKnee-RAnkle LHip-LKnee LKnee-LAnkle Nose-REye REye-REar Nose-LEye LEye-LEar{OF_FEET} RShoulder-RHip "
    "LShoulder-LHip RShoulder-REar LShoulder-LEar REar-LEar RHip-LHip RShoulder-RWrist LShoulder-LWrist RHip-RAnkle "
    "LHip-LAnkle RWrist-LWrist RAnkle-LAnkle RWrist-RHip LWrist-LHip RAnkle-RSmallToe LAnkle-LSmallToe"
)
BODY_23 = BODY.replace(" Neck", "").replace(" MidHip", "")
OF_CAR = (
    "FLWheel-BLWheel BLWheel-BRWheel BRWheel-FRWheel FRWheel-FLWheel FRLight-FLLight FLLight-BLLight BLLight-BRLight "
    "BRLight-FRLight FRTop-FLTop FLTop-BLTop BLTop-BRTop BRTop-FRTop FRLight-Grilles FLLight-Grilles FRLight-FBumper "
    "FLLight-FBumper FRLight-FRFogLight FLLight-FLFogLight FRTop-RMirror FLTop-LMirror BLLight-Trunk BRLight-Trunk "
    "BLLight-BBumper BRLight-BBumper FLWheel-FLLight BRWheel-BRLight FRLight-FRTop BLLight-BLTop FRLight-BRCorner "
    "FLLight-BLCorner BRWheel-BRCorner BLCorner-BLTop"
)
MIDDLES = {"Neck": ("LShoulder", "RShoulder"), "MidHip": ("LHip", "RHip")}
# joints of the net, limbs, the database, and which joints never count: not known, or not for everybody
NETS = {
    "COCO_18": (BODY.replace(" MidHip", ""), OF_18, "COCO", ""),
    "COCO_19": (BODY, LIMBS, "COCO", ""),
    "COCO_25": (
        f"{BODY} {FEET}", LIMBS + OF_FEET, "FEET",
        "Nose RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee LHip LKnee REye LEye REar LEar",
    ),
    "COCO_25_17": (f"{BODY} {FEET}", LIMBS + OF_FEET, "COCO", FEET),
    "COCO_25B_23": (f"{COCO} UpperNeck HeadTop {FEET}", OF_25B, "FEET", ""),
    "COCO_25B_17": (f"{COCO} UpperNeck HeadTop {FEET}", OF_25B, "COCO", FEET),
    "COCO_19b": (BODY, f"{LIMBS} RShoulder-RHip LShoulder-LHip", "COCO", ""),
    "COCO_19E": (BODY, WIDE + MORE, "COCO", ""),
    "COCO_19_V2": (BODY, " ".join(f"Neck-{name}" for name in BODY.split() if name != "Neck"), "COCO", ""),
    "COCO_23": (f"{BODY_23} {FEET}", OF_23, "FEET", ""),
    "COCO_23_17": (f"{BODY_23} {FEET}", OF_23, "COCO", FEET),
    "COCO_25E": (
        f"{BODY} {FEET}", WIDE + OF_FEET + MORE + ACROSS, "FEET",
        "Nose RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee LHip LKnee REye LEye REar LEar",
    ),
    "COCO_25_17E": (f"{BODY} {FEET}", WIDE + OF_FEET + MORE + ACROSS, "COCO", FEET),
    "PT_25B_15": (f"{COCO} UpperNeck HeadTop {FEET}", OF_25B, "PT", f"LEye REye LEar REar {FEET}"),
    "CAR_22": (CAR, OF_CAR, "CAR", ""),
    "MPII_25B_16": (
        f"{COCO} UpperNeck HeadTop {FEET}", OF_25B, "MPII",
        " ".join(name for name in COCO.split() if "Shoulder" not in name) + f" {FEET}",
    ),
}  # fmt: skip


def of_net(model, places, states, size):
    """[x, y, state] of the net's joints, by name."""
    names, _, known, _ = NETS[model]
    found = {}
    for name in names.split():
        parts = MIDDLES.get(name, (name,))
        if known == "MPII" and name not in ("LShoulder", "RShoulder", "UpperNeck", "HeadTop"):
            parts = ()
        rows = [KNOWN[known].index(part) for part in parts if part in KNOWN[known]]
        if not rows:
            found[name] = [0.0, 0.0, 4]
            continue
        own = []
        for row in rows:
            x, y = places[row] - (0 if known in ("MPII", "PT", "CAR") else 1)
            inside = 0 <= x < size[1] and 0 <= y < size[0]
            own.append((x, y, int(states[row]) if inside else 2))
        kinds = {state for *_, state in own}
        if 4 in kinds:
            state = 4
        elif 2 in kinds:
            state = 2 if kinds == {2} else 3
        else:
            state = min(kinds)
        found[name] = [sum(x for x, *_ in own) / len(own), sum(y for _, y, _ in own) / len(own), state]
    return found


def about(person, margin, stride, shape):
    """Rows and columns of the cells about a person's known joints."""
    seen = np.array([joint[:2] for joint in person.values() if joint[2] <= 1]) / stride
    if not len(seen):
        return range(0), range(0)
    (x0, y0), (x1, y1) = seen.min(axis=0), seen.max(axis=0)
    wide, high = x1 - x0, y1 - y0
    if wide < high / 2:
        wide = high / 2
    elif high < wide / 2:
        high = wide / 2
    return (
        span((y0 + y1) / 2 - high / 2 - margin * high, high * (1 + 2 * margin), shape[0]),
        span((x0 + x1) / 2 - wide / 2 - margin * wide, wide * (1 + 2 * margin), shape[1]),
    )


def half_up(value):
    return int(np.floor(abs(value) + 0.5) * np.sign(value))


def span(begin, side, most):
    begin, side = half_up(begin), half_up(side)
    return range(max(begin, 0), max(min(begin + side, most), 0))


def labels(model, everybody, weights, stride, sigma):
    """Masks, and maps."""
    names, limbs, _, never = NETS[model]
    names, limbs = names.split(), [limb.split("-") for limb in limbs.split()]
    behind, shape = "25B" not in model, weights.shape
    at = {name: 2 * len(limbs) + k for k, name in enumerate(names)}
    masks = np.repeat(weights[None].astype(np.float64), 2 * len(limbs) + len(names) + behind, axis=0)
    maps = np.zeros_like(masks)

    def channels(chosen):
        own = [at[name] for name in names if name in chosen]
        return own + [2 * k + i for k, limb in enumerate(limbs) if set(limb) & set(chosen) for i in (0, 1)]

    unknown = {name for name in names if everybody[0][name][2] == 4}
    if model not in ("COCO_23", "CAR_22"):
        for channel in channels(set(never.split()) | unknown):
            masks[channel] = 0
    if model in ("COCO_25_17", "COCO_25_17E", "COCO_23_17"):
        for person in everybody:
            for side in "RL":
                knee, ankle = (np.array(person[f"{side}{name}"]) for name in ("Knee", "Ankle"))
                if knee[2] == 2 or ankle[2] == 2:
                    continue
                knee, ankle = knee[:2] / stride, ankle[:2] / stride
                reach = half_up(0.8 * np.linalg.norm(knee - ankle))
                x, y = (half_up(a + round(0.15 * (a - k))) - reach for a, k in zip(ankle, knee, strict=True))
                for cell in np.ndindex(*shape):
                    if y <= cell[0] < y + 2 * reach and x <= cell[1] < x + 2 * reach:
                        masks[(-1, *cell)] = 0
    for person in everybody:
        chosen = channels({name for name in names if person[name][2] >= (2 if model == "CAR_22" else 3)})
        for channel in chosen + [len(masks) - 1] * (behind and bool(chosen)):
            for i in about(person, 0.3, stride, shape)[0]:
                for j in about(person, 0.3, stride, shape)[1]:
                    masks[channel, i, j] = 0
    for name in names:
        for x, y, state in (person[name] for person in everybody):
            for i, j in np.ndindex(*shape):
                far = (j * stride + stride / 2 - 0.5 - x) ** 2 + (i * stride + stride / 2 - 0.5 - y) ** 2
                if state <= 1 and far / 2 / sigma**2 <= 4.6052:
                    maps[at[name], i, j] = max(maps[at[name], i, j], np.exp(-far / 2 / sigma**2))
                    masks[at[name], i, j] = 1
    if model.startswith("COCO_25B"):
        for person in everybody:
            rows, columns = about(person, 1, stride, shape)
            for channel in channels({"UpperNeck", "HeadTop"} | unknown):
                for i in rows:
                    masks[channel, i, columns.start : columns.stop] = 0
    for k, (a, b) in enumerate(limbs):
        draw_limb(
            [(person[a], person[b]) for person in everybody],
            stride,
            masks[2 * k : 2 * k + 2],
            maps[2 * k : 2 * k + 2],
        )
    if behind:
        maps[-1] = 1 - maps[2 * len(limbs) : -1].max(axis=0)
        masks[-1][maps[-1] < 0.85] = 1
    return masks, maps


def draw_limb(pairs, stride, masks, maps):
    ways = {}
    for one, other in pairs:
        if one[2] > 1 or other[2] > 1:
            continue
        begin, end = np.array(one[:2]) / stride, np.array(other[:2]) / stride
        way = (end - begin) / np.linalg.norm(end - begin)
        low, high = np.minimum(begin, end) - 1, np.maximum(begin, end) + 1
        for y in range(max(half_up(low[1]), 0), min(half_up(high[1]), maps.shape[1])):
            for x in range(max(half_up(low[0]), 0), min(half_up(high[0]), maps.shape[2])):
                if abs((x - begin[0]) * way[1] - (y - begin[1]) * way[0]) <= 1:
                    ways.setdefault((y, x), []).append(way)
    for (y, x), found in ways.items():
        masks[:, y, x], maps[:, y, x] = 1, np.mean(found, axis=0)
