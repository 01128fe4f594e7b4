#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The wheel alone is enough: build it, install it into an empty environment, import every module, find the examples.
# $1: a wheel to take instead of building one; $2: where to write a bill of materials of that environment.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wheel=${1:-}
if [ -z "$wheel" ]; then
    "$root/build/release/bin/python" -m build --outdir "$work/dist" "$root" > "$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
    ls "$work/dist"
    wheel=$(echo "$work"/dist/*.whl)
fi
"${PYTHON:-python3}" -m venv --without-pip "$work/venv"
"$root/.venv/bin/python" -m pip --python "$work/venv/bin/python" --disable-pip-version-check install --quiet \
    --constraint "$root/constraints.txt" "$wheel[localcloud]"
cd "$work"
AIRFLOW_HOME="$work/home" "$work/venv/bin/python" - <<'PY'
import importlib
import pkgutil
from pathlib import Path

import airflow_cloudjobs

folder = Path(airflow_cloudjobs.__file__).parent
assert "site-packages" in str(folder), folder
names = [
    module.name
    for module in pkgutil.walk_packages([str(folder)], "airflow_cloudjobs.")
    if not module.name.endswith(("__main__", ".testing", ".lineage"))  # for pytest and OpenLineage, which are not here
]
for name in names:
    importlib.import_module(name)
provider = importlib.import_module("airflow_provider_cloudjobs")
examples = sorted(path.name for path in (Path(provider.__file__).parent / "example_dags").glob("*.py"))
assert len(examples) >= 8, examples
print(f"wheel: {len(names)} modules import, {len(examples)} example DAGs are inside")
PY
AIRFLOW_HOME="$work/home" "$work/venv/bin/cloudjobs" apis > /dev/null
AIRFLOW_HOME="$work/home" "$work/venv/bin/airflow" providers list 2> /dev/null | grep airflow-provider-cloudjobs
AIRFLOW_HOME="$work/home" "$work/venv/bin/python" - <<'PY'
from airflow.dag_processing.bundles.manager import DagBundlesManager

found = {bundle.name for bundle in DagBundlesManager().get_all_dag_bundles()}
assert "airflow-provider-cloudjobs-example-dags" in found, found
print("wheel: Airflow finds the example DAGs")
PY
if [ -n "${2:-}" ]; then
    "$root/build/release/bin/cyclonedx-py" environment --output-reproducible --output-file "$2" "$work/venv/bin/python"
fi
