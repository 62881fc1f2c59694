#!/usr/bin/env bash
# Builds the Debian packages, checks them with lintian, installs them into a root of their own, uses
# them, and removes them. In release it unpacks and uses the static tailer of tarball and .rpm too.
#
#   extension/package/package_test.sh [debug|release]
#
# Runs as root, because dpkg unpacks as root. Writes only to a temporary directory and
# target/package.
set -euo pipefail
cd "$(dirname "$0")/../.."

step() { printf -- '-- %s\n' "$*"; }

root=$(mktemp -d)
server=
clean() {
	[[ -z $server ]] || kill -QUIT "$server" 2>/dev/null || true
	rm -rf "$root"
}
trap clean EXIT
chmod 755 "$root"

profile=${1:-debug}
pg_config=$(extension/package/private_postgres.sh)
extension/package/package.sh "$pg_config" "$profile"
debs=(target/package/*.deb)
[[ ${#debs[@]} == 2 ]]
step "SHA256SUMS"
(cd target/package && sha256sum --check --quiet --strict SHA256SUMS)
[[ $(wc -l <target/package/SHA256SUMS) == "$(find target/package -type f ! -name SHA256SUMS | wc -l)" ]]
step "bills of materials"
for needed in logwatch:pgrx logwatch-tailer:memchr; do
	jq --exit-status --arg crate "${needed#*:}" '
		.bomFormat == "CycloneDX" and .specVersion == "1.5" and .metadata.component.version != null
		and any(.components[]; .name == $crate and .licenses[0].expression != null and (.hashes[0].content | length) == 64)
		and ([.components[]."bom-ref"] as $known | all(.dependencies[].dependsOn[]; IN($known[])))
	' "target/package/${needed%:*}.cdx.json" >/dev/null
done
step "the archive for PGXN"
# A checkout without git or without its history has none.
if git rev-parse --verify --quiet HEAD >/dev/null; then
	python3 - target/package/logwatch-*.zip <<'PYTHON'
# Checks the requirements of PGXN's Meta Spec 1.0.0.
import json, re, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
top = sys.argv[1].rsplit("/", 1)[1].removesuffix(".zip") + "/"
names = archive.namelist()
assert all(name.startswith(top) for name in names), names
meta = json.loads(archive.read(top + "META.json"))
assert top == f"{meta['name']}-{meta['version']}/", top
for file in ("Makefile", "Cargo.lock", "LICENSE", "extension/logwatch.control", "tests/regress/run.sh"):
    assert top + file in names, file
semver = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")
for key in ("name", "abstract", "version", "maintainer", "license", "provides", "meta-spec"):
    assert meta[key], key
assert re.match(r"[^/\\\x00-\x20\x7f]{2,}$", meta["name"]), meta["name"]
assert meta["release_status"] in ("stable", "testing", "unstable")
assert all(re.match(r"[^/\\\x00-\x1f\x7f]{2,255}$", tag) for tag in meta["tags"]), meta["tags"]
assert meta["license"] == "postgresql" and semver.match(meta["version"])
assert meta["meta-spec"] == {"version": "1.0.0", "url": "https://pgxn.org/meta/spec.txt"}
for name, extension in meta["provides"].items():
    assert semver.match(extension["version"]), name
    for file in (extension["file"], extension["docfile"]):
        assert top + file in names, file
for requires in meta["prereqs"]["runtime"].values():
    assert all(semver.match(version) for version in requires.values()), requires
PYTHON
fi

if command -v lintian >/dev/null; then
	step "lintian"
	# A debug build of Rust is larger than Debian allows; only errors count.
	lintian --no-cfg --allow-root --fail-on error --tag-display-limit 0 "${debs[@]}"
fi

step "install"
tree=$pg_config
until [[ -e $tree/stamp ]]; do tree=$(dirname "$tree"); done
cp -a "$tree/." "$root/"
find "$root" -name 'logwatch*' -not -type d -delete
mkdir -p "$root"/var/lib/dpkg/{info,updates}
touch "$root/var/lib/dpkg/status"
# The private root has PostgreSQL, but its dpkg does not know it.
dpkg --root="$root" --force-depends --force-script-chrootless --log=/dev/null -i "${debs[@]}" 2>&1 | grep -v 'depends on\|however\|dependency problems\|^$\|Package .* is not installed' || true
dpkg --root="$root" -l postgresql-\*-logwatch logwatch-tailer | grep -c '^ii' | grep -qx 2
for file in usr/bin/logwatch-tailer lib/systemd/system/logwatch-tailer@.service usr/share/man/man8/logwatch-tailer.8.gz \
	usr/share/bash-completion/completions/logwatch-tailer usr/share/zsh/vendor-completions/_logwatch-tailer \
	usr/share/fish/vendor_completions.d/logwatch-tailer.fish usr/share/doc/logwatch-tailer/examples/logwatch-tailer.cron.d \
	usr/share/doc/logwatch-tailer/examples/logwatch-tailer.logrotate; do
	test -s "$root/$file"
done
bash -n "$root/usr/share/bash-completion/completions/logwatch-tailer"

step "third-party notices"
for notices in "$root"/usr/share/doc/{postgresql-*-logwatch,logwatch-tailer}/THIRD_PARTY.txt.gz; do
	for needed in '^ring [0-9.]+: Apache-2.0 AND ISC$' '^memchr [0-9.]+: Unlicense OR MIT$' \
		'^Permission is hereby granted, free of charge' '^ +Apache License$'; do
		grep -Eq "$needed" <(zcat "$notices") || {
			echo "$notices has no line $needed" >&2
			exit 1
		}
	done
done

step "use"
bin=$(dirname "$(find "$root/usr/lib/postgresql" -name initdb)")
as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8)
install -d -o postgres -g postgres "$root/data" "$root/socket"
"${as_postgres[@]}" "$bin/initdb" --auth=trust --username=postgres --encoding=UTF8 --no-sync --pgdata="$root/data" >/dev/null
printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$root/socket'" "fsync = off" "shared_preload_libraries = 'logwatch'" >>"$root/data/postgresql.conf"
"${as_postgres[@]}" "$bin/postgres" -D "$root/data" >"$root/log" 2>&1 &
server=$!
export PGHOST=$root/socket PGUSER=postgres PGDATABASE=postgres
for _ in {1..300}; do psql -Xqc 'SELECT 1' >/dev/null 2>&1 && break || sleep 0.1; done
psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION logwatch'
echo 'FATAL disk full' >"$root/app.log"
"$root/usr/bin/logwatch-tailer" --once --from-beginning --source app "$root/app.log"
if [[ $profile == release ]]; then
	step "the static tailer"
	mkdir "$root"/{tarball,rpm}
	tar -xzf target/package/logwatch-tailer-*-linux-musl.tar.gz --strip-components=1 -C "$root/tarball"
	# An .rpm is a header of tags, and an archive of cpio that this one compresses with gzip.
	python3 - target/package/logwatch-tailer-*.rpm <<-'PYTHON' | (cd "$root/rpm" && cpio --extract --make-directories --quiet)
		import gzip, struct, sys
		rpm = open(sys.argv[1], "rb").read()
		at = 96
		for _ in ("signature", "header"):
		    at += -at % 8
		    count, size = struct.unpack(">II", rpm[at + 8 : at + 16])
		    at += 16 + 16 * count + size
		sys.stdout.buffer.write(gzip.decompress(rpm[at:]))
	PYTHON
	for file in usr/lib/systemd/system/logwatch-tailer@.service usr/share/man/man8/logwatch-tailer.8.gz \
		usr/share/bash-completion/completions/logwatch-tailer usr/share/zsh/site-functions/_logwatch-tailer \
		usr/share/fish/vendor_completions.d/logwatch-tailer.fish usr/share/doc/logwatch-tailer/{LICENSE,THIRD_PARTY.txt,logwatch-tailer.cron.d}; do
		test -s "$root/rpm/$file"
	done
	for tailer in "$root/tarball/logwatch-tailer" "$root/rpm/usr/bin/logwatch-tailer"; do
		[[ $(ldd "$tailer" 2>&1) == *"statically linked"* ]]
		echo 'FATAL disk full' >>"$root/app.log"
		"$tailer" --once --source app "$root/app.log"
	done
	[[ $(psql -XAtc 'SELECT count(*) FROM logwatch.entries') == 3 ]]
	rm -r "$root"/{tarball,rpm}
fi
for _ in {1..300}; do grep -q 'FIRING:1' "$root/log" && break || sleep 0.1; done
grep -q 'FIRING:1' "$root/log"
psql -XAtc "SELECT state FROM logwatch_status() WHERE component = 'worker'" | grep -qx running
kill -INT "$server"
wait "$server" || true
server=

step "remove"
dpkg --root="$root" --force-script-chrootless --log=/dev/null --purge logwatch-tailer "$(dpkg --root="$root" -l 'postgresql-*-logwatch' | sed -n 's/^ii  \([^ ]*\).*/\1/p')"
left=$(find "$root" -path "$root/var" -prune -o -path "$root/data" -prune -o -name "*logwatch*" -print)
[[ -z $left ]] || {
	echo "left behind: $left" >&2
	exit 1
}
step "the packages are good"
