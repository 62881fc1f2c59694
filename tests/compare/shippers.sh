#!/usr/bin/env bash
# Measures the lines that rsyslog's imfile and logtail2 lose or repeat: the observed cells of the
# table in tailer/README.md. Not a part of make test.
#
#   tests/compare/shippers.sh        needs the Debian packages rsyslog and logtail
#
# Each shipper writes what it reads to a file. All runs in a temporary directory, without network;
# what is started is stopped by its pid. rsyslog has the settings that its manual recommends against
# loss: reopenOnTruncate, and its state written every 100 lines.
set -euo pipefail

work=$(mktemp -d)
shipper_pid='' writer=''
trap 'rm -f "$work/writing"; [[ -z $shipper_pid ]] || kill -9 "$shipper_pid" 2>/dev/null; rm -rf "$work"' EXIT

log=$work/app.log out=$work/out

# write FROM TO: appends numbered lines in small bursts, as an application does.
write() {
	local n
	for ((n = $1; n <= $2; n += 100)); do
		seq -f 'line %.0f of the application' "$n" $((n + 99)) >>"$log"
		sleep 0.01
	done
}

rsyslog_start() {
	cat >"$work/rsyslog.conf" <<-END
		global(workDirectory="$work/state" localHostname="here" net.enableDNS="off")
		module(load="imfile" mode="inotify")
		template(name="raw" type="string" string="%msg%\n")
		input(type="imfile" File="$log" Tag="app" reopenOnTruncate="on" PersistStateInterval="100" ruleset="copy")
		ruleset(name="copy") { action(type="omfile" file="$out" template="raw" asyncWriting="off" flushOnTXEnd="on") }
	END
	# After a kill -9 its pid file would keep it from starting.
	rm -f "$work/rsyslog.pid"
	rsyslogd -n -f "$work/rsyslog.conf" -i "$work/rsyslog.pid" 2>>"$work/messages" &
	shipper_pid=$!
}
rsyslog_stop() {
	kill "-${1:-TERM}" "$shipper_pid" 2>/dev/null || true
	wait "$shipper_pid" 2>/dev/null || true
	shipper_pid=''
}

# logtail2 is run again and again, as cron does it, only faster.
logtail_start() {
	(while :; do
		[[ ! -e $log ]] || logtail2 -f "$log" -o "$work/state/offset" >>"$out" 2>>"$work/messages" || true
		sleep 0.05
	done) &
	shipper_pid=$!
}
logtail_stop() {
	# The loop and, under a kill -9, the run that it is in.
	local run
	run=$(pgrep -P "$shipper_pid" -x logtail2 || true)
	kill "-${1:-TERM}" "$shipper_pid" 2>/dev/null || true
	[[ ${1:-} != KILL || -z $run ]] || kill -9 $run 2>/dev/null || true
	wait "$shipper_pid" 2>/dev/null || true
	shipper_pid=''
	# A run that was not killed ends by itself, before the next one begins.
	while [[ -n $run && -e /proc/${run%%$'\n'*} ]]; do sleep 0.02; done
}

# Waits until something more has come out: a shipper that was just started reads.
working() {
	local size=$(stat -c %s "$out" 2>/dev/null || echo 0) tries=0
	while (($(stat -c %s "$out" 2>/dev/null || echo 0) == size && tries++ < 100)); do sleep 0.1; done
}

# Waits until the output has not grown for three seconds.
settle() {
	local last=-1 now=0 quiet=0
	while ((quiet < 30)); do
		now=$(stat -c %s "$out" 2>/dev/null || echo 0)
		((now == last)) && quiet=$((quiet + 1)) || quiet=0
		last=$now
		sleep 0.1
	done
}

# Writes in the background for as long as there is a file `writing`.
write_on() {
	touch "$work/writing"
	(
		n=1
		while [[ -e $work/writing ]]; do
			write "$n" $((n + 99))
			n=$((n + 100))
		done
	) &
	writer=$!
}
write_no_more() {
	rm "$work/writing"
	wait "$writer"
}

killed_under_load() {
	write_on
	"$1_start"
	local round
	for round in 1 2 3 4 5; do
		working
		sleep 0.$((RANDOM % 5 + 1))
		"$1_stop" KILL
		"$1_start"
	done
	write_no_more
}

# The writer rests while the file is copied and truncated, so that the copy has all: what is lost
# then is the shipper's loss.
copytruncated() {
	"$1_start"
	local round
	for round in 1 2 3 4 5; do
		write $((round * 1000 - 999)) $((round * 1000))
		((round > 1)) || working
		cp "$log" "$log.$round"
		: >"$log"
	done
	write 5001 6000
}

rotated_twice_while_stopped() {
	"$1_start"
	write 1 1000
	settle
	"$1_stop"
	write 1001 2000
	mv "$log" "$log.1"
	write 2001 3000
	mv "$log.1" "$log.2"
	mv "$log" "$log.1"
	write 3001 4000
	"$1_start"
}

# Compares what the files hold, all of them, with what came out.
compare() {
	cat "$log"* | sort -u >"$work/written"
	sort "$out" | sed 's/^ *//' >"$work/shipped"
	printf '%-10s %-30s written %6d, lost %6d, repeated %6d, other lines %d\n' "$1" "$2" "$(wc -l <"$work/written")" \
		"$(sort -u "$work/shipped" | comm -23 "$work/written" - | wc -l)" \
		"$(grep -cE '^line [0-9]+ of the application$' "$work/shipped" | cat - <(sort -u "$work/shipped" | grep -cE '^line [0-9]+ of the application$') | paste -sd- | bc)" \
		"$(grep -vcE '^line [0-9]+ of the application$' "$work/shipped" || true)"
}

rsyslogd -v | head -n 1
dpkg-query -W logtail
for shipper in rsyslog logtail; do
	for scenario in killed_under_load copytruncated rotated_twice_while_stopped; do
		rm -rf "$log"* "$out" "$work/state"
		mkdir "$work/state"
		: >"$log"
		"$scenario" "$shipper"
		settle
		"${shipper}_stop"
		compare "$shipper" "$scenario"
	done
done
