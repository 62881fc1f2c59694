#!/usr/bin/env bash
# Builds the tailer of the previous release and prints where it is.
#
#   tests/upgrade/previous_tailer.sh
#
# The file previous_tailer names the release's commit; before the first release, one of this
# version.
set -euo pipefail
cd "$(dirname "$0")/../.."

commit=$(grep -v '^#' tests/upgrade/previous_tailer)
there=$PWD/target/previous
if [[ $(cat "$there/commit" 2>/dev/null) != "$commit" ]]; then
	rm -rf "$there/source"
	mkdir -p "$there/source"
	git archive "$commit" | tar -x -C "$there/source"
	(cd "$there/source" && CARGO_TARGET_DIR=$there/target cargo build --locked -p logwatch-tailer) >&2
	rm -rf "$there/source"
	echo "$commit" >"$there/commit"
fi
echo "$there/target/debug/logwatch-tailer"
