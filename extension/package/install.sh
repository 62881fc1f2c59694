#!/usr/bin/env bash
# Builds logwatch for release and installs it: the extension into a PostgreSQL, the tailer into
# PREFIX (install_tailer.sh).
#
#   extension/package/install.sh PG_CONFIG PREFIX
#
# Copies with sudo if this user may not write there.
set -euo pipefail

pg_config=$(command -v "$1") || {
	echo "install.sh: cannot find $1; type make install PG_CONFIG=/path/to/pg_config" >&2
	exit 1
}

export PGRX_PG_CONFIG_PATH=$pg_config
how=()
[[ -w $("$pg_config" --pkglibdir) ]] || how=(--sudo)
cargo pgrx install --release --package logwatch --pg-config "$pg_config" "${how[@]}"

"$(dirname "$0")/install_tailer.sh" "$2"

echo
echo "Installed for $("$pg_config" --version), the tailer below $2. Now add to postgresql.conf"
echo "    shared_preload_libraries = 'logwatch'"
echo "restart PostgreSQL, and in database postgres: CREATE EXTENSION logwatch;"
