#!/bin/sh
# Installs a wheel in a clean environment and tries it there; called by test.sh.
#   sh config/smoke.sh WHEEL SCRATCH_FOLDER
set -eu
wheel=$1
clean=$2/clean
"${PYTHON:-python3}" -m venv "$clean"
"$clean/bin/python" -m pip install --quiet --disable-pip-version-check --progress-bar off --use-pep517 \
    "${wheel}[voice]"
"$clean/bin/python" -m pip check

cd "$2" # so that nothing comes out of the checkout
ANTIPHON_DATA_DIR=$2/data
export ANTIPHON_DATA_DIR
unset PYTHONPATH
"$clean/bin/python" -I - <<'PYTHON'
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files

static = files("antiphon.api") / "static"
for name in ("index.html", "app.js", "style.css"):
    assert (static / name).is_file(), f"{name} is not in the wheel"
packages = ["antiphon.store"]
for point in entry_points(group="antiphon.plugins"):
    package = point.value.partition(".")[0]
    assert (files(package) / "py.typed").is_file(), f"{package} is not typed in the wheel"
    try:
        import_module(f"{package}.models")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.models":
            raise
        continue
    packages.append(package)
for package in packages:
    migrations = [file.name for file in (files(package) / "migrations").iterdir()]
    assert any(name[:4].isdigit() for name in migrations), f"{package}: no tables in the wheel"
PYTHON
"$clean/bin/antiphon" --version
"$clean/bin/antiphon" plugins
"$clean/bin/antiphon" doctor
"$clean/bin/antiphon" init >/dev/null
"$clean/bin/antiphon" openapi >/dev/null
