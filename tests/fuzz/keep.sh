#!/usr/bin/env bash
# Takes the fewest inputs that still reach all that fuzzing has reached into tests/fuzz/corpus.
#
#   tests/fuzz/keep.sh [TARGET…]
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t all < <(ls tests/fuzz/targets | sed 's/\.rs$//')
targets=("${@:-${all[@]}}")
source tests/fuzz/build.sh

for target in "${targets[@]}"; do
	corpus=target/fuzz/corpus/$target
	fewest=target/fuzz/fewest/$target
	unpacked "$target" "$corpus"
	rm -rf "$fewest"
	mkdir -p "$fewest"
	"$(program "$target")" -set_cover_merge=1 -max_len=300 "$fewest" "$corpus" 2>&1 | tail -n 1
	cargo run --quiet -p logwatch-fuzz --example corpus -- pack "$target" "$fewest"
done
du -cb tests/fuzz/corpus/*.txt
