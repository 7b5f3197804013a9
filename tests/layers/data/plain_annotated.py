"""AnnotatedData in plain numbers, one image, one box, one draw after the other: what the layer is compared with."""

import math

import cv2
import numpy as np

F = np.float32


def plain_image(record, param, transform, rng, mirror_rng, policy=0):
    """The image (channels x height x width, float) and the rows (class, instance, box, difficult) of one record.

    rng: the prefetch thread's stream; mirror_rng: the transformer's. Images are encoded, in colour.
    """
    image = cv2.imdecode(np.frombuffer(record.datum.data, np.uint8), cv2.IMREAD_UNCHANGED)
    rows = [
        (
            g.group_label,
            a.instance_id,
            [F(a.bbox.xmin), F(a.bbox.ymin), F(a.bbox.xmax), F(a.bbox.ymax)],
            a.bbox.difficult,
        )
        for g in record.annotation_group
        for a in g.annotation
    ]
    if transform.HasField("distort_param"):
        image = jpeg(distort(image, transform.distort_param, rng))
    if transform.HasField("expand_param"):
        image, rows = expand(image, rows, transform, rng)
    windows = [w for s in param.batch_sampler for w in windows_of(s, [r[2] for r in rows], rng)]
    if windows:
        window = [min(max(v, F(0)), F(1)) for v in windows[rng.draw() % len(windows)]]
        height, width = image.shape[:2]
        x1, y1, x2, y2 = (v * F(s) for v, s in zip(window, (width, height, width, height), strict=True))
        x, y = int(x1), int(y1)
        image = jpeg(image[y : y + int(y2 - y1), x : x + int(x2 - x1)].copy())
        rows = project(rows, window, transform)
    return finish(image, rows, transform, rng, mirror_rng, policy)


def finish(image, rows, transform, rng, mirror_rng, policy):
    mirror = transform.mirror and mirror_rng.draw() % 2
    height, width = image.shape[:2]
    resize = transform.resize_param[policy] if transform.resize_param else None
    if resize:
        image = resized(image, resize, rng)
        rows = [(c, i, in_resized(box, resize, height, width), d) for c, i, box, d in rows]
    h, w = image.shape[:2]
    size = transform.crop_size
    y, x = (mirror_rng.draw() % (h - size + 1), mirror_rng.draw() % (w - size + 1)) if size else (0, 0)
    ch, cw = (size, size) if size else (h, w)
    rows = project(rows, [F(x) / F(w), F(y) / F(h), F(x + cw) / F(w), F(y + ch) / F(h)], transform)
    out = np.zeros((3, ch, cw), F)
    for c, i, j in np.ndindex(3, ch, cw):
        mean = transform.mean_value[c] if transform.mean_value else 0
        out[c, i, cw - 1 - j if mirror else j] = (F(image[y + i, x + j, c]) - F(mean)) * F(transform.scale)
    if mirror:
        rows = [(c, i, [1 - b[2], b[1], 1 - b[0], b[3]], d) for c, i, b, d in rows]
    return out, [(c, i, *b, d) for c, i, b, d in rows]


def jpeg(image):
    return cv2.imdecode(cv2.imencode(".jpg", image)[1], cv2.IMREAD_UNCHANGED)


def line(value, factor, offset):
    return min(max(round(float(F(value) * F(factor) + F(offset))), 0), 255)


def distort(image, p, rng):
    def each(change):
        return np.array([[change(v) for v in row] for row in image.reshape(-1, 3)], np.uint8).reshape(
            image.shape
        )

    def chance(prob):
        return rng.number(0, 1) < F(prob)

    order = "bcsh" if rng.number(0, 1) > 0.5 else "bshc"
    for step in order:
        if step == "b" and chance(p.brightness_prob):
            delta = rng.number(-p.brightness_delta, p.brightness_delta)
            image = each(lambda v, delta=delta: line(v, 1, delta))
        elif step == "c" and chance(p.contrast_prob):
            factor = rng.number(p.contrast_lower, p.contrast_upper)
            image = each(lambda v, factor=factor: line(v, factor, 0))
        elif step in "sh" and chance(p.saturation_prob if step == "s" else p.hue_prob):
            if step == "s":
                factor, offset = rng.number(p.saturation_lower, p.saturation_upper), 0
            else:
                factor, offset = 1, rng.number(-p.hue_delta, p.hue_delta)
            image = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
            channel = 1 if step == "s" else 0
            for y, x in np.ndindex(image.shape[:2]):
                image[y, x, channel] = line(image[y, x, channel], factor, offset)
            image = cv2.cvtColor(image, cv2.COLOR_HSV2BGR)
    if chance(p.random_order_prob):
        order = [0, 1, 2]
        for i in (1, 2):
            j = rng.draw() % (i + 1)
            order[i], order[j] = order[j], order[i]
        image = image[:, :, order].copy()
    if p.HasField("gaussian_prob"):
        if chance(p.gaussian_prob):
            size = int(rng.number(p.gaussian_size_min, p.gaussian_size_max))
            size += size % 2 == 0
            image = cv2.GaussianBlur(image, (size, size), p.gaussian_sigma)
        if chance(p.salt_prob):
            for _ in range(math.ceil(F(p.salt_num) * rng.number(0, 1))):
                x, y = rng.draw() % image.shape[1], rng.draw() % image.shape[0]
                image[y, x] = 0
    return image


def expand(image, rows, transform, rng):
    if rng.number(0, 1) > F(transform.expand_param.prob):
        return image, rows
    ratio = rng.number(1, transform.expand_param.max_expand_ratio)
    height, width = image.shape[:2]
    tall, wide = int(F(height) * ratio), int(F(width) * ratio)
    y = math.floor(rng.number(0, tall - height))
    x = math.floor(rng.number(0, wide - width))
    canvas = np.zeros((tall, wide, 3), np.uint8)
    for c in range(3):
        canvas[:, :, c] = round(transform.mean_value[c])
    canvas[y : y + height, x : x + width] = image
    window = [F(-x) / F(width), F(-y) / F(height), F(wide - x) / F(width), F(tall - y) / F(height)]
    return jpeg(canvas), project(rows, window, transform)


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def common(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else F(0)


def project(rows, window, transform):
    result = []
    for label, instance, box, difficult in rows:
        if transform.HasField("emit_constraint"):
            emit = transform.emit_constraint
            if emit.emit_type == emit.CENTER:
                x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
                if not (window[0] <= x <= window[2] and window[1] <= y <= window[3]):
                    continue
            elif not common(box, window) / area(box) > F(emit.emit_overlap):
                continue
        if box[0] >= window[2] or box[2] <= window[0] or box[1] >= window[3] or box[3] <= window[1]:
            continue
        sides = window[2] - window[0], window[3] - window[1]
        moved = [min(max((box[i] - window[i % 2]) / sides[i % 2], F(0)), F(1)) for i in range(4)]
        if area(moved) > 0:
            result.append((label, instance, moved, difficult))
    return result


def windows_of(sampler, boxes, rng):
    found = []
    for _ in range(sampler.max_trials):
        if sampler.HasField("max_sample") and len(found) >= sampler.max_sample:
            break
        s = sampler.sampler
        scale = rng.number(s.min_scale, s.max_scale)
        ratio = rng.number(s.min_aspect_ratio, s.max_aspect_ratio)
        ratio = min(max(ratio, F(float(scale) ** 2)), F(1 / float(scale) ** 2))
        width, height = min(scale * np.sqrt(ratio), F(1)), min(scale / np.sqrt(ratio), F(1))
        x, y = rng.number(0, 1 - width), rng.number(0, 1 - height)
        window = [x, y, x + width, y + height]
        if satisfied(window, boxes, sampler.sample_constraint):
            found.append(window)
    return found


def satisfied(window, boxes, c):
    """Caffe's loop word for word: `found` is never taken back."""
    kinds = ("jaccard_overlap", "sample_coverage", "object_coverage")
    given = [k for k in kinds if c.HasField(f"min_{k}") or c.HasField(f"max_{k}")]
    if not given:
        return True
    found = False
    for box in boxes:
        shared = common(window, box)
        shares = {
            "jaccard_overlap": shared / (area(window) + area(box) - shared),
            "sample_coverage": shared / area(window),
            "object_coverage": shared / area(box),
        }
        for kind in given:
            if c.HasField(f"min_{kind}") and shares[kind] < F(getattr(c, f"min_{kind}")):
                break
            if c.HasField(f"max_{kind}") and shares[kind] > F(getattr(c, f"max_{kind}")):
                break
            found = True
        else:
            return True
    return found


def resized(image, p, rng):
    modes = [cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_NEAREST, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]
    mode = cv2.INTER_LINEAR
    if p.interp_mode:
        ends, total = [], F(0)
        for _ in p.interp_mode:
            total += F(1 / len(p.interp_mode))
            ends.append(total)
        value = rng.number(0, total)
        mode = modes[p.interp_mode[next(i for i, end in enumerate(ends) if end >= value)] - 1]
    height, width = image.shape[:2]
    aspect = F(width) / F(height)
    if p.resize_mode == p.WARP:
        return cv2.resize(image, (p.width, p.height), interpolation=mode)
    if p.resize_mode == p.FIT_SMALL_SIZE:
        low = aspect < F(p.width) / F(p.height)
        size = (
            (p.width, math.floor(F(p.width) / aspect))
            if low
            else (math.floor(aspect * F(p.height)), p.height)
        )
        return cv2.resize(image, size, interpolation=mode)
    wide = aspect > F(p.width) / F(p.height)
    size = (
        (p.width, math.floor(F(p.width) / aspect)) if wide else (math.floor(aspect * F(p.height)), p.height)
    )
    inner = cv2.resize(image, size, interpolation=mode)
    out = np.zeros((p.height, p.width, 3), np.uint8)
    for c in range(3):
        out[:, :, c] = p.pad_value[c] if p.pad_value else 0
    y, x = (p.height - size[1]) // 2, (p.width - size[0]) // 2
    out[y : y + size[1], x : x + size[0]] = inner
    return out


def in_resized(box, p, height, width):
    w, h, pad_x, pad_y = F(p.width), F(p.height), F(0), F(0)
    aspect = F(width) / F(height)
    if p.resize_mode == p.FIT_SMALL_SIZE:
        if aspect < w / h:
            h = w / aspect
        else:
            w = aspect * h
    elif p.resize_mode == p.FIT_LARGE_SIZE_AND_PAD:
        if aspect > w / h:
            pad_y = (h - w / aspect) / 2
        else:
            pad_x = (w - aspect * h) / 2
    x = [v * F(width) * (w - 2 * pad_x) / F(width) for v in (box[0], box[2])]
    y = [v * F(height) * (h - 2 * pad_y) / F(height) for v in (box[1], box[3])]
    return [
        (pad_x + max(F(0), x[0])) / w,
        (pad_y + max(F(0), y[0])) / h,
        (pad_x + min(w, x[1])) / w,
        (pad_y + min(h, y[1])) / h,
    ]
