#!/usr/bin/env bash
# SET enable_sort = off, meant to keep the planner from one kind of plan, makes a query of a few
# rows compile machine code first.
#
# Expected: a planner switch decides which plan is taken. A query of ten rows stays far below
# jit_above_cost, so it is never compiled, with the switch or without.
# Seen with PostgreSQL 15: where no other plan exists, the forbidden one is taken all the same, and
# 10 000 000 000 is added to its cost. That is above jit_above_cost, jit_inline_above_cost and
# jit_optimize_above_cost, so ten rows are sorted after a compilation with all optimisations. Each
# run of the query pays that; the time is under JIT in EXPLAIN ANALYZE. A function that turns
# planner switches off has to turn jit off too. (PostgreSQL 18 counts forbidden nodes apart from the
# cost.)
#
# Starts a throw-away server on a Unix socket from Debian 12's packages postgresql-15, libllvm14 and
# libz3-4, unpacked into a temporary folder. As root it runs it as user postgres.
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
(cd packages && apt-get download -qq postgresql-15 postgresql-client-15 libllvm14 libz3-4 2>/dev/null)
for package in packages/*.deb; do dpkg-deb -x "$package" tree; done
chmod -R a+rX tree
bin=$work/tree/usr/lib/postgresql/15/bin
export LD_LIBRARY_PATH=$work/tree/usr/lib/x86_64-linux-gnu
((EUID != 0)) || chown postgres data
"${run[@]}" "$bin/initdb" -D data -U postgres -A trust --no-sync >/dev/null
"${run[@]}" "$bin/pg_ctl" -D data -w -l data/log start -o "-c listen_addresses= -c unix_socket_directories=$work/data -c fsync=off" >/dev/null
sql() { "${run[@]}" "$bin/psql" -h "$work/data" -U postgres -qAtX -v ON_ERROR_STOP=1 "$@"; }
query='SELECT n FROM generate_series(1, 10) AS n ORDER BY n % 3, n'
usual=$(sql -c "EXPLAIN (ANALYZE) $query")
switched=$(sql -c 'SET enable_sort = off' -c "EXPLAIN (ANALYZE) $query")
sql -c 'SHOW server_version'
echo "as usual: $(grep 'Execution Time' <<<"$usual")"
echo "with enable_sort = off: $(grep 'Execution Time' <<<"$switched")"
grep -A 3 '^JIT' <<<"$switched" || true
if grep -q '^JIT' <<<"$switched" && ! grep -q '^JIT' <<<"$usual"; then
	echo "the switch starts the compiler"
else
	echo "the switch does not start the compiler"
	exit 1
fi
