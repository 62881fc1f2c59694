#!/usr/bin/env bash
# Builds, installs and checks PGXN's archive with PGXN's client: from the archive alone, for a
# private PostgreSQL, without optimisation.
#
#   extension/package/dist_test.sh
#
# Writes to target/ and a temporary directory only.
set -euo pipefail
cd "$(dirname "$0")/../.."

step() { printf -- '-- %s\n' "$*"; }

git rev-parse --verify --quiet HEAD >/dev/null || {
	echo "skipped: a checkout without its history has no archive for PGXN"
	exit
}
pgxn=$PWD/target/python/pgxn
[[ -x $pgxn/bin/pgxn ]] || {
	echo "dist_test.sh: PGXN's client is missing; type make missing-test" >&2
	exit 1
}
export LOGWATCH_TREE=postgres-dist PYTHONPATH=$pgxn
folder=$(mktemp -d /var/tmp/logwatch-dist-XXXXXX)
pg_config=$(extension/package/private_postgres.sh)
server=
clean() {
	[[ -z $server ]] || kill -QUIT "$server" 2>/dev/null || true
	rm -rf "$folder" "${pg_config%/usr/lib/*}"
}
trap clean EXIT
chmod 755 "$folder"
archive=$PWD/$(extension/package/dist.sh)

# The client unpacks into TMPDIR. Optimised, the build would take minutes more and prove no more.
export TMPDIR=$folder PREFIX=$folder/prefix PROFILE=release
export CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
unset CARGO_TARGET_DIR PGRX_PG_CONFIG_PATH
client() { python3 "$pgxn/bin/pgxn" "$1" --pg_config="$pg_config" "${@:2}" "$archive"; }

step "make all, make install"
client install --nosudo
test -s "$("$pg_config" --pkglibdir)/logwatch.so"
"$PREFIX/bin/logwatch-tailer" --version

step "make installcheck"
bin=$(dirname "$pg_config")
as_server=()
((EUID != 0)) || as_server=(setpriv --reuid postgres --regid postgres --clear-groups)
as_server+=(env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8)
mkdir "$folder/data" "$folder/socket"
((EUID != 0)) || chown postgres: "$folder/data" "$folder/socket"
"${as_server[@]}" "$bin/initdb" --auth=trust --username=postgres --encoding=UTF8 --no-sync --pgdata="$folder/data" >/dev/null
printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$folder/socket'" "fsync = off" >>"$folder/data/postgresql.conf"
"${as_server[@]}" "$bin/postgres" -D "$folder/data" >"$folder/log" 2>&1 &
server=$!
export PGHOST=$folder/socket PGUSER=postgres
for _ in {1..300}; do psql -Xqc 'SELECT 1' postgres >/dev/null 2>&1 && break || sleep 0.1; done
client check
kill -INT "$server"
wait "$server" || true
server=
step "the archive is good"
