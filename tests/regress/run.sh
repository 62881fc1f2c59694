#!/usr/bin/env bash
# Runs the SQL regression tests with PostgreSQL's own pg_regress against a running server, in which
# logwatch is installed.
#
#   tests/regress/run.sh [PG_CONFIG]
#
# PGHOST, PGPORT and PGUSER choose the server, as for psql. A database contrib_regression is made
# anew and kept.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
pg_config=${1:-pg_config}
results=$here/../../target/regress
mkdir -p "$results"

cd "$here/sql"
tests=(*.sql)
exec "$("$pg_config" --pkglibdir)/pgxs/src/test/regress/pg_regress" \
	--inputdir="$here" --outputdir="$results" --bindir="$("$pg_config" --bindir)" \
	--dbname=contrib_regression --encoding=UTF8 --load-extension=logwatch \
	"${tests[@]%.sql}"
