"""The documents: their links lead somewhere, their commands and snippets run."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from harness import MODELS, ROOT, SUBBYTE, run
from real_models import MINILM

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*/*.md")])
GUIDES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("quick-start", "api", "browsers"))]
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)|[*`]", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf8")
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", FENCED.sub("", text)):
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf8")), f"{target}: no such heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_ends_within_its_entry(document):
    """A fence that is not closed makes code of all entries that follow it."""
    is_code = False
    for number, line in enumerate(document.read_text(encoding="utf8").splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        assert not (is_code and line.startswith("* ")), f"line {number}: the code before it has no end"
    assert not is_code


def test_the_interface_lists_every_error_code():
    def codes(text: str) -> list[str]:
        return re.findall(r"^  \| '([a-z-]+)'", text[text.index("type ErrorCode =") :], re.MULTILINE)

    declared = codes((ROOT / "runtime" / "module.d.ts").read_text(encoding="utf8"))
    assert "internal" in declared and codes((ROOT / "docs" / "api.md").read_text(encoding="utf8")) == declared


def commits_that_are_shown() -> list[tuple[str, str]]:
    shown = re.compile(r"""git log --grep[ =](['"])(.+?)\1""")
    texts = {path: path.read_text(encoding="utf8") for path in DOCUMENTS}
    return [(str(path.relative_to(ROOT)), words) for path, text in texts.items() for _, words in shown.findall(text)]


@pytest.mark.parametrize(("document", "words"), commits_that_are_shown())
def test_commits_that_are_shown_are_found(document, words):
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)

    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("the history is not there: this is a shallow clone, or none")
    assert git("log", "--max-count=1", "--format=%h", "--grep", words).stdout, f"{document}: no commit has these words"


def snippets(document: pathlib.Path, *languages: str) -> list[str]:
    return [body for language, body in FENCED.findall(document.read_text(encoding="utf8")) if language in languages]


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A model, its module beside it, and the npm package webgpu."""
    source = MODELS / "ppocr-cls.onnx"
    if not source.is_file():
        pytest.skip("the model is not there")
    path = tmp_path_factory.mktemp("docs")
    shutil.copy(source, path / "model.onnx")
    (path / "node_modules").symlink_to(ROOT / "node_modules")
    (path / "package.json").write_text('{"type": "module"}')
    (path / "program").mkdir()
    (path / "program" / "subbyte").symlink_to(SUBBYTE)
    run("convert", "model.onnx", "--output", "model.webgpu.js", "--no-check", cwd=path)
    return path


@pytest.fixture
def folder(converted, tmp_path):
    """Where a reader of one document stands: other folders are there where its own commands made them."""
    return shutil.copytree(converted, tmp_path / "reader", symlinks=True)


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: path.stem)
def test_commands_run(document, folder):
    lines = [line for body in snippets(document, "sh") for line in body.splitlines()]
    lines += re.findall(r"^    (subbyte .*)$", FENCED.sub("", document.read_text(encoding="utf8")), re.MULTILINE)
    path = f"{folder / 'program'}:{os.environ['PATH']}"
    for line in lines:
        assert line.startswith("subbyte "), line
        done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, env={**os.environ, "PATH": path})
        assert done.returncode == 0, f"{line}\n{done.stderr}"


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: path.stem)
def test_snippets_run_in_node(document, folder):
    run("convert", "model.onnx", "--output", "web/", "--no-check", cwd=folder)
    for i, body in enumerate(snippets(document, "js")):
        script = folder / f"{document.stem}-{i}.mjs"
        script.write_text(body, encoding="utf8")
        done = subprocess.run(["node", script], cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{document.name}:\n{body}\n{done.stderr}"


def test_the_python_snippet_runs(folder):
    (body,) = snippets(ROOT / "README.md", "py")
    images = "import numpy\nimages = numpy.random.default_rng(0).random((8, 3, 48, 96), numpy.float32)\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "SUBBYTE": str(SUBBYTE)}
    done = subprocess.run([sys.executable, "-c", images + body], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "model.webgpu.js" in done.stdout


@pytest.mark.parametrize("name", [MINILM.file, "ppocr-rec.onnx"])
def test_the_mixed_precision_example_fits_the_models_of_the_readme(name, tmp_path):
    if not (MODELS / name).is_file():
        pytest.skip("the model is not there")
    (rules,) = snippets(ROOT / "README.md", "json")
    (tmp_path / "rules.json").write_text(rules, encoding="utf8")
    run("convert", MODELS / name, "--precision", "8bit", "--mixed-precision-config", "rules.json", "--no-check",
        "--output", "m.webgpu.js", cwd=tmp_path)  # fmt: skip
    widths = {entry["bits"] for entry in json.loads((tmp_path / "m.webgpu.json").read_text())["weights"]}
    assert {16, 8, 4} <= widths
