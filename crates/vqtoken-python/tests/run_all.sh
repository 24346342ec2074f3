#!/bin/sh
# Runs all tests of the Python package, each group in every environment that it is for.
#
#   PYTHON        the package, numpy, pytest, and what its tests import
#   TRANSFORMERS  Pythons with the package, torch, torchvision and a transformers each (4.5x and 5.x); default: PYTHON
#   LMMS_EVAL     a Python with the package and lmms-eval 0.7
#
# A group without its environment is named at the end. It fails where CI is set.
set -u
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
failed=
left_out=

run() {
    name=$1; shift
    echo "== $name: $("$1" -c 'import sys; print(sys.executable, sys.version.split()[0])')"
    "$@" || failed="$failed
  $name"
}

versions() {
    "$1" - "$2" <<'END'
import importlib, sys
for name in sys.argv[1].split():
    print(f"   {name} {importlib.import_module(name).__version__}")
END
}

run "the package" "$python" -m pytest -q -p no:cacheprovider --ignore "$here/transformers" --ignore "$here/lmms_eval" "$here"

for each in ${TRANSFORMERS:-$python}; do
    if versions "$each" "torch torchvision transformers"; then
        run "transformers" "$each" -m pytest -q -p no:cacheprovider "$here/transformers"
    else
        left_out="$left_out
  transformers in $each"
    fi
done

each=${LMMS_EVAL:-$python}
if "$each" -c 'import importlib.metadata as m; print("   lmms-eval", m.version("lmms-eval"))'; then
    run "lmms-eval" "$each" -m pytest -q -p no:cacheprovider "$here/lmms_eval"
else
    left_out="$left_out
  lmms-eval in $each"
fi

[ -z "$left_out" ] || echo "not run, for want of packages:$left_out"
[ -z "$failed" ] || echo "failed:$failed"
[ -z "$failed" ] && { [ -z "$left_out" ] || [ -z "${CI:-}" ]; }
