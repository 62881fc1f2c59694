#!/usr/bin/env bash
# Builds PostgreSQL with assertions (--enable-cassert) below the given directory and prints the path
# of its pg_config. It uses Debian's source package of the installed server, takes some minutes, and
# changes nothing else on the machine. A second call changes nothing.
#
# Such a server checks its own state at every step and overwrites freed memory: a wrong call of an
# extension ends the server at once instead of going unnoticed. The server also reports its memory
# use to valgrind (USE_VALGRIND) if it runs under it; PostgreSQL's own valgrind.supp, copied beside
# it, lists harmless reports.
set -euo pipefail

[[ $# -eq 1 && -d $1 ]] || {
	echo "usage: cassert_postgres.sh DIRECTORY" >&2
	exit 1
}
tree=$(cd "$1" && pwd -P)/postgres-cassert
major=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1 | cut -d / -f 5)
package=postgresql-$major

# Prints a sources.list of the source packages of Debian's own archives, which apt knows already.
archives() {
	apt-get indextargets --format 'deb-src $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian'
}

# Fetches the newest sources; a mirror may lack those of the last security update.
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
		# The variables of a calling make would reach into this build.
		env -u MAKEFLAGS -u MAKELEVEL make --silent -j "$(nproc)"
		env -u MAKEFLAGS -u MAKELEVEL make --silent install
		cp src/tools/valgrind.supp "$tree/"
		cd "$tree"
		rm -rf source lists
	} >&2
	"$tree/root/bin/pg_config" --version >"$tree/stamp"
fi
printf '%s\n' "$tree/root/bin/pg_config"
