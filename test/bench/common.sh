# Sourced by the benchmarks, after test/lib.sh: what those of loaders share, the records of two of them, the JSON engines.

# [ROUNDS] [NUMBER] and the options of a benchmark of loaders, whose script's head is its usage: loader_options NUMBER FEW ARGUMENT...
loader_options() {
	local numbers=() number=$1 argument
	FEW=$2 PEERS=--peers ONLY= PROFILE=
	shift 2
	for argument in "$@"; do
		case $argument in
			--few=*) FEW=${argument#*=} ;;
			--no-peers) PEERS= ;;
			--only=*) ONLY=${argument#*=} ;;
			--profile=*) PROFILE=${argument#*=} ;;
			[0-9]*) numbers+=("$argument") ;;
			*) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
		esac
	done
	ROUNDS=${numbers[0]:-3}
	NUMBER=${numbers[1]:-$number}
	[ "$FEW" != all ] && [ "$FEW" -le "$NUMBER" ] || FEW=$NUMBER
}

# A virtual environment with a package, in $CACHE: venv NAME REQUIREMENT...
venv() {
	local dir=$CACHE/$1
	shift
	[ -e "$dir/complete" ] && return
	echo "== fetching $*"
	rm -rf "$dir"
	mkdir -p "$CACHE"
	/usr/bin/python3 -m venv "$dir"
	"$dir/bin/pip" -q --disable-pip-version-check install "$@"
	touch "$dir/complete"
}

# The cluster that was started, with the settings that loads are measured with; the server writes files to $SCRATCH, too.
settle_cluster() {
	printf '%s\n' 'shared_buffers = 256MB' 'max_wal_size = 20GB' 'checkpoint_timeout = 1h' |
		as_server_user tee -a "$SCRATCH/data/postgresql.conf" >/dev/null
	as_server_user "$PGBIN/pg_ctl" -s -D "$SCRATCH/data" -l "$SCRATCH/server.log" -w restart
	as_root chmod 777 "$SCRATCH"
}

# Run BENCHMARK's measure.py with what all of them take, and ARGUMENT..., and print the profiles: loader_contest BENCHMARK ARGUMENT...
loader_contest() {
	local benchmark=$1 profile
	shift
	PYTHONPATH=$REPO/test/bench python3 "$REPO/test/bench/$benchmark/measure.py" --scratch "$SCRATCH" --records "$NUMBER" \
		--few "$FEW" --rounds "$ROUNDS" --postmaster "$(head -1 "$SCRATCH/data/postmaster.pid")" $PEERS \
		${ONLY:+--only "$ONLY"} ${PROFILE:+--profile "$PROFILE"} "$@"
	for profile in "$SCRATCH"/*.perf; do
		[ -n "$PROFILE" ] || break
		printf '\n== %s: of all of the time of its backend\n' "$(basename "$profile" .perf)"
		perf report -i "$profile" --sort dso --stdio 2>/dev/null | awk '/^ *[0-9]/ { print $1, $2 }'
		echo
		# functions of a stripped file that it does not export have no names
		perf report -i "$profile" --sort dso,symbol --stdio 2>/dev/null |
			awk '/^ *[0-9]/ { sum[$2 " " ($4 ~ /^0x/ ? "(without names)" : $4)] += $1 }
				END { for (f in sum) printf "%6.2f%%  %s\n", sum[f], f }' | sort -rn | sed -n 1,60p
	done
}

# So many records, with the first few of them apart, in $DATA: made once.
make_records() {
	DATA=$CACHE/bench-records-$1-$2
	[ -e "$DATA/complete" ] && return
	echo "== making $1 records"
	rm -rf "$DATA"
	mkdir -p "$DATA"
	python3 "$REPO/test/bench/rest/generate.py" "$DATA" "$1" "$2"
	chmod -R a+rX "$DATA"
	touch "$DATA/complete"
}

# yyjson is not in Debian 12; the source archive of a Python package has it.
fetch_yyjson() {
	YYJSON=$CACHE/yyjson-4.0.6/yyjson
	[ -e "$YYJSON/yyjson.c" ] && return
	echo "== fetching yyjson"
	mkdir -p "$CACHE"
	python3 -m pip -q --disable-pip-version-check download --no-deps --no-binary :all: -d "$CACHE" yyjson==4.0.6
	tar -C "$CACHE" -xzf "$CACHE/yyjson-4.0.6.tar.gz"
	chmod -R a+rX "$CACHE"
}

# All with the optimization that libraries are built with; PostgreSQL's own and ours with the server's flags.
build_engines() {
	fetch_yyjson
	ENGINES=$SCRATCH/engines
	gcc -O3 -c -o "$SCRATCH/yyjson.o" "$YYJSON/yyjson.c"
	g++ -O3 -std=c++17 -Wall -Wextra -I"$YYJSON" -o "$ENGINES" "$REPO/test/bench/json/engines.cc" "$SCRATCH/yyjson.o" \
		-lsimdjson -ljansson
}

# A module for the server, $SCRATCH/NAME.so of SOURCE/NAME.c, after build_and_install, whose objects it links:
# build_backend_module SOURCE NAME
build_backend_module() {
	local objects libraries
	objects=$(find "$SCRATCH/build/src" -name '*.o' ! -path '*/src/lyftron.o' ! -path '*/src/net/mysql/*')
	libraries=$(sed -n 's/^SHLIB_LINK *= //p' "$REPO/Makefile")
	# shellcheck disable=SC2046,SC2086
	gcc $("$PGBIN/pg_config" --cflags) -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
		-Wno-missing-field-initializers -fPIC -fvisibility=hidden \
		'-DPGDLLEXPORT=__attribute__((visibility("default")))' -I"$REPO/src" \
		-I"$("$PGBIN/pg_config" --includedir-server)" -shared -o "$SCRATCH/$2.so" \
		"$REPO/test/bench/$1/$2.c" $objects $libraries
}
