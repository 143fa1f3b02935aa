"""Becomes the program `subbyte` that is installed beside this file."""

import os
import sys

from ._program import program


def main() -> None:
    path = program()
    if not path.is_file():
        sys.exit(f"{path} is missing: this installation is not whole; install subbyte again with pip")
    arguments = [str(path), *sys.argv[1:]]
    if os.name == "nt":
        # Windows has no exec that keeps the console's wait for the exit status.
        import subprocess

        sys.exit(subprocess.run(arguments).returncode)
    os.execv(path, arguments)


if __name__ == "__main__":
    main()
