#!/usr/bin/env bash
# Becomes an rsyslogd that reads a file and stores each line in table syslog: rsyslog.sh DIRECTORY
# FILE PGHOST, PGPORT, PGUSER and PGDATABASE name the server. It listens nowhere, and ends with
# SIGTERM.
set -euo pipefail

cat >"$1/rsyslog.conf" <<END
global(workDirectory="$1")
module(load="imfile")
module(load="ompgsql")
template(name="row" type="list" option.stdsql="on") {
	constant(value="INSERT INTO syslog (message) VALUES ('")
	property(name="msg")
	constant(value="')")
}
input(type="imfile" File="$2" Tag="bench" ruleset="store")
ruleset(name="store" queue.type="LinkedList" queue.size="100000" queue.dequeueBatchSize="1000") {
	action(type="ompgsql" server="$PGHOST" serverport="$PGPORT" db="$PGDATABASE" uid="$PGUSER" pwd="" template="row"
		action.resumeRetryCount="-1" action.resumeInterval="1")
}
END
PATH=$PATH:/usr/sbin
exec rsyslogd -n -f "$1/rsyslog.conf" -i "$1/rsyslog.pid"
