#!/usr/bin/env bash
# Prints names, licences and licence texts of all crates that a package of the workspace builds
# in.
#
#   extension/package/third_party.sh PACKAGE [OPTION OF cargo tree]...
#
# The texts come from the sources that cargo has fetched. Each different text is printed once, after
# the crates that carry it.
set -euo pipefail
cd "$(dirname "$0")/../.."

package=$1
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src
declare -A text crates
bare=()

echo "Third-party software in $package"
echo
echo "The Rust standard library: MIT OR Apache-2.0"
while IFS='|' read -r crate licence; do
	read -r name version _ <<<"$crate"
	folder=$(printf '%s\n' "$sources"/*/"$name-${version#v}" | head -n 1)
	[[ -d $folder ]] || {
		echo "third_party.sh: no sources of $name $version in $sources; type cargo fetch" >&2
		exit 1
	}
	echo "$name ${version#v}: $licence"
	found=
	while IFS= read -r file; do
		sum=$(tr -d '\r' <"$file" | sed 's/[ \t]*$//' | sha256sum | cut -c 1-64)
		text[$sum]=$file
		[[ " ${crates[$sum]:-} " == *" $name "* ]] || crates[$sum]+="${crates[$sum]:+ }$name"
		found=yes
	done < <(find "$folder" -maxdepth 2 -type f \( -iname 'LICEN[SC]E*' -o -iname 'COPYING*' -o -iname 'NOTICE*' \) ! -name '*.rs' | sort)
	[[ $found ]] || bare+=("$name")
done < <(cargo tree --locked --package "$package" --edges normal,no-proc-macro --prefix none --format '{p}|{l}' "${@:2}" |
	grep -v ' (/' | sed 's/ (\*)$//' | sort -u)

if ((${#bare[@]})); then
	echo
	echo "These crates name their licence but contain no text of it: ${bare[*]}" | fold -s -w 100
fi
for sum in $(for sum in "${!text[@]}"; do echo "${crates[$sum]// /,} $sum"; done | sort | cut -d ' ' -f 2); do
	printf '\n%s\n%s\n\n' "$(printf '=%.0s' {1..80})" "${crates[$sum]}" | fold -s -w 100
	cat "${text[$sum]}"
done
