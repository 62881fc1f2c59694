#!/usr/bin/env bash
# `journalctl -o json` prints MESSAGE in four JSON types.
#
# Expected: MESSAGE is a string; "json" output is a map from field name to text.
# Seen with systemd 252: one colour escape makes it an array of numbers (bytes), a field set twice
# an array of strings, more than 4096 bytes make it null unless --all is given.
# PRIORITY set twice becomes an array as well, although `-p err` selects the record.
#
# Makes a journal file with systemd-journal-remote from the export format; needs no running systemd.
set -euo pipefail
journalctl=$(command -v journalctl) || { echo "needs systemd"; exit 2; }
remote=/lib/systemd/systemd-journal-remote
[[ -x $remote ]] || { echo "needs the package systemd-journal-remote"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - >"$work/export" <<'PY'
import struct, sys
out = sys.stdout.buffer
def record(number, *fields):
    out.write(b"__REALTIME_TIMESTAMP=%d\n" % (1790000000000000 + number))
    out.write(b"__MONOTONIC_TIMESTAMP=%d\n" % number)
    out.write(b"_BOOT_ID=0123456789abcdef0123456789abcdef\n")
    for name, value in fields:
        out.write(name + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
    out.write(b"\n")
record(1, (b"PRIORITY", b"3"), (b"MESSAGE", b"plain"))
record(2, (b"PRIORITY", b"3"), (b"MESSAGE", b"\x1b[31mred\x1b[0m"))
record(3, (b"PRIORITY", b"3"), (b"MESSAGE", b"one"), (b"MESSAGE", b"two"))
record(4, (b"PRIORITY", b"3"), (b"MESSAGE", b"x" * 5000))
record(5, (b"PRIORITY", b"3"), (b"PRIORITY", b"4"), (b"MESSAGE", b"twice"))
PY
"$remote" --output="$work/made.journal" "$work/export" 2>/dev/null

shapes() {
	"$journalctl" --file "$work/made.journal" -o json "$@" | python3 -c '
import json, sys
def shape(value):
    if value is None: return "null"
    if isinstance(value, list): return "array of " + type(value[0]).__name__
    return type(value).__name__
for line in sys.stdin:
    record = json.loads(line)
    print("MESSAGE", shape(record["MESSAGE"]), "PRIORITY", shape(record["PRIORITY"]))'
}
"$journalctl" --version | head -n 1
{ shapes -p err; echo "with --all:"; shapes -p err --all; } | tee "$work/seen"
diff - "$work/seen" >/dev/null <<'TEXT' || { echo "the behaviour has changed"; exit 1; }
MESSAGE str PRIORITY str
MESSAGE array of int PRIORITY str
MESSAGE array of str PRIORITY str
MESSAGE null PRIORITY str
MESSAGE str PRIORITY array of str
with --all:
MESSAGE str PRIORITY str
MESSAGE array of int PRIORITY str
MESSAGE array of str PRIORITY str
MESSAGE str PRIORITY str
MESSAGE str PRIORITY array of str
TEXT
