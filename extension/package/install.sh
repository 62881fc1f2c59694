#!/usr/bin/env bash
# Builds logwatch for release and installs it: the extension into a PostgreSQL, the tailer into
# PREFIX/bin.
#
#   extension/package/install.sh PG_CONFIG PREFIX
#
# Copies with sudo if this user may not write there.
set -euo pipefail

pg_config=$(command -v "$1") || {
	echo "install.sh: cannot find $1; type make install PG_CONFIG=/path/to/pg_config" >&2
	exit 1
}
bin=${DESTDIR:-}$2/bin

export PGRX_PG_CONFIG_PATH=$pg_config
how=()
[[ -w $("$pg_config" --pkglibdir) ]] || how=(--sudo)
cargo pgrx install --release --package logwatch --pg-config "$pg_config" "${how[@]}"

cargo build --release -p logwatch-tailer
sudo=()
mkdir -p "$bin" 2>/dev/null && [[ -w $bin ]] || sudo=(sudo)
"${sudo[@]}" install -D -m 755 target/release/logwatch-tailer "$bin/logwatch-tailer"

echo
echo "Installed for $("$pg_config" --version), the tailer as $bin/logwatch-tailer. Now add to postgresql.conf"
echo "    shared_preload_libraries = 'logwatch'"
echo "restart PostgreSQL, and in database postgres: CREATE EXTENSION logwatch;"
