#!/usr/bin/env bash
# UPDATE … FROM a UNION ALL leaves out a row, without an error, because another session has just
# changed another column of it.
#
# Expected: under READ COMMITTED an UPDATE that meets a row which another transaction has changed
# waits for it, evaluates its conditions anew on the new version, and updates that. The conditions
# here compare ids, which nobody changes, so that all three rows are updated.
# Seen with PostgreSQL 15: only one row is updated, where the UNION ALL in FROM, or in a WITH that
# is used once, has become a part of a nested loop over the index of the table: to evaluate anew
# finds no row in the loop. As a hash join, with AS MATERIALIZED, or with OR in place of the UNION
# ALL, the same UPDATE changes all three. So it depends on the size of the table.
#
# Starts a throw-away server on a Unix socket from Debian 12's packages postgresql-15, unpacked into
# a temporary folder. As root it runs it as user postgres.
set -euo pipefail
work=$(mktemp -d)
chmod 755 "$work"
run=()
if ((EUID == 0)); then
	id postgres >/dev/null 2>&1 || { echo "as root this needs a user postgres"; exit 2; }
	run=(runuser -u postgres --)
fi
finish() {
	[[ ! -e $work/data/postmaster.pid ]] || "${run[@]}" "$bin/pg_ctl" -D "$work/data" -m immediate -W stop >/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
cd "$work"
mkdir packages data
chmod 777 packages
(cd packages && apt-get download -qq postgresql-15 postgresql-client-15 2>/dev/null)
for package in packages/*.deb; do dpkg-deb -x "$package" tree; done
chmod -R a+rX tree
bin=$work/tree/usr/lib/postgresql/15/bin
export LD_LIBRARY_PATH=$work/tree/usr/lib/x86_64-linux-gnu
((EUID != 0)) || chown postgres data
"${run[@]}" "$bin/initdb" -D data -U postgres -A trust --no-sync >/dev/null
"${run[@]}" "$bin/pg_ctl" -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off" >/dev/null
sql() { "${run[@]}" "$bin/psql" -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
wait_until() { # the query of $1 returns t
	for _ in $(seq 300); do [[ $(sql -c "$1") != t ]] || return 0; sleep 0.1; done
	echo "waited in vain: $1"; exit 2
}

updated() { # by the statement $1, while another session changes the second and the third row
	sql -c "SET client_min_messages = error; DROP TABLE IF EXISTS job;
		CREATE TABLE job (id bigint PRIMARY KEY, lead bigint, state text, due int);
		CREATE INDEX ON job (lead);
		INSERT INTO job SELECT i, CASE WHEN i IN (2, 3) THEN 1 END, 'queued', 0 FROM generate_series(1, 10000) AS i; ANALYZE job"
	mkfifo other
	sql >/dev/null <other &
	exec 3>other
	echo "BEGIN; UPDATE job SET due = due + 1 WHERE lead = 1;" >&3
	wait_until "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction')"
	sql -c "$1" >rows &
	local update=$!
	wait_until "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')"
	echo "COMMIT;" >&3
	exec 3>&-
	wait "$update"
	rm other
	grep -c . rows
}

halves="SELECT l.id FROM unnest(ARRAY[1::bigint]) AS l (id) UNION ALL SELECT j.id FROM unnest(ARRAY[1::bigint]) AS l (id) JOIN job AS j ON j.lead = l.id"
change="UPDATE job AS j SET state = 'sending'"
plain=$(updated "WITH part AS ($halves) $change FROM part WHERE j.id = part.id RETURNING j.id")
materialized=$(updated "WITH part AS MATERIALIZED ($halves) $change FROM part WHERE j.id = part.id RETURNING j.id")
with_or=$(updated "$change WHERE j.id = 1 OR j.lead = 1 RETURNING j.id")
sql -c 'SHOW server_version'
echo "rows updated of 3: $plain with UNION ALL, $materialized with it materialized, $with_or with OR"
if ((plain < 3 && materialized == 3 && with_or == 3)); then
	echo "the rows that another session had changed were left out in silence"
else
	echo "the behaviour has changed"
	exit 1
fi
