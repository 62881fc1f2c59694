#!/usr/bin/env bash
# Prints a bill of materials of a package of the workspace, in CycloneDX's JSON, version 1.5: each
# crate that is built in, with its licence, its sum and who needs whom.
#
#   extension/package/sbom.sh PACKAGE [OPTION OF cargo tree]...
#
# cargo-cyclonedx is a large program to build, and writes into the folders of all members.
set -euo pipefail
cd "$(dirname "$0")/../.."

package=$1
# The crates of this build: cargo metadata also has those of other features and platforms.
crates=$(cargo tree --locked --package "$package" --edges normal --prefix none --format '{p}' "${@:2}" |
	sed 's/ (.*//; s/ v/@/' | sort -u | jq -R . | jq -sc .)
# Cargo.lock has the sums.
sums=$(awk '/^name = /{n=$3} /^version = /{v=$3} /^checksum = /{gsub(/"/,"",n); gsub(/"/,"",v); print n "@" v, $3}' Cargo.lock |
	tr -d '"' | jq -Rn '[inputs | split(" ") | {key: .[0], value: .[1]}] | from_entries')
cargo metadata --locked --format-version 1 |
	jq --sort-keys --arg package "$package" --argjson crates "$crates" --argjson sums "$sums" '
		def name: "\(.name)@\(.version)";
		def purl: "pkg:cargo/\(name)";
		(.packages | map({key: .id, value: .}) | from_entries) as $all
		| ($all | map_values(select(name as $n | $crates | index([$n])))) as $built
		| ($built | map(select(.name == $package)) | first) as $main
		| {
			bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
			metadata: {component: {type: "application", "bom-ref": ($main | purl), name: $package, version: $main.version}},
			components: [
				$built[] | select(.name != $package)
				| {
					type: "library", "bom-ref": purl, name, version, purl: purl,
					licenses: (if .license then [{expression: (.license | gsub("/"; " OR "))}] else [] end),
					hashes: ($sums[name] | if . then [{alg: "SHA-256", content: .}] else [] end)
				}
			] | sort_by(.purl),
			dependencies: [
				.resolve.nodes[] | select($built[.id])
				| {ref: ($built[.id] | purl), dependsOn: ([.dependencies[] | $built[.] | select(.) | purl] | sort)}
			] | sort_by(.ref)
		}'
