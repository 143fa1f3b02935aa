"""What the documents tell of the module's interface and of the command line, out of the declarations and the help."""

import pathlib
import re
import subprocess

# The declarations that users write code against, in the order in which they meet them.
DECLARATIONS = [
    "LoadOptions",
    "Model",
    "RunOptions",
    "InputTensor",
    "GpuInputTensor",
    "OutputTensor",
    "GpuOutputTensor",
    "InputData",
    "OutputData",
    "TensorInfo",
    "ErrorCode",
    "SubbyteError",
    "Progress",
    "Requirements",
]
_DECLARATION = re.compile(r"^(?:export )?(?:declare )?(?:interface|class|type) (\w+)", re.MULTILINE)


def api(declarations: pathlib.Path) -> str:
    """A section for each declaration: what it is, and its text, the comments in it."""
    text = declarations.read_text(encoding="utf8")
    starts = [(match[1], match.start()) for match in _DECLARATION.finditer(text)]
    ends = dict(zip([name for name, _ in starts], [at for _, at in starts[1:]] + [len(text)]))
    places = dict(starts)
    sections = []
    for name in DECLARATIONS:
        body = text[places[name] : ends[name]]
        if body.startswith("export type"):
            body = body[: _end_of_statement(body)]
        else:
            body = body.partition("\n}\n")[0].rstrip() + "\n}"
        body = re.sub(r"^export (declare )?", "", body)
        sections.append(f"### {name}\n\n{_comment_before(text, places[name])}```ts\n{body}\n```\n")
    return "\n".join(sections)


def _end_of_statement(text: str) -> int:
    """Where the first statement ends: after a `;` that is in no comment, string or brackets."""
    depth = 0
    for token in re.finditer(r"/\*.*?\*/|//[^\n]*|'[^'\n]*'|[{}();]", text, re.DOTALL):
        depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(token[0], 0)
        if token[0] == ";" and depth == 0:
            return token.end()
    raise ValueError(f"a declaration that does not end: {text[:80]}")


def _comment_before(text: str, at: int) -> str:
    """The comment that stands right before a declaration, as prose."""
    match = re.search(r"/\*\*((?:(?!\*/).)*)\*/\n\Z", text[:at], re.DOTALL)
    if not match:
        return ""
    lines = [line.strip().removeprefix("*").strip() for line in match[1].splitlines()]
    return " ".join(line for line in lines if line) + "\n\n"


def command_line(program: str) -> str:
    """The help of the program and of each of its verbs."""

    def told(*arguments: str) -> str:
        done = subprocess.run([program, *arguments], check=True, capture_output=True, text=True)
        return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())

    whole = told("help")
    listed = whole[whole.index("Verbs:") : whole.index("Options:")]
    verbs = re.findall(r"^  ([a-z]+)  ", listed, re.MULTILINE)
    parts = [f"```text\n{whole}\n```\n"]
    parts += [f"## {verb}\n\n```text\n{told('help', verb)}\n```\n" for verb in verbs if verb != "help"]
    return "\n".join(parts)
