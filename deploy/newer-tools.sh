#!/usr/bin/env bash
# Brings what the tests hold the rules against beside this machine's own Prometheus: the Prometheus, Alertmanager and VictoriaMetrics
# of Debian 13, or of what DEBIAN_SUITE says: sid has Prometheus 3. Nothing is installed: the programs of the packages go into a directory
# of the user's cache, which --where prints. apt verifies them by the keys of Debian, with lists and settings of its own; no root is
# needed. What is there is not fetched again.
set -euo pipefail

suite=${DEBIAN_SUITE:-trixie}
packages=(prometheus promtool prometheus-alertmanager victoria-metrics)
programs=(prometheus promtool prometheus-alertmanager amtool victoria-metrics vmagent vmalert)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keys=/usr/share/keyrings/debian-archive-keyring.gpg
target=${XDG_CACHE_HOME:-$HOME/.cache}/runtime-exporter/$suite

leave_out() {
  echo "note: $1: the tests with a newer Prometheus and with VictoriaMetrics are left out" >&2
  exit 0
}

complete() {
  local program
  for program in "${programs[@]}"; do
    [ -x "$target/$program" ] || return 1
  done
}

if [ "${1:-}" = --where ]; then
  echo "$target"
  exit 0
fi
complete && exit 0
{ command -v apt-get && command -v dpkg-deb; } >/dev/null || leave_out "apt-get and dpkg are of Debian, and not here"
[ -r "$keys" ] || leave_out "$keys is missing (apt-get install debian-archive-keyring)"

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,sources,unpacked,programs}
: >"$work/status"
cat >"$work/sources/$suite.sources" <<END
Types: deb
URIs: $mirror
Suites: $suite
Components: main
Signed-By: $keys
END
# The system's settings are read for its proxy; its lists, its packages and its sources are not looked at.
options=(
  -q -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work"
  -o "Dir::Cache::archives=$work/archives" -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/sources"
  -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=20
)
echo "fetching ${packages[*]} of Debian $suite into $target (about 90 MB) …"
if ! (
  cd "$work/archives"
  timeout 60 apt-get "${options[@]}" -o APT::Update::Error-Mode=any update && timeout 240 apt-get "${options[@]}" download "${packages[@]}"
) >"$work/log" 2>&1; then
  tail -n 5 "$work/log" >&2
  leave_out "apt-get could not fetch ${packages[*]} of Debian $suite from $mirror"
fi
for package in "$work"/archives/*.deb; do
  dpkg-deb -x "$package" "$work/unpacked"
done
for program in "${programs[@]}"; do
  mv "$work/unpacked/usr/bin/$program" "$work/programs/"
done
for program in "${programs[@]}"; do
  "$work/programs/$program" --version >"$work/log" 2>&1 || leave_out "$program of Debian $suite does not run here: $(tail -n 1 "$work/log")"
done
# Whole or not at all; whoever was quicker has brought the same.
rm -rf "$target"
mv -T "$work/programs" "$target" 2>/dev/null || complete
