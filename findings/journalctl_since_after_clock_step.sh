#!/usr/bin/env bash
# `journalctl --since --until` prints nothing of ten minutes that are in the journal, after the
# clock was set back.
#
# Expected: --since shows entries on or newer than the date, --until those on or older (journalctl's
# manual). Each entry has its time, so the order in which entries came does not matter.
# Seen with systemd 252: the times are taken for sorted. journalctl looks for the first entry by
# halving and stops at the first that is too new. Of a machine whose clock was 50 minutes fast until
# NTP put it right, --since with --until finds no entry of the right time, and --since alone prints
# entries that are older, too. A report on "the last hour" is empty or has too much.
#
# Makes a journal file with systemd-journal-remote from the export format; needs no running systemd.
set -euo pipefail
command -v journalctl >/dev/null || { echo "needs systemd"; exit 2; }
remote=/lib/systemd/systemd-journal-remote
[[ -x $remote ]] || { echo "needs the package systemd-journal-remote"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TZ=UTC
entry() { # number $1, at the wall clock's time $2, with the text $3
	printf '__REALTIME_TIMESTAMP=%d000000\n__MONOTONIC_TIMESTAMP=%d000000\n' "$(date -d "$2" +%s)" "$1"
	printf '_BOOT_ID=0123456789abcdef0123456789abcdef\nPRIORITY=3\nMESSAGE=%s\n\n' "$3"
}
{
	for n in 0 1 2 3 4; do entry $((60 * n)) "2026-11-02 11:0$n" "fast-$n"; done
	for n in 5 6 7 8 9; do entry $((60 * n)) "2026-11-02 10:1$n" "right-$n"; done
} >"$work/export"
"$remote" --split-mode=none --output="$work/made.journal" "$work/export" 2>/dev/null
journalctl --verify --file "$work/made.journal" 2>/dev/null

show() { journalctl --file "$work/made.journal" -o cat "$@" | paste -sd ' ' | sed 's/^$/nothing/'; }
journalctl --version | head -n 1
{
	echo "all: $(show)"
	echo "10:15 to 10:20: $(show --since "2026-11-02 10:15" --until "2026-11-02 10:20")"
	echo "since 10:30: $(show --since "2026-11-02 10:30")"
} | tee "$work/seen"
diff - "$work/seen" >/dev/null <<'TEXT' || { echo "the behaviour has changed"; exit 1; }
all: fast-0 fast-1 fast-2 fast-3 fast-4 right-5 right-6 right-7 right-8 right-9
10:15 to 10:20: nothing
since 10:30: fast-0 fast-1 fast-2 fast-3 fast-4 right-5 right-6 right-7 right-8 right-9
TEXT
