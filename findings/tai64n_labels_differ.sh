#!/usr/bin/env bash
# Two programs that write the same TAI64N file names disagree about what second it is.
#
# Expected: s6-log and daemontools' multilog both name a rotated file `@` + 24 hex digits + `.s`,
# the TAI64N label of the moment of rotation. A reader would convert both with the same offset.
# Seen: Debian 12's multilog (1:0.76-8.1) counts 10 seconds from UTC, s6-log (2.11.3.2-1) counts
# 37 (the leap seconds up to now): names made in the same second are 27 seconds apart, and the
# directory's program, which the name does not tell, decides what time it means.
#
# Unpacks both packages into a temporary folder. Needs Debian 12's apt and python3.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# apt drops root for a download where it can; a folder for everybody avoids its warning.
chmod 777 .
apt-get -q -q download s6=2.11.3.2-1 libs6-2.11 libexecline2.9 libskarnet2.13 execline \
	daemontools=1:0.76-8.1 >/dev/null 2>apt.log || { cat apt.log; exit 2; }
for package in *.deb; do dpkg-deb --extract "$package" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null ||
	echo x86_64-linux-gnu)

offset() { # of the newest rotated file in folder $1 from the clock, in seconds
	local name
	name=$(cd "$1" && printf '%s\n' @*.s | head -n 1)
	python3 - "$name" "$2" <<'PY'
import sys
label, now = sys.argv[1], float(sys.argv[2])
print(round(int(label[1:17], 16) - 2**62 - now))
PY
}

lines() { for _ in $(seq 400); do echo "a line of forty bytes or so, no more ..."; done; }
lines | root/usr/bin/s6-log n5 s4096 "$work/s6"
now_s6=$(date +%s)
lines | root/usr/bin/multilog n5 s4096 "$work/multilog"
now_multilog=$(date +%s)
s6=$(offset s6 "$now_s6") multilog=$(offset multilog "$now_multilog")
echo "labels are ahead of UTC by: s6-log $s6 s, multilog $multilog s"
# One second of tolerance: the rotation comes before the clock is read.
((s6 >= 35 && s6 <= 37 && multilog >= 8 && multilog <= 10)) || { echo "the behaviour has changed"; exit 1; }
