#!/usr/bin/env bash
# Becomes a SEC that mails each ERROR line of a file through an SMTP server on loopback: sec.sh
# DIRECTORY FILE PORT
set -euo pipefail

cat >"$1/sec.conf" <<END
type=Single
ptype=RegExp
pattern=ERROR (.*)
desc=error
action=pipe 'Subject: error%.nl%.nl\$1' curl -s --url smtp://127.0.0.1:$3 --mail-from sec@example.com --mail-rcpt ops@example.com -T -
END
exec sec --conf="$1/sec.conf" --input="$2" --poll-timeout=0.01 >/dev/null 2>&1
