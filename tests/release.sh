#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a person uploads, in dist/: wheel and sdist, built twice and found equal, checked, installed alone, with the bill
# of materials of that environment and checksums. It is made of the last commit, and uploads nothing.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root"
commit=$(git rev-parse --short HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

build() { # $1: a folder. Its own copy of the commit, so that nothing of this folder gets in.
    mkdir -p "$work/$1"
    git archive HEAD | tar --extract --directory "$work/$1"
    build/release/bin/python -m build --outdir "$work/$1/dist" "$work/$1" > "$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
}
# The two differ in all that must not matter: the folder, the user's umask, language and time zone, and when it is.
(umask 022; LC_ALL=C TZ=UTC build one)
(umask 077; LC_ALL=C.UTF-8 TZ=Asia/Shanghai build another-one)
for file in "$work"/one/dist/*; do
    cmp "$file" "$work/another-one/dist/$(basename "$file")"
done
echo "release: two builds of $commit are equal, byte by byte"

rm -rf dist
cp -R "$work/one/dist" dist
build/release/bin/twine check --strict dist/*
build/release/bin/check-wheel-contents dist/*.whl
version=$(.venv/bin/python -c 'import airflow_cloudjobs; print(airflow_cloudjobs.__version__)')
bill="dist/airflow_provider_cloudjobs-$version.cdx.json"
sh tests/wheel.sh "$root"/dist/*.whl "$root/$bill"
.venv/bin/python - "$bill" "$version" <<'PY'
import json
import sys
from pathlib import Path

path, version = Path(sys.argv[1]), sys.argv[2]
bill = json.loads(path.read_text())
parts = {part["name"]: part for part in bill["components"]}
assert parts["airflow-provider-cloudjobs"]["version"] == version, parts["airflow-provider-cloudjobs"]
assert {"apache-airflow", "requests", "aiohttp", "huaweicloudsdkcore"} <= parts.keys(), sorted(parts)
assert "pip" not in parts, "a bill of what is installed for it, not of what installs"
del parts["airflow-provider-cloudjobs"]["externalReferences"]  # the file on this machine that it was installed from
path.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n")
assert "file:" not in path.read_text()
print(f"release: the bill of materials names {len(parts)} parts")
PY
(cd dist && sha256sum -- * > SHA256SUMS)
ls dist

echo "release: nothing was uploaded. What is left to a person:"
[ -z "$(git status --porcelain)" ] || echo "- commit or remove what 'git status' shows: it is not in these files"
if grep -q '^## Next$' CHANGELOG.md; then
    echo "- CHANGELOG.md tells what comes after $version: set airflow_cloudjobs.__version__, and call its section 'Next' so"
fi
[ -n "$(git tag --points-at HEAD "v$version")" ] || echo "- tag the commit: git tag -s v$version"
echo "- see bash .ci/run, make versions and make lowest pass on this commit"
echo "- upload: twine upload dist/*.whl dist/*.tar.gz; beside them the bill and SHA256SUMS"
