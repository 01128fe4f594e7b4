# SPDX-License-Identifier: Apache-2.0
"""All benchmarks one after the other: their tables, one JSON file, and 1 as the exit code if a budget is missed."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ALL = (
    "import_cost",
    "first_calls",
    "detection_delay",
    "cost_per_poll",
    "calls_per_job",
    "calls_a_minute",
    "loop_stall",
    "many_waits",
    "triggerer",
    "download",
)


def main() -> int:
    """Run them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(ALL)}; all by default")
    parser.add_argument("--json", help="file for all figures")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try them out")
    told = parser.parse_args()
    if unknown := set(told.names) - set(ALL):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    figures: dict[str, Any] = {}
    codes: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="cloudjobs-bench-") as folder:
        for name in told.names or ALL:
            path = Path(folder, f"{name}.json")
            command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(path)]
            codes[name] = subprocess.run([*command, "--quick"] if told.quick else command, check=False).returncode
            figures[name] = json.loads(path.read_text()) if path.exists() else None
    print("\nall benchmarks")
    for name, code in codes.items():
        ended = figures[name] is not None
        missed = [budget["what"] for budget in figures[name]["budgets"] if not budget["met"]] if ended else []
        print(f"  {name:16} {'met' if code == 0 else '; '.join(missed) if missed else f'broke off (code {code})'}")
    if told.json:
        Path(told.json).write_text(json.dumps(figures, indent=1) + "\n")
    return max(map(bool, codes.values()), default=0)


if __name__ == "__main__":
    sys.exit(main())
