#!/usr/bin/env bash
# Fuzzes the targets, each for an equal share of the time, and says how many inputs were tried and
# what was found.
#
#   tests/fuzz/run.sh MINUTES [TARGET…]
#
# New inputs stay in target/fuzz/corpus, where the next run goes on; tests/fuzz/keep.sh takes the
# best of them into the repository. An input that breaks something is in target/fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/../.."

minutes=${1:?usage: run.sh MINUTES [TARGET…]}
shift
mapfile -t all < <(ls tests/fuzz/targets | sed 's/\.rs$//')
targets=("${@:-${all[@]}}")
source tests/fuzz/build.sh

seconds=$(awk -v minutes="$minutes" -v count=${#targets[@]} 'BEGIN { printf "%d", minutes * 60 / count + 0.5 }')
failed=0
mkdir -p target/fuzz/found
for target in "${targets[@]}"; do
	corpus=target/fuzz/corpus/$target
	unpacked "$target" "$corpus"
	log=target/fuzz/$target.log
	"$(program "$target")" "$corpus" -max_total_time="$seconds" -max_len=600 -timeout=10 -rss_limit_mb=2048 -dict=tests/fuzz/words.dict \
		-artifact_prefix="target/fuzz/found/$target-" -print_final_stats=1 >"$log" 2>&1 && found=nothing || found="see $log" failed=1
	printf '%-12s %12s inputs tried in %s s, found: %s\n' "$target" \
		"$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$seconds" "$found"
done
exit $failed
