#!/usr/bin/env bash
# pg_repack, which works "online", ends logical replication of the whole database for good.
#
# Expected: pg_repack writes a table anew without a lock and changes no row in it. A subscriber has
# nothing to do, as with VACUUM FULL, whose own copy of the table is never sent.
# Seen with pg_repack 1.4.8 and PostgreSQL 15 (Debian 12): pg_repack fills a table of its own,
# repack.table_OID, by INSERT. A publication FOR ALL TABLES sends these rows, the subscriber has no
# such table, and its worker fails at them again and again, also when pg_repack has dropped the
# table with exit status 0. No later change of any table arrives, and the publisher keeps all WAL
# from there on. VACUUM FULL and a publication that names its tables are harmless.
#
# Starts a throw-away server on a Unix socket from Debian 12's packages, unpacked into a temporary
# folder. As root it runs it as user postgres.
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
(cd packages && apt-get download -qq postgresql-15 postgresql-client-15 postgresql-15-repack 2>/dev/null)
for package in packages/*.deb; do dpkg-deb -x "$package" tree; done
chmod -R a+rX tree
bin=$work/tree/usr/lib/postgresql/15/bin
export LD_LIBRARY_PATH=$work/tree/usr/lib/x86_64-linux-gnu
((EUID != 0)) || chown postgres data
"${run[@]}" "$bin/initdb" -D data -U postgres -A trust --no-sync >/dev/null
"${run[@]}" "$bin/pg_ctl" -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off -c wal_level=logical -c wal_retrieve_retry_interval=500" >/dev/null
sql() { "${run[@]}" "$bin/psql" -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }

arrives() { # tells whether a new row of table orders, with id $1, comes to the subscriber in 10 s
	sql -d publisher -c "INSERT INTO orders VALUES ($1)"
	for _ in $(seq 100); do
		if [[ $(sql -d subscriber -c "SELECT count(*) FROM orders WHERE id = $1") == 1 ]]; then
			echo yes
			return
		fi
		sleep 0.1
	done
	echo no
}
# Both databases are in one server, so the slot has to be made before the subscription.
sql -c "CREATE DATABASE publisher" -c "CREATE DATABASE subscriber"
sql -d publisher <<-'SQL' >/dev/null
	CREATE EXTENSION pg_repack;
	CREATE TABLE orders (id int PRIMARY KEY);
	CREATE TABLE events (id int PRIMARY KEY);
	CREATE PUBLICATION p FOR ALL TABLES;
	SELECT pg_create_logical_replication_slot('s', 'pgoutput');
	INSERT INTO events SELECT generate_series(1, 100);
SQL
sql -d subscriber -c "CREATE TABLE orders (id int PRIMARY KEY)" -c "CREATE TABLE events (id int PRIMARY KEY)" \
	-c "CREATE SUBSCRIPTION s CONNECTION 'host=$work/data dbname=publisher user=postgres' PUBLICATION p WITH (create_slot = false, copy_data = false)" 2>/dev/null
before=$(arrives 1)
sql -d publisher -c "VACUUM FULL events"
vacuumed=$(arrives 2)
"${run[@]}" "$bin/pg_repack" -h "$work/data" -U postgres -d publisher -t events >repack 2>&1 || { cat repack; exit 2; }
repacked=$(arrives 3)
left=$(sql -d publisher -c "SELECT count(*) FROM pg_tables WHERE schemaname = 'repack'")
sql -d subscriber -c "ALTER SUBSCRIPTION s DISABLE" -c "ALTER SUBSCRIPTION s SET (slot_name = NONE)" -c "DROP SUBSCRIPTION s"
echo "pg_repack $(dpkg-deb -f packages/postgresql-15-repack_*.deb Version), PostgreSQL $(sql -c 'SHOW server_version')"
echo "rows of table orders arrive: $before, after VACUUM FULL events: $vacuumed, after pg_repack -t events: $repacked; tables left of pg_repack: $left"
grep -o -m 1 'logical replication target relation "repack.*' data/log || true
if [[ $before$vacuumed$repacked == yesyesno && $left == 0 ]]; then
	echo "pg_repack ended the replication"
else
	echo "the behaviour has changed"
	exit 1
fi
