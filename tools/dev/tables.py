"""The tables in the documents that a program can write: each stands between two marks,

    <!-- table: NAME -->
    <!-- end -->

usage: tables.py                     write those that the program itself knows (operators, precisions)
       tables.py --check [--help-too]
                                     say which of those are out of date, and change nothing; without --help-too all but
                                     the command line, which is whatever the program says of itself
       tables.py --measure [NAME]    also write those that need the fetched models, or NAME of them: sizes, choices,
                                     recognition, searches
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap

import reference

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUBBYTE = os.environ.get("SUBBYTE", str(ROOT / "build" / "subbyte"))
MODELS = pathlib.Path(os.environ.get("SUBBYTE_MODELS", ROOT / ".cache" / "models"))
BLOCK = re.compile(r"(<!-- table: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

MEASURED = [
    ("paraphrase-MiniLM-L3-v2", "minilm.onnx"),
    ("PP-OCRv4 recognition", "ppocr-rec.onnx"),
    ("PP-OCRv4 detection", "ppocr-det.onnx"),
    ("PP-OCR classifier", "ppocr-cls.onnx"),
]
PRECISIONS = ["float32", "float16", "8bit", "4bit", "3bit", "2bit", "mixed"]


def table(header: list[str], rows: list[list[str]], right: frozenset[int] = frozenset()) -> str:
    """A Markdown table; the columns in `right` are set flush right."""
    lines = [header, [("---:" if column in right else "---") for column in range(len(header))], *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def listed(what: str) -> list[dict]:
    command = [SUBBYTE, "list", what, "--format", "json"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told[what] if isinstance(told, dict) else told


def known(what: str) -> str:
    """What `subbyte list` says, a column for each key."""
    entries = listed(what)
    columns = list(entries[0])
    rows = [[cell(entry.get(column)) for column in columns] for entry in entries]
    return table([column.replace("_", " ") for column in columns], rows)


def operators() -> str:
    """Their names, a paragraph for each domain."""
    domains: dict[str, list[str]] = {}
    for entry in listed("ops"):
        domains.setdefault(entry["domain"], []).append(entry["name"])
    paragraphs = []
    for domain, names in domains.items():
        title = "" if domain == "ai.onnx" else f"Of {domain}: "
        paragraphs.append(textwrap.fill(title + " · ".join(sorted(names)), 120) + "\n")
    return "\n".join(paragraphs)


def cell(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value).replace("|", "\\|")


def convert(source: pathlib.Path, *options: str) -> dict:
    """The manifest of a conversion."""
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "model.webgpu.js"
        command = [SUBBYTE, "convert", source, *options, "--output", output]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{source.name}, {' '.join(options)}: {done.stderr}")
        return json.loads(output.with_suffix(".json").read_text(encoding="utf8"))


def worst_error(manifest: dict) -> str:
    """The largest of the recorded relative errors of the outputs."""
    outputs = manifest["check"].get("outputs", []) if isinstance(manifest.get("check"), dict) else []
    errors = [output["relative_l2"] for output in outputs if output.get("relative_l2") is not None]
    return f"{max(errors):.2g}" if errors else ""


def sizes() -> str:
    """Bytes, bits a weight and the error that `convert` itself records, for each model and precision."""
    rows = []
    for title, name in MEASURED:
        for precision in PRECISIONS:
            manifest = convert(MODELS / name, "--precision", precision)
            totals = manifest["totals"]
            rows.append(
                [
                    title,
                    precision,
                    f"{totals['bytes'] / 1e6:.2f} MB",
                    f"{totals['bits_per_weight']:.2f}",
                    f"{manifest['source']['bytes'] / totals['bytes']:.1f}",
                    worst_error(manifest),
                ]
            )
            title = ""
    header = ["model", "precision", "weights", "bits a weight", "times smaller", "relative error"]
    return table(header, rows, frozenset({2, 3, 4, 5}))


def choices() -> str:
    """What the ways to ask for widths give: bytes, bits a weight and the error that `convert` itself records."""
    asked = ["--precision 8bit", "--precision 4bit", "--precision mixed", "--precision 3bit"]
    chosen = {"minilm.onnx": [*asked, "--target-bits 3.2"], "ppocr-cls.onnx": asked[:3]}
    rows = []
    for title, name in MEASURED:
        for options in chosen.get(name, []):
            manifest = convert(MODELS / name, *options.split())
            totals = manifest["totals"]
            worst = max(manifest["check"]["outputs"], key=lambda output: output["relative_l2"])
            low, high = (f"{100 * end:.2g}" for end in worst["relative_l2_interval"])
            error = f"{100 * worst['relative_l2']:.2g} % [{low}, {high}]"
            size = f"{totals['bytes'] / 1e6:.3g} MB" if totals["bytes"] >= 1e6 else f"{totals['bytes'] / 1e3:.0f} kB"
            rows.append([title, f"`{options}`", size, f"{totals['bits_per_weight']:.2f}", error])
            title = ""
    return table(["model", "option", "weights", "bits a weight", "error"], rows, frozenset({2, 3}))


def recognition() -> str:
    """How lines of text read at each precision (tools/dev/recognition.mjs), and what the weights take."""
    precisions = [precision for precision in PRECISIONS if precision != "mixed"]
    command = ["node", ROOT / "tools" / "dev" / "recognition.mjs", *precisions]
    environment = {**os.environ, "SUBBYTE": SUBBYTE, "SUBBYTE_MODELS": str(MODELS)}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    rows = []
    for told in json.loads(done.stdout):
        totals = convert(MODELS / "ppocr-rec.onnx", "--precision", told["precision"])["totals"]
        rows.append(
            [
                told["precision"],
                f"{totals['bytes'] / 1e6:.2f} MB",
                f"{totals['bits_per_weight']:.2f}",
                f"{told['same']} of {told['lines']}",
                f"{100 * told['rate_float32']:.1f} %",
                f"{100 * told['rate_drawn']:.1f} %",
            ]
        )
    header = ["precision", "weights", "bits a weight", "read as at float32", "CER to float32", "CER to the text"]
    return table(header, rows, frozenset({1, 2, 3, 4, 5}))


def searches() -> str:
    """The error of each model with each search for scales, as a benchmark program prints it."""
    program = ROOT / "build" / "bench" / "bench" / "scale_search"
    files = [MODELS / name for _, name in MEASURED]
    return subprocess.run([program, *files], check=True, stdout=subprocess.PIPE, text=True).stdout


GENERATORS = {
    "api": lambda: reference.api(ROOT / "runtime" / "module.d.ts"),
    "command-line": lambda: reference.command_line(SUBBYTE),
    "operators": operators,
    "precisions": lambda: known("precisions"),
    "formats": lambda: known("formats"),
    "sizes": sizes,
    "choices": choices,
    "recognition": recognition,
    "searches": searches,
}
SLOW = {"sizes", "choices", "recognition", "searches"}


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    named = {argument for argument in arguments if not argument.startswith("--")}
    measured = (named or SLOW) if "--measure" in arguments else set()
    made, stale = {}, 0

    def renewed(match: re.Match) -> str:
        name = match[2]
        if name not in GENERATORS:
            sys.exit(f"there is no table '{name}'; there are: {', '.join(sorted(GENERATORS))}")
        if name in SLOW - measured or (name == "command-line" and check and "--help-too" not in arguments):
            return match[0]
        if name not in made:
            made[name] = GENERATORS[name]()
            if name in SLOW:
                print(made[name])
        return match[1] + made[name] + match[4]

    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        before = document.read_text(encoding="utf8")
        after = BLOCK.sub(renewed, before)
        if after == before:
            continue
        stale += 1
        shown = document.relative_to(ROOT)
        print(f"{shown} is out of date: run python tools/dev/tables.py" if check else f"{shown} renewed")
        if not check:
            document.write_text(after, encoding="utf8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
