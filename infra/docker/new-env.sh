#!/bin/sh
# Print an .env for docker-compose.yml with random secrets: sh infra/docker/new-env.sh > .env
# Letters and digits only: the values stand in URLs.
set -eu
umask 077

random() { # length, characters
    LC_ALL=C tr -dc "$2" </dev/urandom | head -c "$1"
}

here=$(dirname "$0")
while IFS= read -r line; do
    case $line in
        '#'* | '') continue ;;
        *_ACCESS_KEY_ID=) value=AKIA$(random 16 A-Z2-7) ;;
        *=) value=$(random 40 A-Za-z0-9) ;;
        *) value= ;; # has one already
    esac
    printf '%s%s\n' "$line" "$value"
done <"$here/../../.env.example"
