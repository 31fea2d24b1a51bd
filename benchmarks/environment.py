"""What the processes that a benchmark starts find in their environment."""

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent


def child_environment(**added: str) -> dict[str, str]:
    """Return this process's environment, with the repository and the sandbox to import from, and what is added."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sandbox")]), **added}
