#!/usr/bin/env bash
# Builds PostgreSQL with assertions (--enable-cassert) from Debian's source package of the server that is installed, below the
# directory given, and prints the path of its pg_config. Called again it changes nothing.
#
# Such a server checks its own state at every step and overwrites memory that is given back: what an extension does wrong in its
# calls ends the server at once instead of going unnoticed. It also tells valgrind which of its memory is in use (USE_VALGRIND), where it
# runs under it; valgrind.supp beside it names what is no fault of the server's. It takes some minutes, and changes nothing of the
# machine's.
set -euo pipefail

[[ $# -eq 1 && -d $1 ]] || {
	echo "usage: cassert_postgres.sh DIRECTORY" >&2
	exit 1
}
tree=$(cd "$1" && pwd -P)/postgres-cassert
major=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1 | cut -d / -f 5)
package=postgresql-$major

# Debian's own archives as apt knows them, but for source packages, with lists of their own.
archives() {
	apt-get indextargets --format 'deb-src $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian'
}

# The newest version that can be had: a mirror may lack the sources of the last security update.
fetch() {
	local sources=(-q -o "Dir::Etc::SourceList=$tree/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o "Dir::State::Lists=$tree/lists" -o APT::Sandbox::User=root)
	archives >"$tree/sources.list"
	apt-get "${sources[@]}" update
	local version
	for version in $(apt-cache "${sources[@]}" showsrc "$package" | sed -n 's/^Version: //p' | sort -rV); do
		(cd "$tree/source" && apt-get "${sources[@]}" source "$package=$version") && return
	done
	echo "cassert_postgres.sh: apt finds no sources of $package" >&2
	return 1
}

if [[ ! -e $tree/stamp ]]; then
	rm -rf "$tree"
	mkdir -p "$tree"/{lists/partial,source}
	{
		fetch
		cd "$tree"/source/*/
		./configure --quiet --prefix="$tree/root" --enable-cassert --enable-debug --with-openssl --without-readline \
			CPPFLAGS=-DUSE_VALGRIND CFLAGS='-O1 -g -fno-omit-frame-pointer'
		# Make's own variables of whoever calls this would reach into the build.
		env -u MAKEFLAGS -u MAKELEVEL make --silent -j "$(nproc)"
		env -u MAKEFLAGS -u MAKELEVEL make --silent install
		cp src/tools/valgrind.supp "$tree/"
		cd "$tree"
		rm -rf source lists
	} >&2
	"$tree/root/bin/pg_config" --version >"$tree/stamp"
fi
printf '%s\n' "$tree/root/bin/pg_config"
