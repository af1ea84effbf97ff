#!/usr/bin/env bash
# Passes all tests on a Debian 12 that has only git and bash: installs packages, builds without
# a warning, and runs layers, regression, isolation and TAP tests against real servers.
#
#     test/run.sh [TAP TEST...]        e.g. test/run.sh test/t/030_cancel.pl
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

install_packages
make_scratch test
trap '[ -e "$SCRATCH/data/postmaster.pid" ] && stop_cluster; rm -rf "$SCRATCH"' EXIT
fetch_flights
build_and_install
MAKE="make -s -C $SCRATCH/build PG_CONFIG=$PGBIN/pg_config with_llvm=no COPT=-Werror"

echo "== layers"
as_server_user $MAKE check-layers

if [ $# = 0 ]; then
	echo "== regression tests"
	start_cluster
	as_server_user env PGUSER=postgres PGHOST="$PGHOST" PGPORT="$PGPORT" PATH="$PGBIN:$PATH" \
		make -C "$SCRATCH/build" PG_CONFIG="$PGBIN/pg_config" with_llvm=no COPT=-Werror installcheck TAP_TESTS= ||
		{ cat "$SCRATCH"/build/regression.diffs "$SCRATCH"/build/output_iso/regression.diffs 2>/dev/null; exit 1; }
	stop_cluster
fi

echo "== TAP tests"
tests=${*:-test/t/*.pl}
as_server_user env PATH="$PGBIN:$PATH" LYFTRON_FLIGHTS="$FLIGHTS" TESTDIR="$SCRATCH/build" \
	PG_REGRESS="/usr/lib/postgresql/$PGVERSION/lib/pgxs/src/test/regress/pg_regress" \
	sh -c "cd $SCRATCH/build && prove --timer -I test/perl -I /usr/lib/postgresql/$PGVERSION/lib/pgxs/src/test/perl $tests"
