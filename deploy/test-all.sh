#!/usr/bin/env bash
# Runs the suite on every interpreter that pyenv has, from 3.10 on, each in a virtual environment of its own. On one without a GIL
# (3.13t, 3.14t) it runs the tests of what counts, since not every package of the suite can be installed there.
set -uo pipefail
cd "$(dirname "$0")/.."

command -v pyenv >/dev/null || { echo "error: pyenv is not installed; 'make test' runs the suite on python3" >&2; exit 1; }
deploy/install-tools.sh || exit 1
deploy/newer-tools.sh

failed=() passed=()
for version in $(pyenv versions --bare | grep -E '^3\.1[0-9]+(\.[0-9]+)?t?$' | sort -V); do
  python="$(pyenv prefix "$version")/bin/python"
  venv=".venv-$version"
  echo "== Python $version"
  packages=(-e '.[test]') tests=()
  if [[ $version == *t ]]; then
    packages=(--prefer-binary -e . pytest pytest-timeout pytest-xdist hypothesis) tests=(tests/metrics tests/collectors)
  fi
  if { [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"; } &&
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" &&
    "$venv/bin/python" -m pytest -q "${tests[@]}" "$@"; then
    passed+=("$version")
  else
    failed+=("$version")
  fi
done

echo "passed: ${passed[*]:-none}; failed: ${failed[*]:-none}"
[ ${#failed[@]} -eq 0 ] && [ ${#passed[@]} -gt 0 ]
