#!/usr/bin/env bash
# A throw-away Redmine from Debian's package: a copy of its code with an SQLite database of its own, in a folder
# that is the caller's to remove; the system's instances and configuration are not touched.
#
#     test/server/redmine.sh --port PORT --dir FOLDER --key API-KEY
#
# Prints "ready" once it answers. API-KEY (40 hexadecimal digits) is the administrator's; test/server/redmine.rb says
# what the database begins with, FOLDER/redmine.db is that database, FOLDER/log what Redmine had to say.
set -euo pipefail

server=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
while [ $# -gt 0 ]; do
	case $1 in
		--port) port=$2 ;;
		--dir) dir=$2 ;;
		--key) key=$2 ;;
		*) echo "what is $1?" >&2; exit 2 ;;
	esac
	shift 2
done

mkdir -p "$dir"
dir=$(realpath "$dir")
cp -R --no-dereference /usr/share/redmine "$dir/app"
cd "$dir/app"
rm -f Gemfile.lock config/database.yml instances
mkdir -p instances/default/config instances/default/tmp instances/default/files instances/default/log
# The package's Gemfile takes the database's library from the system's instances, and names no server.
printf "gem 'sqlite3'\ngem 'puma'\n" >Gemfile.local
cat >instances/default/config/database.yml <<YAML
production:
  adapter: sqlite3
  database: $dir/redmine.db
  timeout: 30000
YAML
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >instances/default/config/secret_key.txt

# Bundler and Rails look for settings of the user's and the surroundings'; there are none.
export HOME=$dir TZ=UTC RAILS_ENV=production SCHEMA=/dev/null
unset REDMINE_INSTANCE X_DEBIAN_SITEID BUNDLE_GEMFILE RUBYOPT RUBYLIB DATABASE_URL
{
	bundle install --local --quiet
	bundle exec rake -s db:migrate VERBOSE=false
} >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
exec bundle exec rails runner "$server/redmine.rb" "$port" "$key" 2>>"$dir/log"
