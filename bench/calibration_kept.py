"""What calibration keeps and what it gives on inputs that it has not seen, for models of many kinds: the small networks of
tests/models/calibration_harms_nothing_test.py on inputs as they are used on, and models named here on inputs made with
another seed.

    python bench/calibration_kept.py PROGRAM [--precision 4bit 3bit] [MODEL.onnx[=DATA]...]

PROGRAM is calibration_kept, built with -DSUBBYTE_BENCHMARKS=ON. Of each rule by which it could be kept: what is left of
the errors of rounding on the unseen inputs (geometric mean over the models), the most of any model, and how many lose more
than a tenth. Run where numpy, onnx and onnxruntime are (.cache/venv)."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[1]
WAYS = ["rounded", "biases", "codes", "codes and biases"]


def networks(folder: pathlib.Path) -> list[tuple[pathlib.Path, str]]:
    """The small networks, as files, with their inputs."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "models")]
    import calibration_harms_nothing_test as small

    found = []
    for name, make in small.MODELS.items():
        net = small.Network(sum(map(ord, name)))
        file = folder / f"{name.replace(' ', '-').replace(',', '')}.onnx"
        np.savez(file.with_suffix(".npz"), **net.save(file, make(net)))
        found.append((file, str(file.with_suffix(".npz"))))
    return found


def shares(told: dict, way: int) -> list[tuple[float, float]]:
    """Of each kind of the samples that decide: what is left of the errors of rounding, and its standard error."""
    before, after = (np.array(told["errors"][i], float)[: told["decided"]] for i in (0, way))
    kinds = np.array(told["kinds"] or [0] * told["decided"])
    found = []
    for kind in sorted(set(kinds)):
        b, a = before[kinds == kind], after[kinds == kind]
        if b.sum() == 0:
            found.append((1.0 if a.sum() == 0 else np.inf, 0.0))
            continue
        spread = np.std(a - b, ddof=1) * np.sqrt(len(b)) / b.sum() if len(b) > 1 else 0.0
        found.append((a.sum() / b.sum(), spread))
    return found


def allowed(most, deviations: float, clearly: bool):
    """A kind may lose that share, or so many standard errors; all together gain, clearly or at all."""

    def left(kinds) -> float | None:
        mean = float(np.mean([share for share, _ in kinds]))
        spread = float(np.sqrt(np.sum([s**2 for _, s in kinds])) / len(kinds))
        if any(share - 1 > max(most, deviations * s) for share, s in kinds):
            return None
        return mean if mean + (spread if clearly else 0) < 1 else None

    return left


RULES = {
    "rounding is always kept": lambda kinds: None,
    "no kind loses": allowed(0, 0, False),
    "a kind loses at most a tenth": allowed(0.1, 0, True),
    "a tenth or a standard error": allowed(0.1, 1, True),
    "a tenth or two standard errors (the program's)": allowed(0.1, 2, True),
    "the mean gains, clearly": allowed(np.inf, 0, True),
    "the mean gains": allowed(np.inf, 0, False),
}


def kept(told: dict, rule) -> int:
    left = {way: rule(shares(told, way)) for way in range(1, len(told["errors"]))}
    known = {way: share for way, share in left.items() if share is not None}
    return min(known, key=known.get) if known else 0


def unseen(told: dict) -> np.ndarray | None:
    """What is left of the errors of rounding with each way; None where rounding loses nothing, or no number says what."""
    means = np.array(told["errors"], float)[:, told["decided"] :].mean(1)
    return means / means[0] if np.isfinite(means).all() and (means > 0).all() else None


def print_rules(told: list[dict]) -> None:
    for precision in dict.fromkeys(one["precision"] for one in told):
        some = [one for one in told if one["precision"] == precision and unseen(one) is not None]
        print(f"\n| {precision}, {len(some)} models | left | most | lose a tenth | kept |\n| --- | ---: | ---: | ---: | ---: |")
        for name, rule in RULES.items():
            ways = [kept(one, rule) for one in some]
            left = np.array([unseen(one)[way] for one, way in zip(some, ways)])
            print(
                f"| {name} | {np.exp(np.log(left).mean()):.3f} | {left.max():.2f} | "
                f"{(left > 1.1).sum()} | {np.count_nonzero(ways)} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="What calibration keeps, and what it gives on unseen inputs.")
    parser.add_argument("program")
    parser.add_argument("model", nargs="*")
    parser.add_argument("--precision", nargs="+", default=["4bit", "3bit", "mixed", "2bit"])
    options = parser.parse_args()
    told = []
    with tempfile.TemporaryDirectory() as folder:
        named = [(pathlib.Path(model), data or "made") for model, _, data in (m.partition("=") for m in options.model)]
        for model, data in networks(pathlib.Path(folder)) + named:
            command = [options.program, model, data, *options.precision]
            done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
            for line in done.stdout.splitlines():
                told.append(json.loads(line))
                left = unseen(told[-1])
                shown = "" if left is None else "  ".join(f"{w} {x:.2f}" for w, x in zip(WAYS[1:], left[1:]))
                way = kept(told[-1], RULES["a tenth or two standard errors (the program's)"])
                print(f"{model.stem:44} {told[-1]['precision']:6} {shown}  keeps {WAYS[way]}", flush=True)
    print_rules(told)


if __name__ == "__main__":
    main()
