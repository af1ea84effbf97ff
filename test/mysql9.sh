# MySQL 9 of Debian's sid, beside whatever MySQL or MariaDB this machine has, for tests against MySQL itself.  Sourced by
# bash after lib.sh.  Its packages and all that they need, down to libc, are unpacked once into $CACHE/mysql9, where
# bin/mysqld and bin/mysql run with the dynamic loader and the libraries of sid.  include/ has the headers of MySQL's own
# client library (both include and include/mysql belong on a compiler's path).
#
# provide_mysql9 sets MYSQL9 to that folder, or MYSQL9_MISSING to the reason why it cannot be had; run.sh hands them to the tests.

MYSQL9_PACKAGES="mysql-server-core mysql-client-core libmysqlclient-dev"

# The packages and the libraries that they need, of sid as it is now.
download_mysql9() {
	local names
	apt_of_suite deb sid update || return
	names=$(apt_of_suite deb sid --simulate --no-install-recommends install $MYSQL9_PACKAGES |
		awk '/^Inst (lib|mysql|zlib)/ { print $2 }') || return
	# shellcheck disable=SC2086
	(cd "$1" && apt_of_suite deb sid download $names)
}

# A script that runs a program of the folder's root with loader and libraries from there: mysql9_program HOME PROGRAM OPTION...
# The options come last, since --no-defaults must come first.
mysql9_program() {
	local home=$1 program=$2 libraries=$1/root/usr/lib/$(gcc -print-multiarch)
	shift 2
	cat <<-SCRIPT
		#!/bin/sh
		exec $(echo "$libraries"/ld-linux*.so.*) --library-path $libraries $home/root/usr/$program "\$@" $*
	SCRIPT
}

make_mysql9() {
	local home=$1 root=$1/root deb
	rm -rf "$home"
	mkdir -p "$home/deb" "$home/bin"
	download_mysql9 "$home/deb" || return
	for deb in "$home"/deb/*.deb; do
		dpkg -x "$deb" "$root" || return
	done
	mkdir "$home/include" && mv "$root/usr/include/mysql" "$home/include/" || return
	rm -rf "$home/deb" "$root"/usr/share/{doc,man,locale} "$root/usr/include"
	mysql9_program "$home" sbin/mysqld --basedir="$root/usr" --lc-messages-dir="$root/usr/share/mysql" \
		--character-sets-dir="$root/usr/share/mysql/charsets" --plugin-dir="$root/usr/lib/mysql/plugin" --secure-file-priv= >"$home/bin/mysqld"
	mysql9_program "$home" bin/mysql >"$home/bin/mysql"
	chmod 755 "$home"/bin/*
	chmod -R a+rX "$home"
	"$home/bin/mysqld" --no-defaults --version && "$home/bin/mysql" --no-defaults --version
}

# A marker comes last: what broke off is made anew.
provide_mysql9() {
	local home=$CACHE/mysql9
	MYSQL9=$home MYSQL9_MISSING=
	mkdir -p "$POSTGRES_CACHE"
	(
		flock 9
		[ -e "$home/complete" ] && exit
		echo "== MySQL 9: once, into $home"
		make_mysql9 "$home" >"$home.log" 2>&1 && touch "$home/complete"
	) 9>"$home.lock" && return
	MYSQL9=
	MYSQL9_MISSING="MySQL 9 of Debian's sid cannot be had here: $(tail -n 1 "$home.log")"
}
