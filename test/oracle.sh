#!/usr/bin/env bash
# Compares this build with the reference engine: the requests and records of real manifests, against the same
# made-up service. Needs the folder with the comparison beside the repository, and the package registry once.
#
#     test/oracle.sh [MANIFEST...]     all manifests of the comparison if none is named
#
# LYFTRON_ORACLE names the folder if it is elsewhere, ORACLE_OPTIONS further options of compare.py.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ORACLE=${LYFTRON_ORACLE:-$REPO/../shared/oracle}
[ -e "$ORACLE/compare.py" ] || { echo "there is no compare.py in $ORACLE (LYFTRON_ORACLE names the folder)" >&2; exit 2; }
manifests=()
for manifest in "$@"; do manifests+=("$(realpath "$manifest")"); done
[ $# -gt 0 ] || manifests=("$(realpath "$ORACLE")"/manifests/*.yaml)

install_packages python3-venv
make_scratch oracle
trap '[ -e "$SCRATCH/data/postmaster.pid" ] && stop_cluster; rm -rf "$SCRATCH"' EXIT

# The marker comes last: an installation that broke off is made anew.
VENV=$CACHE/oracle-7.39.1
if [ ! -e "$VENV/complete" ]; then
	echo "== fetching the reference engine"
	rm -rf "$VENV"
	mkdir -p "$CACHE"
	python3 -m venv "$VENV"
	"$VENV/bin/pip" -q --disable-pip-version-check install airbyte-cdk==7.39.1
	touch "$VENV/complete"
fi

build_and_install
start_cluster
export PGUSER=postgres PGDATABASE=postgres PATH="$PGBIN:$PATH"
psql -Xq -c 'CREATE EXTENSION lyftron'

echo "== comparing ${#manifests[@]} manifests"
# shellcheck disable=SC2086
(cd "$SCRATCH" && PYTHONDONTWRITEBYTECODE=1 "$VENV/bin/python" "$(realpath "$ORACLE")/compare.py" "${manifests[@]}" \
	--port "$(free_port)" --max-streams 2 ${ORACLE_OPTIONS:-})
