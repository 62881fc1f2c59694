#!/usr/bin/env bash
# Stores each line of a file in table shell, as scripts do: psql_loop.sh DIRECTORY FILE
set -euo pipefail

while IFS= read -r line; do
	psql -qX -v line="$line" <<<"INSERT INTO shell (message) VALUES (:'line')"
done <"$2"
