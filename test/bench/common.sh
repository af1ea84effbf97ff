# Sourced by the benchmarks, after test/lib.sh: the records that both read, and the JSON engines.

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

# After build_and_install, whose objects it links.
build_backend_engines() {
	local objects
	objects=$(find "$SCRATCH/build/src" -name '*.o' ! -path '*/src/lyftron.o')
	# shellcheck disable=SC2046,SC2086
	gcc $("$PGBIN/pg_config" --cflags) -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
		-Wno-missing-field-initializers -fPIC -fvisibility=hidden \
		'-DPGDLLEXPORT=__attribute__((visibility("default")))' -I"$REPO/src" \
		-I"$("$PGBIN/pg_config" --includedir-server)" -shared -o "$SCRATCH/lyftron_bench.so" \
		"$REPO/test/bench/json/lyftron_bench.c" $objects -lcurl -lyaml -ljansson -lm
}
