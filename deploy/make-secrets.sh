#!/usr/bin/env bash
# Creates the files with secrets that docker-compose.yml mounts: random passwords, and a placeholder for Slack.
# A file that exists is never touched. Usage: deploy/make-secrets.sh [DIRECTORY]   (default: secrets/ of the checkout)
set -euo pipefail

directory=${1:-$(dirname "$0")/../secrets}
mkdir -p "$directory"
# The containers run as users of their own and must read the files; the closed directory keeps everybody else on this
# machine away from them.
chmod 700 "$directory"

password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

create() { # NAME VALUE HINT
  local file=$directory/$1
  if [ -e "$file" ]; then
    echo "kept     $file"
    return
  fi
  # Whole or not at all: an interrupted run leaves no empty password behind.
  printf '%s' "$2" >"$file.part"
  chmod 644 "$file.part"
  mv -n "$file.part" "$file"
  echo "created  $file: $3"
}

create grafana_admin_password "$(password)" "Grafana's user admin, on the first start"
create smtp_password "$(password)" "replace it when your mail relay wants a login"
# Answered with 404 inside the stack: nothing leaves it before you have put your own address here.
create slack_api_url 'http://mail:8025/slack-is-not-set-up' "replace it with your incoming webhook, https://hooks.slack.com/services/…"
