#!/usr/bin/env bash
# loguru's retention of app.log deletes app.error.log, although another sink is writing it.
#
# Expected: the retention of a sink removes files that this sink has rotated; loguru puts a time in
# their names. The file that another sink of the same program is writing is none of them.
# Seen with loguru 0.7.3: at a rotation of app.log each file named app.*.log counts as an old one,
# also app.error.log, whose own sink has no retention. With retention = "10 days" it is deleted once
# no error came for ten days. The sink that keeps it open goes on writing to the deleted file, with
# no message, so a program that alerts on the error log misses the first error after a quiet time,
# and all that follow. Under the name app_error.log it stays.
#
# Installs loguru from PyPI into a temporary folder. Needs python3 with pip.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip install --quiet --no-deps --root-user-action ignore --target packages loguru==0.7.3 2>/dev/null
cat >write.py <<'PY'
import os, sys, time
from loguru import logger
errors = sys.argv[1]
logger.remove()
logger.add("app.log", rotation="1 KB", retention="10 days")
logger.add(errors, level="ERROR")
logger.error("first error")
# Stands for eleven days without an error.
eleven_days_ago = time.time() - 11 * 86400
os.utime(errors, (eleven_days_ago, eleven_days_ago))
for number in range(20):
    logger.info("request {} was served without an error", number)
logger.error("second error")
PY
# Prints how many errors a reader finds in an error log of the name $1; none without a file.
errors() {
	mkdir "$1.d"
	(cd "$1.d" && PYTHONPATH=$work/packages python3 ../write.py "$1" 2>>../messages)
	if [[ -e $1.d/$1 ]]; then grep -c 'error$' "$1.d/$1"; else echo none; fi
}
dot=$(errors app.error.log) underscore=$(errors app_error.log)
echo "loguru 0.7.3, errors of 2 in the error log: $dot in app.error.log, $underscore in app_error.log; standard error $(wc -c <messages) bytes"
[[ $dot == none && $underscore == 2 && ! -s messages ]] || { echo "the behaviour has changed"; exit 1; }
