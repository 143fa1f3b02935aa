"""Runs ONNX's operator tests and writes a section of docs/operators.md and passing.txt, which say what came of them.

usage: table.py      (`./dev bench operators`)
"""

import collections
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
sys.path[:0] = [str(FOLDER), str(ROOT / "tests" / "models")]

import onnx  # noqa: E402

from onnx_cases import BEYOND, DRAWN, LEFT_OUT, Case, all_cases, excluded, known_operators  # noqa: E402
from run_cases import NODE, Outcome, run_cases  # noqa: E402

PAGE = ROOT / "docs" / "operators.md"
PASSING = FOLDER / "passing.txt"

# What a refusal says, in a few words; the first that matches.
REASONS = [
    (r"the operator is not supported|operators of the domain|operators with graphs", "another operator"),
    (r"opset", "older than opset 6"),
    (r"which subbyte does not read", "floats below 16 bits, integers below 8"),
    (r"is an? (optional|sequence)", "optionals, sequences"),
    (r"supported are", "dtype"),
    (r"must be known when converting", "axes or sizes as inputs"),
    (r"is not known when converting", "sizes computed when the model runs"),
    (r"training_mode", "training"),
]

BLOCK = re.compile(r"(<!-- tests -->\n)(.*)(<!-- end of tests -->\n)", re.DOTALL)

HEAD = """\
ONNX {version} ships {total} tests of operators. Each runs on the GPU (WebGPU in Node), and once more with all inputs but the
first as constants, where there are several: {cases} in all. **{passed} pass**, and the other {refused} are refused when
converting, with a message that names the operator, dtype or mode; none is wrong and none fails only when it runs.

* {meant} of the cases have inputs and outputs that are tensors of dtypes that subbyte takes, and are not of training:
  **{share:.1f} %** of them pass ({node_share:.1f} % of the tests of single nodes as ONNX has them, {constant_share:.1f} % of
  those with constants). The other {excluded} are printed by name, with the reason, when this section is written.
* {other} have an operator that is not in the table below.
* Left out are {left_out} that differ from the text of ONNX:
  {left_out_names};
  {drawn} whose random numbers another generator drew: {drawn_names};
  and {beyond} whose float64 numbers are outside of float32: {beyond_names}.
* Floats must agree within 1e-4 of the value or 1e-6 (half floats 2e-3, bfloat16 1e-2), everything else exactly.

`./dev bench operators` writes this section.

| operator | passed | refused | why |
| --- | ---: | ---: | --- |
"""


def read_passing() -> set[str]:
    return set(PASSING.read_text(encoding="utf8").split())


def words_of(message: str) -> str:
    return next((words for pattern, words in REASONS if re.search(pattern, message)), "other")


def shares(cases: list[Case], statuses: dict[str, str]) -> tuple[float, float]:
    """How many of 100 tests of single nodes that are not excluded pass: as ONNX has them, and with constants."""
    found = []
    for with_constants in (False, True):
        meant = [case.name for case in cases if "." not in case.name.removesuffix(".constants") and not excluded(case)
                 and case.name.endswith(".constants") == with_constants]  # fmt: skip
        found.append(100 * sum(statuses[name] == "passed" for name in meant) / len(meant))
    return found[0], found[1]


def section(cases: list[Case], outcomes: dict[str, Outcome]) -> str:
    known = known_operators()
    passed = collections.Counter()
    refused: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    other = 0
    for case in cases:
        outcome = outcomes[case.name]
        if outcome.status == "passed":
            passed.update(case.operators)
        elif not case.operators <= set(known):
            other += 1
        else:
            # What names no node is about the whole model.
            for operator in set(NODE.findall(outcome.message)) or case.operators:
                refused[operator][words_of(outcome.message)] += 1
    statuses = collections.Counter(outcome.status for outcome in outcomes.values())
    meant = [case.name for case in cases if not excluded(case)]
    node_share, constant_share = shares(cases, {name: outcome.status for name, outcome in outcomes.items()})
    text = HEAD.format(
        meant=len(meant),
        node_share=node_share,
        constant_share=constant_share,
        share=100 * sum(outcomes[name].status == "passed" for name in meant) / len(meant),
        excluded=len(cases) - len(meant),
        version=onnx.__version__,
        total=sum(not case.name.endswith(".constants") for case in cases),
        cases=len(cases),
        passed=statuses["passed"],
        refused=statuses["refused"],
        other=other,
        left_out=len(LEFT_OUT),
        left_out_names=",\n  ".join(f"`{name}`" for name in sorted(LEFT_OUT)),
        beyond=len(BEYOND),
        beyond_names=", ".join(f"`{name}`" for name in sorted(BEYOND)),
        drawn=len(DRAWN),
        drawn_names=", ".join(f"`{name}`" for name in sorted(DRAWN)),
    )
    for operator in sorted(known):
        reasons = refused[operator]
        why = ", ".join(f"{words} ({count})" for words, count in sorted(reasons.items()))
        text += f"| {operator} | {passed[operator]} | {reasons.total()} | {why} |\n"
    return text


def read_section() -> str:
    return BLOCK.search(PAGE.read_text(encoding="utf8"))[2]


def main() -> int:
    cases = all_cases()
    outcomes = run_cases(cases)
    failed = {name: outcome for name, outcome in outcomes.items() if outcome.status == "failed"}
    for name, outcome in failed.items():
        print(f"{name}: {outcome.message}", file=sys.stderr)
    if failed:
        return 1
    names = [case.name for case in cases if outcomes[case.name].status == "passed"]
    PASSING.write_text("".join(name + "\n" for name in names), encoding="utf8")
    text = PAGE.read_text(encoding="utf8")
    PAGE.write_text(BLOCK.sub(lambda found: found[1] + section(cases, outcomes) + found[3], text), encoding="utf8")
    for case in cases:
        if reason := excluded(case):
            print(f"excluded: {case.name}: {reason}")
    print(f"{PAGE.relative_to(ROOT)}: {len(names)} of {len(cases)} pass")
    return 0


if __name__ == "__main__":
    sys.exit(main())
