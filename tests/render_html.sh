#!/usr/bin/env bash
# Renders an HTML file as a picture with headless Chromium, at a width in pixels, for a screen that
# prefers light or dark.
#
#   tests/render_html.sh FILE.html WIDTH FILE.png [light|dark [HEIGHT]]
set -euo pipefail

chromium=$(command -v chromium || command -v chromium-browser) || {
	echo "render_html.sh: there is no chromium; apt-get install chromium" >&2
	exit 1
}
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
"$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
	--disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$profile" \
	--blink-settings="preferredColorScheme=$([[ ${4:-light} == dark ]] && echo 0 || echo 1)" --window-size="$2,${5:-1000}" --screenshot="$(realpath -m "$3")" "file://$(realpath "$1")" >/dev/null 2>&1
test -s "$3"
