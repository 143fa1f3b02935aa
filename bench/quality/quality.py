"""What each precision costs on real tasks, beside rounding to nearest and ONNX Runtime's own quantizers: the same model,
data and run.

    ./dev bench quality [lines sentences boxes language] [options]
"""

import argparse
import importlib
import json
import os
import pathlib
import re
import sys
import tempfile

import conversions
import packages
from measures import Measure
from part import Part

WHAT = ["lines", "sentences", "boxes", "language"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench quality", description="What each precision costs on real tasks.")
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"of {', '.join(WHAT)}; all where none is named")
    parser.add_argument(
        "--precision",
        nargs="+",
        default=["8bit", "4bit", "3bit", "2bit", "mixed"],
        help="also target-size=20MB, target-bits=3.5 and max-loss=error=1%%",
    )
    parser.add_argument("--model", help="only models whose title holds this")
    parser.add_argument("--program", default=os.environ.get("SUBBYTE", str(packages.ROOT / "build" / "subbyte")))
    parser.add_argument("--extra", default="", help="further options of convert, such as '--effort best'")
    parser.add_argument("--data", action="store_true", help="also calibrated on data that nothing is judged on")
    parser.add_argument("--lines", type=int, help="so many lines, sentences or pages, for a quick look")
    parser.add_argument("--no-peers", action="store_true", help="without ONNX Runtime's quantizers")
    parser.add_argument("--no-sizes", action="store_true", help="do not make the module too, to tell its bytes")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=pathlib.Path, help="write all figures to this file too")
    parser.add_argument("--page", type=pathlib.Path, help="write the table between the marks of this page")
    options = parser.parse_args()
    for what in options.what:
        if what not in WHAT:
            parser.error(f"there is no '{what}'; there are {', '.join(WHAT)}")
    return options


def parts(options: argparse.Namespace) -> list[Part]:
    named = [part for what in options.what or WHAT for part in importlib.import_module(what).PARTS]
    return [part for part in named if (options.model or "").lower() in part.title.lower()]


def judge(part: Part, options: argparse.Namespace, chosen: conversions.Options) -> list[dict]:
    """The figures of all variants, printed as they come."""
    part.prepare(options.lines or part.count)
    rows, expected = [], None
    with tempfile.TemporaryDirectory() as folder:
        for variant in conversions.variants(part.file, part.calibration, pathlib.Path(folder), chosen):
            found = part.answer(chosen.session(variant.file))
            expected = found if expected is None else expected
            measures = part.measures(found, expected)
            if not rows:
                print(f"\n{part.title}, {options.lines or part.count} {part.what}")
                print(head(measures))
            print(row(variant, measures), flush=True)
            rows.append(
                {
                    "model": part.title,
                    "variant": variant.name,
                    "bytes": variant.bytes,
                    "bits_per_weight": variant.bits,
                    "measures": [measure.told() for measure in measures],
                }
            )
    return rows


def head(measures: list[Measure]) -> str:
    return f"{'':34}{'MB':>8}{'bits':>6}" + "".join(f"  {title(measure):^{width(measure)}}" for measure in measures)


def title(measure: Measure) -> str:
    return measure.name if measure.reference is None else f"{measure.name}, what is lost [95 %]"


def width(measure: Measure) -> int:
    """Of a column: a figure, what it is beside float32's where that is not 0, and the interval."""
    return 22 if measure.reference is None else 36


def row(variant: conversions.Variant, measures: list[Measure]) -> str:
    size = f"{variant.bytes / 1e6:8.2f}" if variant.bytes else f"{'':8}"
    bits = f"{variant.bits:6.2f}" if variant.bits else f"{'':6}"
    return f"{variant.name:34}{size}{bits}" + "".join(f"  {cell(measure):>{width(measure)}}" for measure in measures)


def cell(measure: Measure) -> str:
    digits = 2 if measure.unit == "%" else 4
    low, high = (f"{end:.{digits}f}" for end in measure.interval())
    lost = "" if measure.reference is None else f"  {measure.loss():+.{digits}f}"
    return f"{measure.value():.{digits}f} {measure.unit}{lost} [{low}, {high}]"


def table(rows: list[dict]) -> str:
    """Of all variants of ours, the first measure of each model, as Markdown."""
    lines = ["| model, measure | option | MB | bits a weight | figure | 95 % interval of what is lost |"]
    lines += ["| --- | --- | ---: | ---: | ---: | ---: |"]
    model = None
    for entry in rows:
        if entry["bits_per_weight"] is None:
            continue
        first = entry["measures"][0]
        title = f"{entry['model']}, {first['measure']}" if entry["model"] != model else ""
        model = entry["model"]
        digits = 2 if first["unit"] == "%" else 4
        low, high = first["interval"]
        option = entry["variant"] if "=" not in entry["variant"] else "--" + entry["variant"].replace("=", " ", 1)
        lines.append(
            f"| {title} | {option} | {entry['bytes'] / 1e6:.2f} | {entry['bits_per_weight']:.2f} | "
            f"{first['value']:.{digits}f} {first['unit']} | {low:.{digits}f} to {high:.{digits}f} |"
        )
    return "\n".join(lines) + "\n"


def write_page(page: pathlib.Path, rows: list[dict]) -> None:
    marks = re.compile(r"(<!-- quality -->\n).*?(<!-- end -->)", re.DOTALL)
    text, count = marks.subn(lambda found: found[1] + table(rows) + found[2], page.read_text("utf8"))
    if count != 1:
        sys.exit(f"{page}: there is no table between <!-- quality --> and <!-- end -->")
    page.write_text(text, "utf8")


def main() -> None:
    options = arguments()
    chosen = conversions.Options(
        program=options.program,
        precisions=options.precision,
        extra=options.extra.split(),
        data=options.data,
        peers=not options.no_peers,
        sizes=not options.no_sizes,
        threads=options.threads,
    )
    rows = []
    for part in parts(options):
        try:
            rows += judge(part, options, chosen)
        except packages.Missing as missing:
            print(f"\n{part.title}: skipped: {missing}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    if options.page:
        write_page(options.page, rows)


if __name__ == "__main__":
    sys.exit(main())
