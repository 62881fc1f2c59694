#!/usr/bin/env bash
# Checks what is built in: every crate may be used under a permissive licence, comes from crates.io, and comes once – but for
# those below, which other crates ask for.
set -euo pipefail
cd "$(dirname "$0")/.."

allowed='MIT|0BSD|BSL-1\.0|CC0-1\.0|Apache-2\.0|BSD-3-Clause|ISC|Zlib|Unicode-3\.0|PostgreSQL|CDLA-Permissive-2\.0'
# base64: postgres' 0.22; getrandom, hashbrown, thiserror: ring's, pgrx's and postgres' older ones; const-oid, syn: in the middle of a new major version.
twice='base64 const-oid getrandom hashbrown syn thiserror thiserror-impl'
failed=0

tree() { cargo tree --locked --workspace --prefix none "$@" | sed 's/ (\*)$//' | sort -u | sed '/^$/d'; }

# Of licences joined by OR or / one is enough; of those joined by AND all are needed.
while IFS='|' read -r licence package; do
	rest=$(sed -E 's/[()]//g; s/ WITH LLVM-exception//g; s# ?/ ?# OR #g' <<<"$licence")
	while IFS= read -r needed; do
		tr '|' '\n' <<<"${needed// OR /|}" | grep -Eqx "$allowed" ||
			{ echo "licences.sh: $package is under \"$licence\"" && failed=1; }
	done < <(sed 's/ AND /\n/g' <<<"$rest")
done < <(tree --edges normal,build --format '{l}|{p}')

while read -r name; do
	[[ " $twice " == *" $name "* ]] || { echo "licences.sh: $name is built in more than one version" && failed=1; }
done < <(tree --edges normal --duplicates --depth 0 --format '{p}' | cut -d ' ' -f 1 | uniq)

if [[ $(grep '^source = ' Cargo.lock | cut -d + -f 1 | sort -u) != 'source = "registry' ||
	$(grep '^source = ' Cargo.lock | sort -u | wc -l) != 1 ]]; then
	echo "licences.sh: not all crates are from crates.io"
	failed=1
fi
exit $failed
