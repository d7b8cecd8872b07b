#!/usr/bin/env bash
# Runs the suite on every interpreter that pyenv has, from 3.10 on, each in a virtual environment of its own.
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
  if { [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"; } &&
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[test]' &&
    "$venv/bin/python" -m pytest -q "$@"; then
    passed+=("$version")
  else
    failed+=("$version")
  fi
done

echo "passed: ${passed[*]:-none}; failed: ${failed[*]:-none}"
[ ${#failed[@]} -eq 0 ] && [ ${#passed[@]} -gt 0 ]
