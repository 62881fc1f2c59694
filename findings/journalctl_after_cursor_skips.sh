#!/usr/bin/env bash
# `journalctl --after-cursor` skips a line that was never read once the cursor's line is deleted.
#
# Expected: after vacuuming, the output starts with the first line that is left.
# Seen with systemd 252: journalctl goes to the nearest line and skips one line all the same, so the
# first line that is left is lost without a word. `--cursor` prints it. A reader that must lose
# nothing uses --cursor and compares the first __CURSOR with its own.
#
# Makes journal files with systemd-journal-remote from the export format; needs no running systemd.
set -euo pipefail
command -v journalctl >/dev/null || { echo "needs systemd"; exit 2; }
remote=/lib/systemd/systemd-journal-remote
[[ -x $remote ]] || { echo "needs the package systemd-journal-remote"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints lines FIRST to LAST in the export format.
export_lines() {
	local n
	for ((n = $1; n <= $2; n++)); do
		printf '__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n' $((1790000000000000 + n)) "$n"
		printf '_BOOT_ID=0123456789abcdef0123456789abcdef\nPRIORITY=3\nMESSAGE=line %d\n\n' "$n"
	done
}
export_lines 1 3 >"$work/export"
"$remote" --split-mode=none --output="$work/old.journal" "$work/export" 2>/dev/null
cursor=$(journalctl --file "$work/old.journal" -o json | tail -n 1 | sed 's/.*"__CURSOR":"\([^"]*\)".*/\1/')
# Stands for the journal after lines 1 to 3 were vacuumed and three more were written.
export_lines 4 6 >"$work/export"
"$remote" --split-mode=none --output="$work/new.journal" "$work/export" 2>/dev/null

journalctl --version | head -n 1
for option in --after-cursor --cursor; do
	echo "$option: $(journalctl --file "$work/new.journal" -o cat "$option=$cursor" | tr '\n' ',')"
done | tee "$work/seen"
diff - "$work/seen" >/dev/null <<'TEXT' || { echo "the behaviour has changed"; exit 1; }
--after-cursor: line 5,line 6,
--cursor: line 4,line 5,line 6,
TEXT
