#!/usr/bin/env bash
# npm's tail reads a new log file, after a rotation, from where it was in the old one.
#
# Expected: the option `follow`, on by default, stands for `tail -F`: after app.log was renamed and
# made anew the new file is read from its beginning, after a second.
# Seen with tail 2.2.6: the position stays that of the old file. If the new file is longer when it
# is looked at, as many bytes as the old file had are skipped. If it is shorter, all that is in it
# is skipped, and the next line too. No event tells of it, and the reader is in step again
# afterwards. The longer the old file was, the more is lost, so a test with short files shows
# little of it.
#
# Installs tail from the npm registry into a temporary folder. Needs node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund tail@2.2.6 >/dev/null
cat >follow.js <<'JS'
const fs = require('fs');
const path = require('path');
const { Tail } = require('tail');
const sleep = ms => new Promise(done => setTimeout(done, ms));

// Rotates a log of 100 lines, writes `count` lines to the new one, and then two more, one by one.
async function lost(folder, count) {
  const log = path.join(__dirname, folder, 'app.log');
  fs.mkdirSync(path.dirname(log));
  fs.writeFileSync(log, '');
  const seen = new Set();
  const tail = new Tail(log);
  tail.on('line', line => seen.add(Number(line.slice(5, 8))));
  tail.on('error', error => { throw error; });
  let last = 0;
  const write = lines => {
    let text = '';
    while (lines-- > 0) text += 'line ' + String(++last).padStart(3, '0') + '\n';
    fs.appendFileSync(log, text);
  };
  await sleep(500);
  write(100);
  await sleep(1000);
  if (seen.size !== 100) throw new Error('the first 100 lines were not read');
  fs.renameSync(log, log + '.1');
  write(count);
  for (let i = 0; i < 2; i++) { await sleep(3000); write(1); }
  await sleep(1500);
  tail.unwatch();
  const missing = [];
  for (let line = 1; line <= last; line++) if (!seen.has(line)) missing.push(line);
  return missing.length === 0 ? 'nothing' : `lines ${missing[0]} to ${missing.at(-1)} (${missing.length})`;
}
(async () => {
  console.log(`60 lines in the new file: it misses ${await lost('quiet', 60)} of 162`);
  console.log(`150 lines in the new file: it misses ${await lost('busy', 150)} of 252`);
})();
JS
echo "tail $(node -p 'require("tail/package.json").version'), after a rotation at line 100:"
node follow.js | tee seen
diff - seen >/dev/null <<'TEXT' || { echo "the behaviour has changed"; exit 1; }
60 lines in the new file: it misses lines 101 to 161 (61) of 162
150 lines in the new file: it misses lines 101 to 200 (100) of 252
TEXT
