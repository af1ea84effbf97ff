#!/usr/bin/env python3
"""Reads and writes the same rows of MariaDB by each contender in turn, and prints what each round cost.

Started by run.sh, which has built everything: servers run, rows are there.  What a contender is stands in the functions
below, one each; how they take turns and are watched in ../contest.py and ../watch.py.
"""
import argparse
import os
import shlex
import subprocess
import sys
import time

import contest
import report
from contest import Contender
from watch import Psql, Watch, threads_cpu

HERE = os.path.dirname(os.path.abspath(__file__))

META = "_lyftron_id uuid, _lyftron_extracted_at timestamptz, _lyftron_loaded_at timestamptz, _lyftron_run bigint"
# how often: a statement with 100 keys, a row by its key; fewer rows for who writes one at a time
KEYS, POINTS, SLOW = 200, 5000, 20


class Bench(contest.Contest):
    def __init__(self, args):
        super().__init__(args, Watch(args.postmaster, lambda: threads_cpu(args.mariadb)))
        self.meta = os.path.join(args.scratch, "rows.meta")
        self.fingerprints = {}

    def fresh(self, columns=""):
        self.sql("DROP TABLE IF EXISTS loaded.lineitem; CREATE TABLE loaded.lineitem (LIKE source.model%s);" % columns)

    def fingerprint(self, table="loaded.lineitem"):
        return self.sql("SELECT source.fingerprint('%s')" % table).strip()

    def at_source(self, sql):
        return subprocess.run([*shlex.split(self.args.source), "-NBe", sql], check=True, stdout=subprocess.PIPE,
                              encoding="utf-8").stdout

    def checksum(self, table):
        """Of all columns of all rows, by MariaDB itself."""
        return self.at_source("CHECKSUM TABLE %s" % table).split()[1]

    def prepare(self):
        """What COPY loads, and a file that only the server can write."""
        for name, rows in (("few", self.args.few), ("expected", self.args.records)):
            self.fresh()
            self.sql("COPY loaded.lineitem FROM PROGRAM 'head -n %d %s'" % (rows, self.args.rows))
            self.fingerprints[name] = self.fingerprint()
        self.sql("COPY (SELECT *, gen_random_uuid(), now(), now(), 1 FROM loaded.lineitem) TO '%s'" % self.meta)
        self.keys = self.sql("SELECT string_agg(id::text, ', ') FROM source.key").strip()

    def client(self, *args):
        """Our C program: how many rows, and when the first came."""
        out = os.path.join(self.args.scratch, "client.out")
        sample = self.in_shell("%s %d %s >%s" % (self.args.client, self.args.port, shlex.join(str(a) for a in args), out), False)
        with open(out, encoding="utf-8") as answer:
            sample.rows, first = (int(n) for n in answer.read().split())
        sample.first_ms = first / 1000 if first else None
        return sample


def first_row(table):
    """Milliseconds until a session that has never spoken to the source has the first row of all of them."""
    session = Psql()
    session.run("SELECT count(*) FROM pg_class; BEGIN")
    start = time.monotonic()
    session.run("DECLARE c CURSOR FOR SELECT * FROM %s; FETCH c" % table)
    answer = (time.monotonic() - start) * 1000
    session.run("ROLLBACK")
    session.close()
    return answer


def repeat(bench, statement, times, profile):
    sample = bench.in_backend("CALL source.repeat($$%s$$, %d, %d)" % (statement, times, bench.keys.count(",") + 1), profile)
    sample.times = times
    return sample


def points(bench, table, times, profile):
    """Rows by their key, one at a time, by a generic plan, in a loop on the server."""
    bench.sql("""CREATE OR REPLACE PROCEDURE source.points() LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
        DECLARE
            key int;
            found record;
        BEGIN
            FOR i IN 1::bigint .. %d LOOP
                key := 1 + i * 7919 %% %d;
                SELECT * INTO STRICT found FROM %s WHERE id = key;
                ASSERT found.id = key;
            END LOOP;
        END $$;""" % (times, bench.args.records, table))
    sample = bench.in_backend("CALL source.points()", profile)
    sample.times = times
    return sample


def insert(bench, table, rows, profile):
    bench.at_source("TRUNCATE written")
    sample = bench.in_backend("INSERT INTO %s SELECT * FROM source.local ORDER BY id LIMIT %d" % (table, rows), profile)
    sample.times = rows
    return sample


# Limits: what no loader of this kind can be faster than, and what PostgreSQL itself offers

def drain(bench, profile):
    return bench.client("drain", "lineitem")


def copy_text(bench, profile):
    bench.fresh()
    return bench.in_backend("COPY loaded.lineitem FROM '%s'" % bench.args.rows, profile)


def copy_meta(bench, profile):
    bench.fresh(", " + META)
    return bench.in_backend("COPY loaded.lineitem FROM '%s'" % bench.meta, profile)


def client_keys(bench, profile):
    sample = bench.client("keys", "lineitem", KEYS, bench.keys)
    sample.times = KEYS
    sample.first_ms = None
    return sample


def client_point(bench, profile):
    sample = bench.client("point", "lineitem", POINTS, bench.args.records)
    sample.times = POINTS
    return sample


def client_insert(bench, profile):
    bench.at_source("TRUNCATE written")
    sample = bench.client("insert", "written", bench.args.written)
    sample.times = bench.args.write
    return sample


# Lyftron

def scan(bench, profile):
    """Every column of every row is made, and dropped."""
    sample = bench.in_backend("EXPLAIN (ANALYZE, TIMING off) SELECT * FROM source.lineitem", profile)
    sample.first_ms = first_row("source.lineitem")
    return sample


def insert_select(bench, profile):
    bench.fresh()
    return bench.in_backend("INSERT INTO loaded.lineitem SELECT * FROM source.lineitem", profile)


def create_pipeline(bench, more=""):
    bench.sql("""DROP TABLE IF EXISTS loaded.lineitem;
        SELECT lyftron.drop_pipeline('bench', if_exists => true);
        SELECT lyftron.create_pipeline('bench', source => 'source.lineitem', destination => 'loaded.lineitem', mode => 'full_refresh'%s);"""
              % more)


def full_refresh(bench, profile):
    create_pipeline(bench)
    return bench.in_backend("CALL lyftron.run('bench')", profile)


def sliced(bench, profile):
    """By two sessions; wall time is the run's, as one of them waits for more work."""
    create_pipeline(bench, ", slices => 8, slice_by => 'id'")
    bench.sql("SELECT lyftron.trigger('bench')")
    sample = bench.in_shell("psql -Xqc \"CALL lyftron.work(wait => '1s')\" & psql -Xqc 'CALL lyftron.work()' && wait")
    sample.wall = float(bench.sql("SELECT extract(epoch FROM finished_at - started_at) FROM lyftron.jobs WHERE pipeline = 'bench' "
                                  "AND state = 'succeeded' ORDER BY id DESC LIMIT 1"))
    return sample


def keys(bench, profile):
    return repeat(bench, "SELECT f.* FROM source.lineitem f WHERE id IN (%s)" % bench.keys, KEYS, profile)


def join(bench, profile):
    return repeat(bench, "SELECT f.* FROM source.key JOIN source.lineitem f USING (id)", KEYS, profile)


def point(bench, profile):
    return points(bench, "source.lineitem", POINTS, profile)


def point_transactions(bench, profile):
    """Each a transaction of its own, by a client of PostgreSQL."""
    script = os.path.join(bench.args.scratch, "point.sql")
    with open(script, "w", encoding="utf-8") as out:
        out.write("\\set id random(1, %d)\nSELECT * FROM source.lineitem WHERE id = :id;\n" % bench.args.records)
    sample = bench.in_shell("PGOPTIONS='-c plan_cache_mode=force_generic_plan' pgbench -n -M prepared -t %d -f %s >%s.out"
                            % (POINTS, script, script))
    sample.times = POINTS
    return sample


def write(bench, profile):
    return insert(bench, "source.written", bench.args.write, profile)


# Peers

def mysql_fdw(bench, profile):
    bench.fresh()
    return bench.in_backend("INSERT INTO loaded.lineitem SELECT * FROM peer.lineitem", profile)


def mysql_fdw_10000(bench, profile):
    bench.fresh()
    bench.sql("ALTER SERVER peer OPTIONS (ADD fetch_size '10000')")
    sample = bench.in_backend("INSERT INTO loaded.lineitem SELECT * FROM peer.lineitem", profile)
    bench.sql("ALTER SERVER peer OPTIONS (DROP fetch_size)")
    return sample


def mysql_fdw_scan(bench, profile):
    sample = bench.in_backend("EXPLAIN (ANALYZE, TIMING off) SELECT * FROM peer.lineitem", profile)
    sample.first_ms = first_row("peer.lineitem")
    return sample


def pipe(bench, profile):
    bench.fresh()
    return bench.in_shell("%s --quick -NB -e 'SELECT * FROM lineitem' | psql -Xqc \"COPY loaded.lineitem FROM STDIN (NULL 'NULL')\""
                          % bench.args.source)


def pgloader(bench, profile):
    bench.fresh()
    return bench.in_shell("pgloader --root-dir %s %s >%s" % (os.path.join(bench.args.scratch, "pgloader"), bench.args.load,
                                                             os.path.join(bench.args.scratch, "pgloader.log")))


def dlt(bench, how):
    bench.sql("DROP SCHEMA IF EXISTS loaded_dlt CASCADE; DROP SCHEMA IF EXISTS loaded_dlt_staging CASCADE")
    directory = os.path.join(bench.args.scratch, "dlt")
    subprocess.run(["rm", "-rf", directory], check=True)
    sample = bench.in_shell("%s %s %d few %s %s" % (bench.args.dlt, os.path.join(HERE, "peer_dlt.py"), bench.args.port,
                                                    directory, how))
    sample.table = "loaded_dlt.few"
    return sample


def dlt_default(bench, profile):
    return dlt(bench, "default")


def dlt_tuned(bench, profile):
    return dlt(bench, "tuned")


def mysql_fdw_keys(bench, profile):
    return repeat(bench, "SELECT f.* FROM peer.lineitem f WHERE id IN (%s)" % bench.keys, KEYS // SLOW, profile)


def mysql_fdw_join(bench, profile):
    return repeat(bench, "SELECT f.* FROM source.key JOIN peer.lineitem f USING (id)", 1, profile)


def mysql_fdw_point(bench, profile):
    return points(bench, "peer.lineitem", POINTS // SLOW, profile)


def mysql_fdw_insert(bench, profile):
    return insert(bench, "peer.written", bench.args.write // SLOW, profile)


CONTENDERS = [
    Contender(drain, "mysql_use_result drained", "limit", False),
    Contender(copy_text, "COPY, text", "limit"),
    Contender(copy_meta, "COPY, text, and a pipeline's 4 columns", "limit"),
    Contender(scan, "SELECT of the foreign table", "lyftron", False),
    Contender(insert_select, "INSERT SELECT", "lyftron"),
    Contender(full_refresh, "pipeline, full_refresh", "lyftron"),
    Contender(sliced, "pipeline, full_refresh, 8 slices, 2 workers", "lyftron"),
    Contender(mysql_fdw_scan, "mysql_fdw, SELECT", "peer", False, few=False),
    Contender(mysql_fdw, "mysql_fdw, INSERT SELECT", "peer", few=False),
    Contender(mysql_fdw_10000, "mysql_fdw, INSERT SELECT, fetch_size 10000", "peer", few=False),
    Contender(pipe, "mariadb --quick and psql COPY", "peer", few=False),
    Contender(pgloader, "pgloader", "peer"),
    Contender(dlt_default, "dlt, as it comes", "peer"),
    Contender(dlt_tuned, "dlt, by ConnectorX and CSV", "peer"),
    Contender(client_keys, "a C client, list of 100 keys", "limit", False, part="join"),
    Contender(keys, "list of 100 keys", "lyftron", False, part="join"),
    Contender(join, "join with 100 keys", "lyftron", False, part="join"),
    Contender(mysql_fdw_keys, "mysql_fdw, list of 100 keys", "peer", False, part="join"),
    Contender(mysql_fdw_join, "mysql_fdw, join with 100 keys", "peer", False, part="join"),
    Contender(client_point, "a C client, prepared statement", "limit", False, part="point"),
    Contender(point, "generic plan, in a loop on the server", "lyftron", False, part="point"),
    Contender(point_transactions, "the same by pgbench, each a transaction", "lyftron", False, part="point"),
    Contender(mysql_fdw_point, "mysql_fdw", "peer", False, part="point"),
    Contender(client_insert, "a C client, 1,000 rows a statement", "limit", False, part="write"),
    Contender(write, "INSERT SELECT", "lyftron", False, part="write"),
    Contender(mysql_fdw_insert, "mysql_fdw", "peer", False, part="write"),
]


def check_load(bench, contender, sample):
    """Was loaded what COPY loads?  A peer may change values, which is told."""
    expected = bench.fingerprints["few" if contender.few else "expected"]
    loaded = bench.fingerprint(getattr(sample, "table", "loaded.lineitem"))
    sample.differs = loaded != expected
    if sample.differs and (contender.kind != "peer" or loaded.split()[0] != expected.split()[0]):
        sys.exit("%s loaded %s, not %s" % (contender.name, loaded, expected))


def check_written(bench, contender, sample):
    bench.at_source("CREATE OR REPLACE TABLE expected LIKE lineitem; INSERT INTO expected SELECT * FROM lineitem WHERE id <= %d"
                    % sample.records)
    if bench.checksum("written") != bench.checksum("expected"):
        sys.exit("%s has written other rows" % contender.name)


def run_one(bench, contender, profile=None):
    sample = contender.run(bench, profile)
    sample.records = getattr(sample, "times", bench.records(contender))
    if contender.loads:
        check_load(bench, contender, sample)
    if contender.part == "write":
        check_written(bench, contender, sample)
    bench.sql("DROP TABLE IF EXISTS loaded.lineitem")
    return sample


PARTS = (
    ("load", "all rows", [("x COPY: wall", "copy_text", "wall"), ("backend CPU", "copy_text", "backend"), ("x drained: wall", "drain", "wall")]),
    ("join", "100 rows by their keys (a record: a statement)", [("x C client: wall", "client_keys", "wall")]),
    ("point", "a row by its key (a record: a statement)", [("x C client: wall", "client_point", "wall")]),
    ("write", "rows inserted", [("x C client: wall", "client_insert", "wall")]),
)

# contender, what is compared, value, with whose, at most
RATIOS = (
    ("insert_select", "wall, x drained", "wall", "drain", 1.1),
    ("insert_select", "backend CPU, x COPY text", "backend", "copy_text", 0.45),
    ("insert_select", "wall, x mysql_fdw", "wall", "mysql_fdw", 1 / 6),
    ("full_refresh", "wall, x drained", "wall", "drain", 1.1),
    ("full_refresh", "backend CPU, x COPY text", "backend", "copy_text", 0.45),
    ("full_refresh", "wall, x mysql_fdw", "wall", "mysql_fdw", 1 / 6),
    ("join", "wall, x list of keys", "wall", "keys", 1.5),
    ("point", "wall, x C client", "wall", "client_point", 1.2),
    ("write", "wall, x C client", "wall", "client_insert", 1.5),
    ("write", "wall, x mysql_fdw", "wall", "mysql_fdw_insert", 1 / 100),
)
FIRST_ROW_MS, MEMORY_MB = 50, 64


def goals(lines):
    for name, what, value, against, limit in RATIOS:
        if name in lines and against in lines:
            yield lines[name], what, getattr(lines[name], value) / getattr(lines[against], value), limit, ""
    if "scan" in lines:
        yield lines["scan"], "first row", lines["scan"].first_ms, FIRST_ROW_MS, " ms"
    for line in lines.values():
        if line.contender.kind == "lyftron" and line.contender.part == "load":
            yield line, "memory of the backend", line.backend_mb, MEMORY_MB, " MB"


def print_report(lines):
    print("\nMedians of %d rounds. Microseconds a record of wall time, and of CPU. The backend's memory is anonymous memory (RssAnon),"
          "\nthe client's all it has in memory, both peaks. Ratios are per record, where a contender had fewer. For a client with"
          "\nconnections of its own, \"backend\" is the whole server. The first row comes to a session that was not connected."
          "\n(!): it has changed values on the way." % next(iter(lines.values())).rounds)
    for part, what, ratios in PARTS:
        shown = [line for line in lines.values() if line.contender.part == part]
        if shown:
            print("\n%s\n" % what.capitalize())
            report.print_table(shown, "MariaDB", [(heading, lines.get(name), value) for heading, name, value in ratios])
    report.print_goals(list(goals(lines)))


def main():
    parser = argparse.ArgumentParser()
    contest.add_arguments(parser, ("rows", "written", "client", "source", "load", "dlt"), ("write", "port", "mariadb"))
    args = parser.parse_args()
    bench = Bench(args)
    bench.prepare()
    if args.profile:
        for contender in contest.wanted(CONTENDERS, args.profile, args.peers):
            run_one(bench, contender, os.path.join(args.scratch, contender.name + ".perf"))
        return
    contenders = contest.wanted(CONTENDERS, args.only, args.peers)
    print_report(contest.run_rounds(args.rounds, contenders, lambda contender: run_one(bench, contender)))


if __name__ == "__main__":
    main()
