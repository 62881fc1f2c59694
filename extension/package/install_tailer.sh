#!/usr/bin/env bash
# Builds logwatch-tailer and installs it with its manual page and completions. Needs cargo and a C
# compiler, and nothing of PostgreSQL.
#
#   extension/package/install_tailer.sh PREFIX
#
# PROFILE names the cargo profile (tailer). Copies with sudo if this user may not write there.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v cargo >/dev/null || {
	echo "install_tailer.sh: cannot find cargo; install Rust (https://rustup.rs or your distribution)" >&2
	exit 1
}
prefix=${DESTDIR:-}$1
profile=${PROFILE:-tailer}

cargo build --profile "$profile" -p logwatch-tailer
# cargo keeps the results of profile dev in target/debug.
built=${CARGO_TARGET_DIR:-target}/${profile/#dev/debug}/logwatch-tailer

sudo=()
mkdir -p "$prefix/bin" 2>/dev/null && [[ -w $prefix/bin ]] || sudo=(sudo)
"${sudo[@]}" install -D -m 755 "$built" "$prefix/bin/logwatch-tailer"

# Installs what the tailer prints for these options as PREFIX/share/FILE.
document() {
	local file=$1
	shift
	"$built" "$@" | "${sudo[@]}" install -D -m 644 /dev/stdin "$prefix/share/$file"
}
document man/man8/logwatch-tailer.8 --man
document bash-completion/completions/logwatch-tailer --completions bash
document zsh/site-functions/_logwatch-tailer --completions zsh
document fish/vendor_completions.d/logwatch-tailer.fish --completions fish

echo "Installed $prefix/bin/logwatch-tailer. To test a set-up, type: logwatch-tailer --check -d DBNAME FILE"
