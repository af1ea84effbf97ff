#!/usr/bin/env bash
# Passes all tests on every PostgreSQL that Lyftron supports, one after the other, on one Debian 12; and on builds
# that watch what the extension does: with asserts, under Valgrind, with the sanitizers.
#
#     test/matrix.sh [POSTGRES...]      e.g. test/matrix.sh 17 cassert; 15 16 17 18 if none is named
#
# postgres.sh has which there are.  What a run said is kept in $LYFTRON_LOGS (matrix-NAME.log), a new folder if not set.
set -uo pipefail

LOGS=${LYFTRON_LOGS:-$(mktemp -d /tmp/lyftron-matrix.XXXXXX)}
passed=0
failed=0

[ $# -gt 0 ] || set -- 15 16 17 18
for version in "$@"; do
	log=$LOGS/matrix-$version.log
	start=$SECONDS
	if LYFTRON_POSTGRES=$version bash "$(dirname "$0")/run.sh" >"$log" 2>&1; then
		result=passed
		passed=$((passed + 1))
	else
		result=failed
		failed=$((failed + 1))
		tail -n 60 "$log"
	fi
	echo "PostgreSQL $version $result, $((SECONDS - start)) s: $(grep -oE '^(# )?All [0-9]+ tests passed|^Files=[0-9]+, Tests=[0-9]+' "$log" | paste -sd' ')"
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
