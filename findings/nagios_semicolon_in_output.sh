#!/usr/bin/env bash
# Nagios Core replaces each semicolon in the output of a plugin by a colon.
#
# Expected: the text before the first | is the output and is kept and shown as the plugin wrote it;
# | and line breaks are the characters with a meaning in Nagios' plugin API.
# Seen with 4.4.6 (Debian 12): the status file has "a: b" where the plugin wrote "a; b". The
# performance data keep their semicolons. A text that a plugin quotes, such as an SQL statement or a
# log line, is no longer what it was, without a message.
#
# Unpacks Debian 12's package into a temporary folder and runs it there; nothing listens.
set -euo pipefail
work=$(mktemp -d)
nagios=
trap '[[ -z $nagios ]] || kill "$nagios" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -q nagios4-core >/dev/null 2>&1 || { echo "needs Debian 12's apt"; exit 2; }
dpkg-deb -x nagios4-core_*.deb unpacked
version=$(dpkg-deb -f nagios4-core_*.deb Version)
cat >plugin <<'SH'
#!/bin/sh
echo 'OK - SELECT 1; SELECT 2|warn=1;2;3'
SH
chmod +x plugin
cat >objects.cfg <<CFG
define timeperiod {
 timeperiod_name always
 alias always
$(for day in monday tuesday wednesday thursday friday saturday sunday; do echo " $day 00:00-24:00"; done)
}
define command {
 command_name plugin
 command_line $work/plugin
}
define contact {
 contact_name none
 host_notification_period always
 service_notification_period always
 host_notification_commands plugin
 service_notification_commands plugin
 host_notification_options n
 service_notification_options n
}
define host {
 host_name db
 address 127.0.0.1
 check_period always
 max_check_attempts 1
 contacts none
 notification_period always
}
define service {
 host_name db
 service_description queue
 check_command plugin
 check_period always
 max_check_attempts 1
 check_interval 1
 retry_interval 1
 contacts none
 notification_period always
}
CFG
cat >nagios.cfg <<CFG
cfg_file=$work/objects.cfg
log_file=$work/nagios.log
status_file=$work/status.dat
object_cache_file=$work/objects.cache
precached_object_file=$work/objects.precache
state_retention_file=$work/retention.dat
command_file=$work/rw
query_socket=$work/qh
check_result_path=$work
temp_file=$work/tmp
temp_path=$work
lock_file=$work/lock
log_archive_path=$work
nagios_user=$(id -un)
nagios_group=$(id -gn)
status_update_interval=1
interval_length=1
check_external_commands=0
use_syslog=0
CFG
unpacked/usr/sbin/nagios4 "$work/nagios.cfg" >out 2>&1 </dev/null &
nagios=$!
for _ in {1..300}; do
	grep -q '^	plugin_output=OK' status.dat 2>/dev/null && break
	sleep 0.1
done
output=$(sed -n 's/^	plugin_output=\(OK.*\)/\1/p' status.dat) data=$(sed -n 's/^	performance_data=\(.*;.*\)/\1/p' status.dat | head -n 1)
echo "nagios4 $version: the plugin writes \"$(sed 's/|.*//' < <(./plugin))\", Nagios has \"$output\", performance data \"$data\""
[[ $output == "OK - SELECT 1: SELECT 2" && $data == "warn=1;2;3" ]] || { echo "the behaviour has changed"; exit 1; }
