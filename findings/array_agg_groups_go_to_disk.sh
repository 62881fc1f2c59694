#!/usr/bin/env bash
# A GROUP BY with array_agg() writes to disk although its groups need a tenth of the memory that it
# may take.
#
# Expected: 25 000 groups of four integers each take a few MB, and work_mem is 64 MB.
# Seen with PostgreSQL 15: the planner takes 8 KiB for each group of an array_agg() or string_agg(),
# whatever is in it, and parts the groups for the disk before the first row is read. The same
# array_agg() under a name of one's own, with SSPACE to say the size of its state, needs no disk.
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

plan() { # of the query $1
	sql -c "SET work_mem = '64MB'; SET hash_mem_multiplier = 1; SET enable_sort = off; SET max_parallel_workers_per_gather = 0; EXPLAIN (ANALYZE, TIMING off, COSTS off) $1" | grep -A 2 -m 1 HashAggregate
}
sql -c "CREATE TABLE value (grp int, n int); INSERT INTO value SELECT i % 25000, i FROM generate_series(1, 100000) AS i; ANALYZE value"
sql -c 'SHOW server_version'
array=$(plan "SELECT grp, array_agg(n) FROM value GROUP BY grp")
text=$(plan "SELECT grp, string_agg(n::text, ',') FROM value GROUP BY grp")
sql -c "CREATE AGGREGATE small_array_agg(anynonarray) (SFUNC = array_agg_transfn, STYPE = internal, SSPACE = 200, FINALFUNC = array_agg_finalfn, FINALFUNC_EXTRA)"
own=$(plan "SELECT grp, small_array_agg(n) FROM value GROUP BY grp")
printf '%s\n' array_agg: "$array" string_agg: "$text" "array_agg with SSPACE:" "$own"
if [[ $array == *"Disk Usage"* && $text == *"Disk Usage"* && $own != *"Disk Usage"* ]]; then
	echo "the groups of array_agg were written to disk"
else
	echo "the behaviour has changed"
	exit 1
fi
