#!/usr/bin/env bash
# Builds a tarball with the tailer as a program without shared libraries, for Linux of any
# distribution. Does nothing where Rust's target or musl's compiler is not installed.
#
#   extension/package/static_tailer.sh FOLDER [PROFILE OF CARGO]
set -euo pipefail
cd "$(dirname "$0")/../.."

out=$(realpath "$1")
profile=${2:-tailer}
target=$(uname -m)-unknown-linux-musl
if [[ ! -d $(rustc --print sysroot)/lib/rustlib/$target ]] || ! command -v musl-gcc >/dev/null; then
	echo "static_tailer.sh: no static tailer: type rustup target add $target, and install musl-tools" >&2
	exit 0
fi
cargo build --profile "$profile" --target "$target" -p logwatch-tailer >&2
built=target/$target/${profile/#dev/debug}/logwatch-tailer
version=$("$built" --version | cut -d ' ' -f 2)
name=logwatch-tailer-$version-$target
stage=target/static-tailer
rm -rf "$stage"
install -D -m 755 "$built" "$stage/$name/logwatch-tailer"
"$built" --man >"$stage/$name/logwatch-tailer.8"
for shell in bash zsh fish; do
	"$built" --completions "$shell" >"$stage/$name/logwatch-tailer.$shell"
done
extension/package/third_party.sh logwatch-tailer >"$stage/$name/THIRD_PARTY.txt"
install -m 644 -t "$stage/$name" LICENSE CHANGELOG.md tailer/README.md "tailer/logwatch-tailer@.service" tailer/package/*
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}" \
	-C "$stage" -czf "$out/$name.tar.gz" "$name"
rm -rf "$stage"
