#!/usr/bin/env bash
# Makes sure that Prometheus (with promtool) and Alertmanager (with amtool) are there; with --tests what only tests need, too:
# Chromium, the source of Go's client library, npm for Grafana's types, a C compiler and Python's headers.
# As root on a Debian machine it installs what is missing; anywhere else it says in one line what to install.
set -euo pipefail

missing=()
{ command -v prometheus && command -v promtool; } >/dev/null || missing+=(prometheus)
{ { command -v prometheus-alertmanager || command -v alertmanager; } && command -v amtool; } >/dev/null ||
  missing+=(prometheus-alertmanager)

# What some tests can be without: CONSEQUENCE PACKAGE…
wanted() {
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    missing+=("${@:2}")
  else
    echo "note: ${*:2} not installed: $1" >&2
  fi
}
if [ "${1:-}" = --tests ]; then
  { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null ||
    wanted "the tests of pages in a browser are left out" chromium
  [ -d /usr/share/gocode/src/github.com/prometheus/client_golang ] ||
    wanted "the tests of a Go service are left out" golang-github-prometheus-client-golang-dev
  command -v npm >/dev/null || wanted "the dashboards are not held against Grafana's types" npm
  python="$(dirname "$0")/../${VENV:-.venv}/bin/python"
  [ -x "$python" ] || python=python3
  { command -v gcc && [ -e "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]; } >/dev/null ||
    wanted "the tests of what is compiled are left out" gcc libc6-dev python3-dev
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "error: missing ${missing[*]}: install with 'sudo apt-get install --no-install-recommends ${missing[*]}', or put the binaries on PATH" >&2
  exit 1
fi
echo "installing ${missing[*]} with apt-get …"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "error: apt-get could not install ${missing[*]}" >&2
  exit 1
fi
