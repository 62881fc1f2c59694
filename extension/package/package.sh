#!/usr/bin/env bash
# Builds the Debian packages postgresql-MAJOR-logwatch and logwatch-tailer, the tailer as a static
# program in a tarball and in an .rpm, the bills of materials, the archive for PGXN and SHA256SUMS,
# into target/package/.
#
#   extension/package/package.sh PG_CONFIG [release|debug]
#
# The version comes from Cargo.toml, the maintainer from DEBFULLNAME and DEBEMAIL. The script stages
# a tree, writes a control file and runs dpkg-deb; debhelper is not needed.
set -euo pipefail
cd "$(dirname "$0")/../.."

pg_config=$(command -v "$1") || {
	echo "package.sh: cannot find $1; type make package PG_CONFIG=/path/to/pg_config" >&2
	exit 1
}
profile=${2:-release}
if [[ $profile == release ]]; then
	as_pgrx=() as_cargo=(--profile tailer) built=target/tailer
else
	as_pgrx=(--debug) as_cargo=() built=target/debug
fi

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
major=$("$pg_config" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
architecture=$(dpkg --print-architecture)
revision=$version-1
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
out=$PWD/target/package
maintainer="${DEBFULLNAME:-logwatch} <${DEBEMAIL:-logwatch@example.org}>"
rm -rf "$out"
mkdir -p "$out"

# Adds the licence, the changelog and the manuals. $1: package.
documents() {
	local doc=$out/$1.tree/usr/share/doc/$1
	install -d "$doc/examples"
	{
		echo "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
		echo "Upstream-Name: logwatch"
		echo
		echo "Files: *"
		grep -m 1 '^Copyright' LICENSE | sed 's/^Copyright *(c) */Copyright: /'
		echo "License: PostgreSQL"
		grep -v '^Copyright\|^The PostgreSQL License' LICENSE | sed '/./,$!d' | sed 's/^$/./; s/^/ /'
	} >"$doc/copyright"
	{
		echo "logwatch ($revision) unstable; urgency=medium"
		echo
		echo "  * See CHANGELOG.md."
		echo
		echo " -- $maintainer  $(date --utc --date="@$epoch" -R)"
	} | gzip -9n >"$doc/changelog.Debian.gz"
	gzip -9nc CHANGELOG.md >"$doc/changelog.gz"
	local manual
	for manual in README.md {extension,tailer,sql,tests}/README.md; do
		install -d "$doc/$(dirname "$manual")"
		gzip -9nc "$manual" >"$doc/$manual.gz"
	done
}

# Adds the licences of the crates that are built in. $1: crate, the rest: options of cargo tree.
third_party() {
	extension/package/third_party.sh "$@" | gzip -9n >"$tree/usr/share/doc/$package/THIRD_PARTY.txt.gz"
}

# Prints the dependencies of programs and libraries in Debian's syntax. $1: package, the rest:
# files.
libraries() {
	local work
	work=$(mktemp -d)
	mkdir "$work/debian"
	printf 'Source: logwatch\n\nPackage: %s\nArchitecture: any\n' "$1" >"$work/debian/control"
	(cd "$work" && dpkg-shlibdeps -O "${@:2}" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
	rm -rf "$work"
}

# Writes the control file and builds the package. $1: package, $2: dependencies, $3: summary, the
# rest: the lines of the description.
finish() {
	local tree=$out/$1.tree
	install -d "$tree/DEBIAN"
	{
		echo "Package: $1"
		echo "Version: $revision"
		echo "Architecture: $architecture"
		echo "Maintainer: $maintainer"
		echo "Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f 1)"
		echo "Depends: $2"
		echo "Section: database"
		echo "Priority: optional"
		echo "Description: $3"
		printf ' %s\n' "${@:4}"
	} >"$tree/DEBIAN/control"
	(cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
	find "$tree" -newermt "@$epoch" -print0 | xargs -0r touch --no-dereference --date="@$epoch"
	dpkg-deb --root-owner-group --build "$tree" "$out/${1}_${revision}_$architecture.deb" >&2
	rm -rf "$tree"
}

export PGRX_PG_CONFIG_PATH=$pg_config
package=postgresql-$major-logwatch
tree=$out/$package.tree
cargo pgrx package "${as_pgrx[@]}" --package logwatch --pg-config "$pg_config" --out-dir "$out/staged" >&2
# The staged tree has the paths of pg_config; Debian's paths are below.
install -D -m 644 "$(find "$out/staged" -name logwatch.so)" "$tree/usr/lib/postgresql/$major/lib/logwatch.so"
strip --strip-unneeded "$tree/usr/lib/postgresql/$major/lib/logwatch.so"
install -d "$tree/usr/share/postgresql/$major/extension"
find "$out/staged" \( -name 'logwatch*.sql' -o -name logwatch.control \) -exec install -m 644 -t "$tree/usr/share/postgresql/$major/extension" {} +
rm -rf "$out/staged"
documents "$package"
third_party logwatch --no-default-features --features "pg$major"
install -m 644 -t "$tree/usr/share/doc/$package/examples" sql/integrations/*.sql sql/integrations/*.json sql/integrations/*.yml
install -m 755 -t "$tree/usr/share/doc/$package/examples" sql/integrations/check_logwatch
finish "$package" "postgresql-$major, $(libraries "$package" "$tree/usr/lib/postgresql/$major/lib/logwatch.so")" \
	"alerting on your logs, inside PostgreSQL" \
	"The extension logwatch stores ERROR and FATAL records of log files, compares" \
	"them with rules, keeps alerts as rows and sends notifications by e-mail," \
	"webhook, in a file and in the server log. logwatch-tailer brings the records."

package=logwatch-tailer
tree=$out/$package.tree
cargo build "${as_cargo[@]}" -p logwatch-tailer >&2
install -D -m 755 "$built/logwatch-tailer" "$tree/usr/bin/logwatch-tailer"
strip "$tree/usr/bin/logwatch-tailer"
install -D -m 644 -t "$tree/lib/systemd/system" "tailer/logwatch-tailer@.service"
install -d "$tree/usr/share/man/man8" "$tree/usr/share/bash-completion/completions" "$tree/usr/share/zsh/vendor-completions" "$tree/usr/share/fish/vendor_completions.d"
"$built/logwatch-tailer" --man | gzip -9n >"$tree/usr/share/man/man8/logwatch-tailer.8.gz"
"$built/logwatch-tailer" --completions bash >"$tree/usr/share/bash-completion/completions/logwatch-tailer"
"$built/logwatch-tailer" --completions zsh >"$tree/usr/share/zsh/vendor-completions/_logwatch-tailer"
"$built/logwatch-tailer" --completions fish >"$tree/usr/share/fish/vendor_completions.d/logwatch-tailer.fish"
documents "$package"
third_party logwatch-tailer
install -m 644 -t "$tree/usr/share/doc/$package/examples" tailer/package/*
finish "$package" "$(libraries "$package" "$tree/usr/bin/logwatch-tailer")" \
	"streams the errors of log files into PostgreSQL" \
	"Follows log files through rotation and restarts and brings their ERROR and" \
	"FATAL records into the PostgreSQL extension logwatch, each exactly once."

# A tree without its history, such as that archive, cannot make it again.
if git rev-parse --verify --quiet HEAD >/dev/null; then
	extension/package/dist.sh >&2
else
	extension/package/meta.sh >"$out/META.json"
fi

# For distributions without dpkg. Not part of a debug build, which is that of the test.
if [[ $profile == release ]]; then
	extension/package/static_tailer.sh "$out"
	extension/package/rpm_tailer.sh "$out"
fi
extension/package/sbom.sh logwatch --no-default-features --features "pg$major" >"$out/logwatch.cdx.json"
extension/package/sbom.sh logwatch-tailer >"$out/logwatch-tailer.cdx.json"
(cd "$out" && sha256sum -- * >"$OLDPWD/target/SHA256SUMS" && mv "$OLDPWD/target/SHA256SUMS" .)
ls -1 "$out"
