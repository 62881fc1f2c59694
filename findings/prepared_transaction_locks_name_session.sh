#!/usr/bin/env bash
# The locks of a prepared transaction bear the number of the session that prepared it, which goes on
# with other work.
#
# Expected: virtualtransaction in pg_locks is "backend number/local transaction number". A prepared
# transaction has no backend (its pid is NULL), so it has "-1/…", as after a restart of the server.
# Seen with PostgreSQL 15: until the next restart the locks keep the session's own virtual
# transaction, such as 3/7, while the same session, or another one that got its number after it
# left, holds 3/8. Whoever finds the holder of a lock by the first number ends a session that holds
# nothing, and the lock stays. Only the transaction id leads from the lock to pg_prepared_xacts,
# over another row of pg_locks with the same virtualtransaction.
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
options="-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off -c max_prepared_transactions=2"
"${run[@]}" "$bin/pg_ctl" -D data -w -l data/log start -o "$options" >/dev/null
sql() { "${run[@]}" "$bin/psql" -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }

locks="SELECT virtualtransaction FROM pg_locks WHERE relation = 'orders'::regclass AND pid IS NULL"
# One session prepares a transaction, and then looks at the locks itself.
seen=$(sql <<SQL
CREATE TABLE orders (id int);
BEGIN; LOCK TABLE orders; PREPARE TRANSACTION 'forgotten';
SELECT 'version ' || current_setting('server_version');
SELECT 'prepared ' || virtualtransaction FROM ($locks) AS l;
SELECT 'session ' || virtualtransaction FROM pg_locks WHERE locktype = 'virtualxid' AND pid = pg_backend_pid();
SQL
)
echo "$seen"
prepared=$(sed -n 's/^prepared //p' <<<"$seen") session=$(sed -n 's/^session //p' <<<"$seen")
"${run[@]}" "$bin/pg_ctl" -D data -w -l data/log restart -o "$options" >/dev/null
restarted=$(sql -c "$locks")
echo "prepared, after a restart: $restarted"
if [[ ${prepared%/*} == "${session%/*}" && $restarted == -1/* ]]; then
	echo "the lock of the prepared transaction names the living session as its holder"
else
	echo "the behaviour has changed"
	exit 1
fi
