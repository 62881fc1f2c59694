#!/usr/bin/env bash
# cronolog's link to the current log stays at the first file for ever unless -P is given, too.
#
# Expected: the manual says of -S and -H that they maintain a link from NAME to the current log
# file, and lists -P, a link to the previous file, as an option of its own.
# Seen with cronolog 1.6.2 (Debian 12): at the second period cronolog tries to rename NAME to the
# name that -P gives. Without -P that name is NULL: the rename fails with EFAULT, the new link then
# with EEXIST, neither is reported, and NAME stays a link to the first file. A program that follows
# NAME reads nothing more after the first period.
#
# Downloads the package with apt-get and runs it unpacked.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -q cronolog=1.6.2+rpk-3 >/dev/null 2>&1 || apt-get download -q cronolog >/dev/null 2>&1
dpkg-deb -x cronolog_*.deb unpacked
version=$(dpkg-deb -f cronolog_*.deb Version)
# Writes a line to each of three files, one per second. cronolog exits with 1 at the end of input.
write() {
	for number in 1 2 3; do
		echo "line $number"
		sleep 1.2
	done | unpacked/usr/bin/cronolog "$@" 2>errors || true
}
write -S "$work/symbolic" "$work/s-%H%M%S.log"
write -H "$work/hard" "$work/h-%H%M%S.log"
write -S "$work/both" -P "$work/previous" "$work/b-%H%M%S.log"
echo "cronolog $version: the link of -S has \"$(cat symbolic)\", of -H \"$(cat hard)\", of -S with -P \"$(cat both)\"; standard error $(wc -c <errors) bytes"
[[ $(cat symbolic) == "line 1" && $(cat hard) == "line 1" && $(cat both) == "line 3" && ! -s errors ]] || { echo "the behaviour has changed"; exit 1; }
