#!/usr/bin/env bash
# Becomes a syslog-ng that reads a file and stores each line in table syslog: syslog_ng.sh DIRECTORY
# FILE PGHOST, PGPORT, PGUSER and PGDATABASE name the server. It listens nowhere, and ends with
# SIGTERM. extension/package/install_missing.sh bench unpacks it and installs its driver.
set -euo pipefail

tree=$(cd "$(dirname "$0")/../../target/syslog-ng-sql" && pwd -P)
folder() { dirname "$(find "$tree" -name "$1" | head -n 1)"; }

cat >"$1/syslog-ng.conf" <<END
@version: 3.38
source lines { file("$2" follow-freq(0.1) flags(no-parse) log-iw-size(100000)); };
destination table {
	sql(type(pgsql) host("$PGHOST") port("$PGPORT") username("$PGUSER") password("") database("$PGDATABASE")
		table("syslog") columns("message text") values("\${MESSAGE}") indexes() time-reopen(1) log-fifo-size(200000)
		flags(explicit-commits) batch-lines(1000) batch-timeout(100));
};
log { source(lines); destination(table); flags(flow-control); };
END
export LD_LIBRARY_PATH="$(folder libsyslog-ng-3.38.so.0):$(folder libivykis.so.0):$(folder libpcre.so.3)"
exec "$tree/usr/sbin/syslog-ng" --foreground --no-caps --stderr --module-path "$(folder libafsql.so)" \
	-f "$1/syslog-ng.conf" -R "$1/persist" -c "$1/ctl" -p "$1/pid"
