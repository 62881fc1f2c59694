#!/usr/bin/env bash
# logrotate, started just after a full second, names the file by the second before.
#
# Expected: with dateext and dateformat -%s the name has a time between the start and the end of
# logrotate. A script that rotates once a second, right after the second began, gets one name each.
# Seen with Debian 12's logrotate 3.21.0-1: most files have the second that was over before
# logrotate was started. It calls time(), which Linux serves from the clock as of the kernel's last
# tick (up to 10 ms ago, by CONFIG_HZ). Python and date call clock_gettime(), which reads the clock
# itself. So two rotations in two different seconds can get one name: "destination already exists,
# skipping rotation". Where the tick comes sooner after the full second than logrotate can start,
# which is another moment after each start of the kernel, it does not show (exit status 2).
#
# Unpacks the packages into a temporary folder. Needs Debian 12's apt, and python3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# apt drops root for a download where it can; a folder for everybody avoids its warning.
chmod 777 .
apt-get -q -q download logrotate=3.21.0-1 libpopt0 >/dev/null 2>apt.log || { cat apt.log; exit 2; }
for package in *.deb; do dpkg-deb --extract "$package" root; done
chmod 755 .
mkdir -m 755 log
cat >logrotate.conf <<END
$work/log/app.log {
	rotate 100
	dateext
	dateformat -%s
}
END
chmod 644 logrotate.conf
LD_LIBRARY_PATH=$(echo "$work"/root/usr/lib/*-linux-gnu) python3 - <<'PY'
import ctypes, glob, math, os, subprocess, sys, time

libc = ctypes.CDLL(None)
libc.time.restype = ctypes.c_long

def next_second():
    """Waits for the beginning of a second by clock_gettime(), and returns it."""
    second = math.floor(time.time()) + 1
    while time.time() < second:
        pass
    return second

def lag():
    second = next_second()
    while libc.time(None) < second:
        pass
    return 1000 * (time.time() - second)

def start():
    begin = time.monotonic()
    subprocess.run(["root/usr/sbin/logrotate", "--version"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return 1000 * (time.monotonic() - begin)

# Takes the shortest of five, since each may have waited for a processor.
lag, start = min(lag() for _ in range(5)), min(start() for _ in range(5))
print(f"time() has the new second {lag:.1f} ms later than clock_gettime(); logrotate takes {start:.1f} ms")
if lag < start:
    print("the tick comes too soon to tell")
    sys.exit(2)

early = 0
for _ in range(12):
    with open("log/app.log", "w") as log:
        log.write("a line\n")
    second = next_second()
    subprocess.run(["root/usr/sbin/logrotate", "-f", "-s", "state", "logrotate.conf"], check=True)
    [name] = glob.glob("log/app.log-*")
    early += int(name.rpartition("-")[2]) < second
    os.remove(name)
print(f"started in a second and named by the one before: {early} of 12 files")
sys.exit(0 if early > 0 else "the behaviour has changed")
PY
