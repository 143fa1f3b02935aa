"""Validates every shader in a folder with naga, the WGSL front end of Firefox and wgpu.

usage: validate_shaders.py FOLDER
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

BATCH = 200


def without_subgroups_directive(text: str) -> str:
    """naga accepts the subgroup built-ins but not yet the directive that WGSL asks for before them."""
    return "\n".join("" if line.strip() == "enable subgroups;" else line for line in text.split("\n"))


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    naga = shutil.which("naga")
    if naga is None:
        print("naga is not on the PATH; ./dev setup builds it", file=sys.stderr)
        return 1
    shaders = sorted(folder.glob("**/*.wgsl"))
    if not shaders:
        print(f"{folder} holds no shaders: the suites that leave them there have not run", file=sys.stderr)
        return 1
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        copies = []
        for index, shader in enumerate(shaders):
            copy = pathlib.Path(scratch) / f"{index:04d}-{shader.name}"
            copy.write_text(without_subgroups_directive(shader.read_text(encoding="utf8")), encoding="utf8")
            copies.append(copy)
        for start in range(0, len(copies), BATCH):
            batch = copies[start : start + BATCH]
            if subprocess.run([naga, "--bulk-validate", *batch], cwd=scratch).returncode == 0:
                continue
            # naga's summary does not count: ask one by one.
            for copy in batch:
                failed += subprocess.run([naga, "--bulk-validate", copy], capture_output=True).returncode != 0
    print(f"naga: {len(shaders) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
