#!/usr/bin/env bash
# Python's SysLogHandler over TCP and rsyslog: all that a program logs is one record, which arrives
# when the program ends.
#
# Expected: SysLogHandler opens a TCP connection with socktype=SOCK_STREAM, and Python's manual says
# that this is for use with daemons such as rsyslog. Each call of the logger is one record there.
# Seen with Python 3.11 and rsyslog 8.2302 (Debian 12): the handler ends each message with a NUL,
# rsyslog ends one at a line feed (RFC 6587 names both as usual). So rsyslog waits for the line feed
# until the connection is closed, and then stores one record: the level is that of the first
# message, and the others, with their "<10>", are text in it. A rule for critical messages never
# fires. With append_nul = False and a line feed in the format each message is a record at once.
#
# Unpacks rsyslog into a temporary folder; it listens on 127.0.0.1. Needs Debian 12's apt, and
# python3.
set -euo pipefail
work=$(mktemp -d)
server=
finish() {
	if [[ -n $server ]]; then
		kill "$server" 2>/dev/null || true
		wait "$server" || true
	fi
	rm -rf "$work"
}
trap finish EXIT
cd "$work"
# apt drops root for a download where it can; a folder for everybody avoids its warning.
chmod 777 .
apt-get -q -q download rsyslog libestr0 libfastjson4 liblognorm5 >/dev/null 2>apt.log || { cat apt.log; exit 2; }
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=$(echo "$work"/root/usr/lib/*-linux-gnu)
cat >rsyslog.conf <<END
global(workDirectory="$work")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="$work/port")
template(name="record" type="string" string="%syslogseverity-text%:%msg%\n")
action(type="omfile" file="$work/records" template="record" asyncWriting="off")
END
touch records
LD_LIBRARY_PATH=$libraries root/usr/sbin/rsyslogd -n -f rsyslog.conf -i "$work/pid" -M "$libraries/rsyslog" 2>rsyslog.log &
server=$!
for _ in $(seq 100); do [[ ! -s port ]] || break; sleep 0.1; done

cat >program.py <<'PY'
import logging, logging.handlers, socket, sys, time

handler = logging.handlers.SysLogHandler(("127.0.0.1", int(open("port").read())), socktype=socket.SOCK_STREAM)
handler.setFormatter(logging.Formatter("app: %(message)s"))
if sys.argv[1] == "line feeds":
    handler.append_nul = False
    handler.setFormatter(logging.Formatter("app: %(message)s\n"))
log = logging.getLogger()
log.setLevel("INFO")
log.addHandler(handler)
log.info("started")
log.critical("disk full")
log.info("stopped")
time.sleep(3)
print(f"{sys.argv[1]}: {len(open('records').readlines())} records while the program runs")
PY
arrived() { # at rsyslog, from the program with the ends of messages $1
	: >records
	python3 program.py "$1"
	for _ in $(seq 100); do [[ ! -s records ]] || break; sleep 0.1; done
	sed 's/^/  /' records
}
python3 --version
LD_LIBRARY_PATH=$libraries root/usr/sbin/rsyslogd -v | sed -n '1s/ (aka.*//p'
{ arrived "as is"; arrived "line feeds"; } | tee seen
diff - seen >/dev/null <<'TEXT' || { cat rsyslog.log; echo "the behaviour has changed"; exit 1; }
as is: 0 records while the program runs
  info: started#000<10>app: disk full#000<14>app: stopped
line feeds: 3 records while the program runs
  info: started
  crit: disk full
  info: stopped
TEXT
