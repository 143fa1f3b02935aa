"""Makes tests/ importable, so that a test writes `import harness` whatever folder it stands in."""

import pathlib
import sys

TESTS = pathlib.Path(__file__).parent
# The Python package too, for the process that the others report to, which reads their warnings.
sys.path[:0] = [str(folder) for folder in (TESTS, TESTS / "models", TESTS / "ops", TESTS.parent / "python")]
