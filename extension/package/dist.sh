#!/usr/bin/env bash
# Builds the archive that PGXN takes, target/package/logwatch-VERSION.zip: what is committed, and
# META.json.
#
#   extension/package/dist.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

mkdir -p target/package
extension/package/meta.sh >target/package/META.json
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' target/package/META.json)
archive=target/package/logwatch-$version.zip
rm -f "$archive"
git archive --format=zip --prefix="logwatch-$version/" --add-file=target/package/META.json --output="$archive" HEAD
echo "$archive"
