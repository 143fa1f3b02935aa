"""./dev tells what its verbs do without doing anything."""

import re
import subprocess

import pytest

from harness import ROOT


def dev(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [ROOT / "dev", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


VERBS = sorted(set(re.findall(r"^  ([a-z]+) ", dev("help").stdout, re.MULTILINE)))


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, option):
    done = dev(verb, option)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines and lines[0].startswith(f"  {verb} ")
    # Its own part of the whole, and nothing else.
    assert done.stdout in dev("help").stdout
    assert all(line.startswith((f"  {verb} ", "    ")) for line in lines)


def test_all_verbs_are_there():
    assert {"setup", "build", "test", "golden", "browser", "bench", "fuzz", "fmt", "check", "demo"} <= set(VERBS)
    done = dev("nonsense", "--help")
    assert done.returncode == 2 and "there is no verb 'nonsense'" in done.stderr


def test_a_suite_that_is_unknown_lists_those_that_help_names():
    named = re.search(r"test SUITE\.\.\. +run some: (.*)", dev("help").stdout)[1].split()
    told = dev("test", "nonsense").stderr
    assert "there is no suite 'nonsense'" in told
    listed = told.partition("there are: ")[2].split()
    assert sorted(listed) == sorted([*named, "in_turn"])


def packages(*sections) -> list:
    script = 'die() { echo "$*" >&2; exit 1; }; source tools/dev/setup.sh; cache= models= apt_packages "$@"'
    done = subprocess.run(["bash", "-c", script, "-", *sections], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_verbs_install_only_the_debian_packages_that_they_need():
    file = (ROOT / "tools/dev/apt-packages.txt").read_text()
    sections = re.findall(r"^\[(\w+)\]$", file, re.MULTILINE)
    every = [line for line in file.splitlines() if line and not line.startswith(("#", "["))]
    assert packages(*sections) == every and len(set(every)) == len(every)
    # ./dev setup, which ./dev test begins with, brings all.
    setup = (ROOT / "tools/dev/setup.sh").read_text()
    assert f"  setup_apt {' '.join(sections)}\n" in setup
    demo = set(packages("build", "models", "browser"))
    assert {"g++", "cmake", "chromium", "unzip"} <= demo
    assert not {"clang-tidy-14", "libgtest-dev", "libbenchmark-dev", "zsh"} & demo
    assert "chromium" not in packages("build")
    # The sections that verbs name are there.
    for script in sorted((ROOT / "tools/dev").glob("*.sh")):
        for named in re.findall(r"^ *(?:timed .* )?(?:setup_for_build|setup_apt)((?: [a-z]+)*)$", script.read_text(), re.M):
            assert set(named.split()) <= set(sections), script.name
