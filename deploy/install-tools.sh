#!/usr/bin/env bash
# Makes sure that Prometheus (with promtool) and Alertmanager (with amtool) are there; with --browser what only tests need, too:
# Chromium, the source of Go's client library, and npm for Grafana's types.
# As root on a Debian machine it installs what is missing; anywhere else it says in one line what to install.
set -euo pipefail

missing=()
{ command -v prometheus && command -v promtool; } >/dev/null || missing+=(prometheus)
{ { command -v prometheus-alertmanager || command -v alertmanager; } && command -v amtool; } >/dev/null ||
  missing+=(prometheus-alertmanager)
if [ "${1:-}" = --browser ] && ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    missing+=(chromium)
  else
    echo "note: chromium is not installed: the tests of pages in a browser are left out" >&2
  fi
fi
if [ "${1:-}" = --browser ] && ! [ -d /usr/share/gocode/src/github.com/prometheus/client_golang ]; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    missing+=(golang-github-prometheus-client-golang-dev)
  else
    echo "note: golang-github-prometheus-client-golang-dev is not installed: the tests of a Go service are left out" >&2
  fi
fi
if [ "${1:-}" = --browser ] && ! command -v npm >/dev/null; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    missing+=(npm)
  else
    echo "note: npm is not installed: the dashboards are not held against Grafana's types" >&2
  fi
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
