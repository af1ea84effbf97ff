"""
Compare foreign tables of lyftron_mysql with local copies of them: the same rows, whatever is left to the server.

    python3 test/differential/mysql/run.py --mysql 'mariadb --socket=...' --server "socket '...'" --user "username '...'"
        [--queries N] [--seed N] [--rows N] [--only N] [psql's connection string]

Makes the database "differential" at the MySQL server and three schemas here. Prints the differences, and how
often what was left to the server; ends with 1 if there are differences.
"""
import argparse
import collections
import random
import re
import shlex
import subprocess
import sys

import queries
import tables
from libpq import Connection, Failure

# how a query is run: its name, where its tables are, settings
RUNS = [("local", "local_copy", "on"), ("pushed", "remote", "on"), ("unpushed", "remote", "off")]

# joins by look-ups, so that parameters of nested loops are tried
LOOPS = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off; SET enable_memoize = off"
NO_LOOPS = "RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material; RESET enable_memoize"


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mysql", required=True, help="command of a client that may make databases")
    parser.add_argument("--server", required=True, help="options of the foreign server")
    parser.add_argument("--user", required=True, help="options of the user mapping")
    parser.add_argument("--queries", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=90)
    parser.add_argument("--only", type=int, help="number of one query, to look at")
    parser.add_argument("--unpushed", help="name of a share: show what is not in it")
    parser.add_argument("--sided", action="store_true", help="show what fails only here or there")
    parser.add_argument("--show", type=int, default=20, help="so many differences")
    parser.add_argument("conninfo", nargs="?", default="")
    return parser.parse_args()


def mysql(command, sql):
    return subprocess.run(shlex.split(command), input=sql.encode(), stdout=subprocess.PIPE, check=True).stdout.decode()


def import_tables(pg, arguments, all_tables):
    pg.query("""DROP SCHEMA IF EXISTS remote, local_copy, expected CASCADE; DROP SERVER IF EXISTS differential CASCADE;
        CREATE SCHEMA remote; CREATE SCHEMA local_copy; CREATE SCHEMA expected;
        CREATE SERVER differential FOREIGN DATA WRAPPER lyftron_mysql OPTIONS ({});
        CREATE USER MAPPING FOR CURRENT_USER SERVER differential OPTIONS ({});
        IMPORT FOREIGN SCHEMA {} FROM SERVER differential INTO remote OPTIONS (tinyint1 'boolean');
        SET lyftron.pushdown = off""".format(arguments.server, arguments.user, tables.DATABASE))
    for table in all_tables:
        if table.zero_dates:
            pg.query("ALTER FOREIGN TABLE remote.{} OPTIONS ({} zero_dates '{}')".format(
                table.name, "ADD", table.zero_dates))
            for column in table.columns:
                pg.query("ALTER FOREIGN TABLE remote.{} ALTER {} DROP NOT NULL".format(table.name, column.name))


def copy_tables(pg, all_tables):
    """Local copies of what the foreign tables give, without push-down; the messages of what that should not be."""
    wrong = []
    for table in all_tables:
        pg.query("CREATE TABLE local_copy.{0} AS SELECT * FROM remote.{0}; ANALYZE local_copy.{0}".format(table.name))
        pg.query("CREATE TABLE expected.{0} AS SELECT * FROM local_copy.{0} LIMIT 0".format(table.name))
        if table.rows:
            pg.query("INSERT INTO expected.{} VALUES {}".format(table.name, table.literals()))
        for left, right in (("local_copy", "expected"), ("expected", "local_copy")):
            for column in ["id"] + [c.name for c in table.columns]:
                rows = pg.query("SELECT id, {2}::text FROM {0}.{3} EXCEPT SELECT id, {2}::text FROM {1}.{3}".format(left, right, column, table.name))
                if rows:
                    wrong.append("{}.{}: {} has, the other has not: {}".format(table.name, column, left, rows[:3]))
    return wrong


class Session:
    """A connection for one kind of run."""

    def __init__(self, conninfo, schema, pushdown):
        self.pg = Connection(conninfo)
        self.pg.query("SET search_path = {}; SET lyftron.pushdown = {}; SET timezone = 'UTC'; SET plan_cache_mode = force_generic_plan; "
                      "SET statement_timeout = '60s'; SET extra_float_digits = 1".format(schema, pushdown))

    def run(self, statement, explain=False):
        """The rows, or the class of an error (and the message)."""
        shape, params, text, ordered = statement
        self.pg.query(LOOPS if shape in ("driven", "lateral") else NO_LOOPS)
        try:
            if params is None:
                return self.pg.query(("EXPLAIN (COSTS OFF) " if explain else "") + text)
            self.pg.query("PREPARE q ({}) AS {}".format(", ".join(t for t, _ in params), text) if params else "PREPARE q AS " + text)
            try:
                return self.pg.query(("EXPLAIN (COSTS OFF) " if explain else "") + "EXECUTE q" +
                                     ("({})".format(", ".join("({})::{}".format(v, t) for t, v in params)) if params else ""))
            finally:
                self.pg.query("DEALLOCATE q")
        except Failure as failure:
            return failure


def normal(result, ordered):
    if isinstance(result, Failure):
        return ("error", result.sqlstate[:2])
    # of a group's 0 and -0, which are equal, either may be the greatest
    result = [tuple("0" if value == "-0" else value for value in row) for row in result]
    return result if ordered else sorted(result, key=lambda row: [(v is None, v or "") for v in row])


def one_sided(results):
    """Data that is out of range somewhere: SQL does not say which conditions are evaluated for a row."""
    failed = [r for r in results if isinstance(r, Failure)]
    return 0 < len(failed) < len(results) and all(f.sqlstate in ("22003", "22008", "22012") for f in failed)


class Shares:
    """How often which part of queries was left to the server."""

    def __init__(self, verbose):
        self.verbose = verbose
        self.counts = collections.Counter()
        self.reasons = collections.Counter()

    def add(self, statement, plan):
        shape, params, text, _ = statement
        text = re.sub(r"'(?:[^']|'')*'", "''", text)
        if isinstance(plan, Failure):
            return
        plan = "\n".join(row[0] for row in plan)
        self.reasons.update(re.findall(r"Local: .*\): ([^:()\n]+(?:\(\))?[^:()\n]*)$", plan, re.M))
        remote = "\n".join(re.findall("Remote SQL: (.*)", plan))
        tests = [("whole condition", shape == "filter" and " WHERE " in text, " WHERE " in remote and "Local:" not in plan),
                 ("part of a condition", shape == "filter" and " WHERE " in text, " WHERE " in remote),
                 ("aggregation", shape == "group", re.search(r"(COUNT|SUM|MIN|MAX)\(", remote)),
                 ("join", shape == "join" and "FULL" not in text, " JOIN " in remote),
                 ("(NOT) EXISTS", shape == "subquery" and re.search("Semi Join|Anti Join|EXISTS", plan), " EXISTS (" in remote or "(EXISTS (" in remote),
                 ("DISTINCT", shape == "distinct", " GROUP BY " in remote),
                 ("ORDER BY", " ORDER BY " in text and shape in ("order", "group"), " ORDER BY " in remote),
                 ("LIMIT", re.search(" (LIMIT|OFFSET) ", text) and shape in ("order", "group", "limit"), " LIMIT " in remote),
                 ("look-ups", shape == "driven", re.search(r"\$\d|NULL AND FALSE", remote))]
        for name, applies, holds in tests:
            if applies and "Foreign Scan" in plan:
                self.counts[name, "all"] += 1
                if self.verbose == name and not holds:
                    print("== not pushed: {}: {}\n{}".format(name, text, plan))
                self.counts[name, "pushed"] += bool(holds)

    def report(self):
        for name in sorted({n for n, _ in self.counts}):
            pushed, count = self.counts[name, "pushed"], self.counts[name, "all"]
            print("pushed: {}: {} of {} ({:.0f} %)".format(name, pushed, count, 100 * pushed / count))
        for reason, count in self.reasons.most_common(30):
            print("local: {}: {}".format(count, reason))


def describe(number, statement, results, plan):
    shape, params, text, _ = statement
    lines = ["== query {} ({}): {}".format(number, shape, text)]
    if params:
        lines.append("   parameters: {}".format(params))
    for (name, _, _), result in zip(RUNS, results):
        lines.append("   {}: {}".format(name, "{} {}".format(result.sqlstate, str(result).strip()) if isinstance(result, Failure)
                                        else "{} rows: {}".format(len(result), result[:6])))
    if not isinstance(plan, Failure):
        lines += ["   | " + row[0] for row in plan if re.search("Remote SQL|Local|Filter", row[0])]
    return "\n".join(lines)


def difference(results):
    """What one has and the other has not, of two answers."""
    one, other = (collections.Counter(r) for r in results[:2])
    return "   local has {}\n   pushed has {}".format(list((one - other).elements())[:4], list((other - one).elements())[:4])


def main():
    arguments = parse_arguments()
    chosen = random.Random(arguments.seed)
    mariadb = "MariaDB" in mysql(arguments.mysql, "SELECT version()")
    all_tables = tables.make(chosen, mariadb, arguments.rows)
    mysql(arguments.mysql, tables.remote_script(all_tables))
    pg = Connection(arguments.conninfo)
    pg.query("SET client_min_messages = warning")
    import_tables(pg, arguments, all_tables)
    wrong = copy_tables(pg, all_tables)
    for message in wrong:
        print("== values: " + message)

    sessions = [Session(arguments.conninfo, schema, pushdown) for _, schema, pushdown in RUNS]
    maker = queries.Maker(chosen, all_tables)
    shares, different, sided, failed, empty = Shares(arguments.unpushed), 0, 0, 0, 0
    for number in range(1, arguments.queries + 1):
        statement = maker.statement()
        if arguments.only and number != arguments.only:
            continue
        results = [session.run(statement) for session in sessions]
        plan = sessions[1].run(statement, explain=True)
        shares.add(statement, plan)
        answers = [normal(r, statement[3]) for r in results]
        failed += isinstance(results[0], Failure)
        empty += results[0] == []
        if arguments.only:
            print(describe(number, statement, results, plan))
            print("\n".join(row[0] for row in plan) if not isinstance(plan, Failure) else plan)
        if answers[0] == answers[1] == answers[2]:
            continue
        if one_sided(results):
            sided += 1
            if arguments.sided:
                print(describe(number, statement, results, plan))
            continue
        different += 1
        if different <= arguments.show:
            print(describe(number, statement, results, plan))
            if not any(isinstance(r, Failure) for r in results):
                print(difference(results))
        sys.stdout.flush()
    shares.report()
    print("seed {}: {} queries, {} fail everywhere or in part, {} give no rows, {} fail only here or there, {} differ, {} values are wrong".format(
        arguments.seed, arguments.queries, failed, empty, sided, different, len(wrong)))
    sys.exit(1 if different or wrong else 0)


main()
