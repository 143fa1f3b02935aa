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
