"""Makes tests/ importable, so that a test writes `import harness` whatever folder it stands in."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "models"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))
# Also for the process that the others report to, which reads their warnings.
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "python"))
