#!/usr/bin/env bash
# systemd-cron runs a job "on the 1st, on the 15th and on each Friday" four times in 2027.
#
# Expected: if a line of a crontab restricts both the day of the month and the day of the week, cron
# runs it when either matches, 73 times for 30 4 1,15 * 5. The crontab(5) of systemd-cron, which
# replaces the package cron, says so with this very line.
# Seen with systemd-cron 1.15.19 (Debian 12): the line becomes OnCalendar=Fri *-*-1,15 4:30:00, and
# in systemd's calendar both must match. The job runs on Fridays that are a 1st or a 15th, four
# times in that year, once after more than eight months. Nothing reports it: the timer is active and
# each run succeeds.
#
# Unpacks the package into a temporary folder; it is not installed, and no timer is started. Needs
# Debian 12's apt, python3 and systemd's systemd-analyze.
set -euo pipefail
command -v systemd-analyze >/dev/null || { echo "needs systemd"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# apt drops root for a download where it can; a folder for everybody avoids its warning.
chmod 777 .
apt-get -q -q download systemd-cron=1.15.19-5 >/dev/null 2>apt.log || { cat apt.log; exit 2; }
dpkg-deb --extract systemd-cron_*.deb root
mkdir units
echo '30 4 1,15 * 5 /usr/local/bin/backup' >crontab
# Calls the generator's own functions for this file; it would read those of the system otherwise.
python3 -W ignore - <<'PY'
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

loader = SourceFileLoader("generator", "root/lib/systemd/system-generators/systemd-crontab-generator")
generator = module_from_spec(spec_from_loader("generator", loader))
loader.exec_module(generator)
generator.TARGET_DIR = generator.TIMERS_DIR = "units"
for job in generator.parse_crontab("crontab", withuser=False):
    generator.generate_timer_unit(job, seq=iter(range(9)))
PY
calendar=$(sed -n 's/^OnCalendar=//p' units/*.timer)
seen=$(TZ=UTC systemd-analyze calendar --base-time='2027-01-01 00:00:00' --iterations=80 "$calendar" | grep -c '2027-.* 04:30:00')
expected=$(python3 -c '
from datetime import date, timedelta
days = [date(2027, 1, 1) + timedelta(n) for n in range(365)]
print(sum(day.day in (1, 15) or day.isoweekday() == 5 for day in days))')
echo "systemd-cron $(dpkg-deb -f systemd-cron_*.deb Version): $(cat crontab)"
echo "OnCalendar=$calendar"
echo "runs in 2027: $seen, by the manual: $expected"
((seen == 4 && expected == 73)) || { echo "the behaviour has changed"; exit 1; }
