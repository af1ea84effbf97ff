#!/usr/bin/env bash
# How fast rows of MariaDB are read into a table, joined, found by their key, and written: Lyftron beside a C client, COPY,
# mysql_fdw, pgloader, dlt and a pipe of clients, on this machine, with one command. Installs what it needs with apt and
# pip, makes the rows once, has a MariaDB and a cluster of its own on loopback, and prints medians of the rounds as
# tables, with the goals and whether they are met.
#
#     test/bench/mysql/run.sh [ROUNDS] [ROWS] [OPTION...]       3 rounds, 2,000,000 rows
#
#     --few=N            so many rows for pgloader and dlt, which take long (200,000); all: as many as the others
#     --no-peers         without them and the other peers
#     --only=A,B         only these contenders (their names are printed with each round)
#     --profile=A,B      these under perf instead: what their backends do
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
. "$REPO/test/bench/common.sh"
HERE=$REPO/test/bench/mysql

loader_options 2000000 200000 "$@"
WRITE=$((NUMBER < 100000 ? NUMBER : 100000))

make_rows() {
	ROWS=$CACHE/bench-rows-$NUMBER
	[ -e "$ROWS" ] && return
	echo "== making $NUMBER rows"
	mkdir -p "$CACHE"
	python3 "$HERE/generate.py" "$ROWS.part" "$NUMBER"
	chmod a+r "$ROWS.part"
	mv "$ROWS.part" "$ROWS"
}

# A server with its defaults but that all of the rows fit into its memory.
start_mariadb() {
	local options="--no-defaults --datadir=$SCRATCH/mariadb --tmpdir=$SCRATCH"
	echo "== filling MariaDB"
	as_server_user mariadb-install-db $options --auth-root-authentication-method=normal --skip-test-db >"$SCRATCH/mariadb.log"
	MARIADB_PORT=$(free_port)
	SOURCE="mariadb --no-defaults --socket=$SCRATCH/mariadb.sock --user=root"
	as_server_user /usr/sbin/mariadbd $options --bind-address=127.0.0.1 --port="$MARIADB_PORT" --socket="$SCRATCH/mariadb.sock" \
		--pid-file="$SCRATCH/mariadb.pid" --character-set-server=utf8mb4 --innodb-buffer-pool-size=1G >"$SCRATCH/mariadb.log" 2>&1 &
	until $SOURCE -e "SELECT 1" >/dev/null 2>&1; do
		kill -0 $! || { cat "$SCRATCH/mariadb.log"; exit 1; }
		sleep 0.1
	done
	MARIADB=$(cat "$SCRATCH/mariadb.pid")
	{
		cat "$HERE/source.sql"
		echo "LOAD DATA LOCAL INFILE '$ROWS' INTO TABLE lineitem CHARACTER SET utf8mb4;"
		echo "INSERT INTO few SELECT * FROM lineitem WHERE id <= $FEW;"
		echo "ANALYZE TABLE lineitem, few;"
	} | $SOURCE --local-infile >/dev/null
	SOURCE="$SOURCE --database=bench --default-character-set=utf8mb4"
}

stop_all() {
	[ -z "${MARIADB:-}" ] || as_root kill "$MARIADB"
	[ ! -e "$SCRATCH/data/postmaster.pid" ] || stop_cluster
	[ -z "${MARIADB:-}" ] || wait
	as_root rm -rf "$SCRATCH"
}

install_packages ${PEERS:+postgresql-15-mysql-fdw pgloader python3-venv} ${PROFILE:+linux-perf}
make_scratch bench
trap stop_all EXIT
make_rows
[ -z "$PEERS" ] || venv dlt-1.31.0-sql 'dlt[postgres]==1.31.0' sqlalchemy pymysql connectorx pyarrow
build_and_install
# shellcheck disable=SC2046
gcc -D_GNU_SOURCE -O2 -Wall -Wextra -Werror $(mariadb_config --include) -o "$SCRATCH/client" "$HERE/client.c" $(mariadb_config --libs)
start_mariadb
start_cluster
settle_cluster
export PGUSER=postgres PGDATABASE=postgres PATH="$PGBIN:$PATH"
head -n "$WRITE" "$ROWS" >"$SCRATCH/written"
psql -Xq -v ON_ERROR_STOP=1 -v port="$MARIADB_PORT" -v rows="$NUMBER" -v written="$SCRATCH/written" \
	-f "$HERE/model.sql" -f "$HERE/setup.sql" -f "$HERE/lyftron.sql" ${PEERS:+-f "$HERE/peers.sql"} >/dev/null
sed -e "s|@MARIADB_PORT@|$MARIADB_PORT|" -e "s|@PGPORT@|$PGPORT|" "$HERE/bench.load.in" >"$SCRATCH/bench.load"

loader_contest mysql --rows "$ROWS" --written "$SCRATCH/written" --write "$WRITE" --client "$SCRATCH/client" \
	--source "$SOURCE" --port "$MARIADB_PORT" --mariadb "$MARIADB" --load "$SCRATCH/bench.load" \
	--dlt "$CACHE/dlt-1.31.0-sql/bin/python"
