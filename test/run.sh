#!/usr/bin/env bash
# Passes all tests on a Debian 12 that has only git and bash: installs packages, builds without
# a warning, and runs layers, regression, isolation and TAP tests against real servers.
#
#     test/run.sh [TAP TEST...]        e.g. test/run.sh test/t/030_cancel.pl
#
# LYFTRON_POSTGRES=17 runs them on that version (postgres.sh has which there are), PG_CONFIG=/path/to/pg_config on
# any other server; nothing is installed into it, the tests work with a copy.  With LYFTRON_KEEP=1 the folder with the
# build and the servers' logs (build/tmp_check) stays.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$REPO/test/mysql9.sh"

install_packages postgresql-15-cron postgresql-15-tds-fdw
case "${*:-redmine}" in *redmine*) install_redmine ;; esac
case "${*:-mysql}" in *mysql*) provide_mysql9 ;; esac
make_scratch test
trap '[ -e "$SCRATCH/data/postmaster.pid" ] && stop_cluster; [ -n "${LYFTRON_KEEP:-}" ] || rm -rf "$SCRATCH"' EXIT
fetch_flights
build_and_install

echo "== layers"
as_server_user $MAKE check-layers

if [ $# = 0 ]; then
	echo "== regression tests"
	start_cluster
	as_server_user env PGUSER=postgres PGHOST="$PGHOST" PGPORT="$PGPORT" PATH="$PGBIN:$PATH" \
		${MAKE/ -s / } installcheck TAP_TESTS= ||
		{ cat "$SCRATCH"/build/regression.diffs "$SCRATCH"/build/output_iso/regression.diffs 2>/dev/null; no_findings; exit 1; }
	stop_cluster
fi

echo "== TAP tests"
failed=0
tests=${*:-test/t/*.pl}
as_server_user env PATH="$PGBIN:$PATH" LYFTRON_FLIGHTS="$FLIGHTS" REDMINE_MISSING="${REDMINE_MISSING:-}" \
	LYFTRON_MYSQL9="${MYSQL9:-}" LYFTRON_MYSQL9_MISSING="${MYSQL9_MISSING:-}" TESTDIR="$SCRATCH/build" \
	TESTDATADIR="$SCRATCH/build/tmp_check" TESTLOGDIR="$SCRATCH/build/tmp_check/log" \
	PG_REGRESS="$PGXS/src/test/regress/pg_regress" \
	sh -c "cd $SCRATCH/build && prove --timer -I test/perl -I $PGXS/src/test/perl $tests" || failed=1
no_findings || failed=1
exit $failed
