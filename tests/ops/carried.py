"""ONNX's operator tests on a GPU of another machine, which needs Node with npm `webgpu` but neither subbyte nor Python:

    python tests/ops/carried.py pack FOLDER        converts every test that passes; writes FOLDER/modules.tar.xz
    tar xf modules.tar.xz && node run_modules.mjs jobs.json results.jsonl       there, from the folder that it makes
    python tests/ops/carried.py compare FOLDER     reads FOLDER/results.jsonl; prints each test that is wrong, and a count

The modules run in the forms that the card gets, with its features.
"""

import argparse
import concurrent.futures
import json
import pathlib
import shutil
import sys
import tarfile
import tempfile

import table
from onnx_cases import Case, all_cases
from run_cases import CONVERSIONS_AT_ONCE, compare, convert, job_of


def passing_cases() -> list[Case]:
    passing = table.read_passing()
    return [case for case in all_cases() if case.name in passing]


def pack(folder: pathlib.Path) -> int:
    cases = passing_cases()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="subbyte-carried-") as made:
        modules = [pathlib.Path(made) / f"{index}.webgpu.js" for index in range(len(cases))]
        with concurrent.futures.ThreadPoolExecutor(CONVERSIONS_AT_ONCE) as pool:
            outcomes = list(pool.map(convert, cases, modules))
        for case, outcome in zip(cases, outcomes):
            if outcome:
                print(f"{case.name}: {outcome.status}: {outcome.message}", file=sys.stderr)
        if any(outcomes):
            return 1
        jobs = [job_of(case, pathlib.PurePath(module.name), {}) for case, module in zip(cases, modules)]
        pathlib.Path(made, "jobs.json").write_text(json.dumps(jobs), encoding="utf8")
        shutil.copy(pathlib.Path(__file__).with_name("run_modules.mjs"), made)
        with tarfile.open(folder / "modules.tar.xz", "w:xz") as archive:
            for file in sorted(pathlib.Path(made).iterdir()):
                if not file.name.endswith((".onnx", ".d.ts", ".webgpu.json")):
                    archive.add(file, f"modules/{file.name}")
    print(f"{len(cases)} tests in {folder / 'modules.tar.xz'}")
    return 0


def compare_results(folder: pathlib.Path) -> int:
    cases = passing_cases()
    lines = (folder / "results.jsonl").read_text(encoding="utf8").splitlines()
    if len(lines) != len(cases):
        print(f"{len(lines)} results of {len(cases)} tests", file=sys.stderr)
        return 1
    outcomes = [compare(case, json.loads(line)) for case, line in zip(cases, lines)]
    for case, outcome in zip(cases, outcomes):
        if outcome.status != "passed":
            print(f"{case.name}: {outcome.message}")
    print(f"{sum(outcome.status == 'passed' for outcome in outcomes)} of {len(cases)} pass")
    return 0 if all(outcome.status == "passed" for outcome in outcomes) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["pack", "compare"])
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    return {"pack": pack, "compare": compare_results}[arguments.verb](arguments.folder)


if __name__ == "__main__":
    sys.exit(main())
