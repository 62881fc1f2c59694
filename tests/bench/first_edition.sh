#!/usr/bin/env bash
# Builds the first edition of logwatch (git d6d4b48) for release, once, in target/first-edition.
# Prints the paths of its source, of the pg_config that it is installed for, and of its tailer.
# Exits with 3 where the repository does not have that commit, as in a shallow clone.
set -euo pipefail

commit=d6d4b48
checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
tree=$checkout/target/first-edition

git -C "$checkout" rev-parse --quiet --verify "$commit^{commit}" >/dev/null || exit 3
if [[ ! -d $tree ]]; then
	git -C "$checkout" worktree prune
	git -C "$checkout" worktree add --quiet --detach "$tree" "$commit" >&2
fi
cd "$tree"
unset PGRX_PG_CONFIG_PATH CARGO_TARGET_DIR PG_CONFIG
pg_config=$(LOGWATCH_TREE=postgres-release tests/private_postgres.sh)
if [[ ! -e $tree/target/installed ]]; then
	PGRX_PG_CONFIG_PATH=$pg_config PATH=$checkout/target/tools/bin:$PATH CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND=1 \
		cargo pgrx install --release --package logwatch --pg-config "$pg_config" >&2
	cargo build --release --package logwatch-tailer >&2
	touch "$tree/target/installed"
fi
printf '%s\n' "$tree" "$pg_config" "$tree/target/release/logwatch-tailer"
