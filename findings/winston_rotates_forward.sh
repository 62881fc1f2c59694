#!/usr/bin/env bash
# winston's File transport rotates forward: the file with the plain name is the oldest one.
#
# Expected, as with logrotate, Python's and Java's rolling files: the plain name is always the file
# that is being written, and higher numbers are older.
# Seen with winston 3.19.0: with `maxsize` and without `tailable: true` the plain name is filled
# first and never written again; app1.log, app2.log follow. A reader of `app.log` sees nothing new.
# With `maxFiles` the plain name is deleted, not shifted.
#
# Installs winston from the npm registry into a temporary folder. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund winston@3.19.0 >/dev/null
cat >write.js <<'JS'
const winston = require('winston');
const run = (dir, extra) => new Promise(done => {
  const file = new winston.transports.File({ filename: dir + '/app.log', maxsize: 2000, ...extra });
  const log = winston.createLogger({ transports: [file] });
  let n = 0;
  const timer = setInterval(() => {
    log.info('line ' + n + ' ' + 'x'.repeat(80));
    if (++n === 100) { clearInterval(timer); file.on('finish', () => setTimeout(done, 300)); log.end(); }
  }, 5);
});
(async () => { await run('kept', {}); await run('limited', { maxFiles: 2 }); await run('tail', { maxFiles: 3, tailable: true }); })();
JS
mkdir kept limited tail
node write.js
first() { python3 -c 'import json,sys; print(json.loads(open(sys.argv[1]).readline())["message"].split()[1])' "$1"; }
echo "winston $(node -p 'require("winston/package.json").version')"
echo "without tailable: app.log begins with line $(first kept/app.log), app1.log with line $(first kept/app1.log)"
echo "maxFiles 2, without tailable: $(ls limited | tr '\n' ' ')"
echo "tailable: app.log begins with line $(first tail/app.log), app1.log with line $(first tail/app1.log)"
(( $(first kept/app.log) == 0 && $(first kept/app1.log) > 0 )) &&
	[[ ! -e limited/app.log ]] &&
	(( $(first tail/app.log) > $(first tail/app1.log) )) || { echo "the behaviour has changed"; exit 1; }
