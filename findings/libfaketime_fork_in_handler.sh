#!/usr/bin/env bash
# A child that is forked in a signal handler while its parent sleeps in select() has the real clock
# for ever, under libfaketime.
#
# Expected: the child has the faked clock, as any other child of that program has. A
# daemon may fork in a handler: PostgreSQL's postmaster did so up to version 15.
# Seen with 0.9.10 (Debian 12): the library notes in a variable of the thread that it calls the
# original select(), so that calls from within are not faked. The handler runs during that call, and
# fork() copies the variable. In the child nothing resets it: time() tells the real time. A program
# that runs under a faked clock thus gets a process with another clock, without a message.
#
# Downloads the package with apt-get and uses it unpacked. Needs a C compiler.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -q libfaketime=0.9.10-2.1 >/dev/null 2>&1 || { echo "needs Debian 12's apt"; exit 2; }
dpkg-deb -x libfaketime_*.deb unpacked
cat >clock.c <<'C'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t forked;

static void print_year(void) {
	time_t now = time(NULL);
	printf("%d\n", gmtime(&now)->tm_year + 1900);
	fflush(stdout);
}

static void fork_and_print(int number) {
	pid_t child = fork();
	if (child == 0) {
		print_year();
		_exit(0);
	}
	waitpid(child, NULL, 0);
	forked = number;
}

int main(int count, char **arguments) {
	(void)arguments;
	if (count == 1) {
		fork_and_print(1);
		return 0;
	}
	struct sigaction action = {.sa_handler = fork_and_print};
	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	while (!forked) {
		struct timeval minute = {60, 0};
		select(0, NULL, NULL, NULL, &minute);
	}
	return 0;
}
C
cc -o clock clock.c
fake() { LD_PRELOAD=$(echo "$work"/unpacked/usr/lib/*/faketime/libfaketimeMT.so.1) FAKETIME='@2031-05-05 00:00:00' "$@"; }
outside=$(fake ./clock) inside=$(fake ./clock in-handler)
echo "libfaketime 0.9.10, clock faked to 2031: a forked child has the year $outside; one forked in a handler during select(), $inside"
[[ $outside == 2031 && $inside == "$(date -u +%Y)" ]] || { echo "the behaviour has changed"; exit 1; }
