#!/usr/bin/env python3
"""Loads the same records by each contender in turn, and prints what each round cost.

Started by run.sh, which has built everything: servers run, records are there.  What a contender is
stands in the functions below, one each; how they take turns and are watched in ../contest.py and ../watch.py.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys

import contest
import report
from contest import Contender
from watch import Watch, children, cpu, threads_cpu

HERE = os.path.dirname(os.path.abspath(__file__))

COLUMNS = "id key name status amount score active created_at due_on owner_mail city tags".split()
FLIGHTS = 336776

# of COPY text's backend CPU and wall time; of dlt's wall time; MB; of the load without expressions, of the reference engine's wall time;
# of the load without learning
GOAL_COPY, GOAL_DLT, GOAL_MEMORY, GOAL_EXPRESSIONS, GOAL_CDK, GOAL_LEARNING = 0.7, 1 / 50, 64, 1.5, 1 / 100, 1.1

META = "_lyftron_id uuid, _lyftron_extracted_at timestamptz, _lyftron_loaded_at timestamptz, _lyftron_run bigint"


class Bench(contest.Contest):
    """The servers, and how many records there are."""

    def __init__(self, args):
        super().__init__(args, Watch(args.postmaster, self.service_cpu))
        self.other_service = None   # pid of what serves instead of nginx
        self.rows_copy = os.path.join(args.data, "rows.copy")
        self.made = {"binary": os.path.join(args.scratch, "rows.binary"), "meta": os.path.join(args.scratch, "rows.meta")}
        self.fingerprints = {}

    def service_cpu(self):
        if self.other_service:
            return threads_cpu(self.other_service)
        return sum(cpu(p) for p in children(self.args.nginx))

    def fresh(self, columns=""):
        self.sql("DROP TABLE IF EXISTS loaded.items; CREATE TABLE loaded.items (LIKE source.model%s);" % columns)

    def prepare(self):
        """Files that only the server can write, from the rows that COPY was given."""
        self.fresh()
        self.sql("COPY loaded.items FROM '%s'" % self.rows_copy)
        self.fingerprints["expected"] = self.fingerprint(self.args.records)
        self.fingerprints["few"] = self.fingerprint(self.args.few)
        self.sql("COPY loaded.items TO '%s' (FORMAT binary)" % self.made["binary"])
        self.sql("COPY (SELECT *, gen_random_uuid(), now(), now(), 1 FROM loaded.items) TO '%s'" % self.made["meta"])

    def fingerprint(self, rows, table="loaded.items"):
        return self.sql("SELECT source.fingerprint('%s', %d)" % (table, rows)).strip()


# Limits: what no loader of this kind can be faster than, and what PostgreSQL itself offers

def curl(bench, profile):
    pages = (bench.args.records + 999) // 1000 + 1
    return bench.in_shell("curl -sf -o /dev/null '%s/items?page=[1-%d]'" % (bench.args.all, pages), False)


def parse(bench, profile):
    return bench.in_shell("%s --once %s" % (bench.args.engines, os.path.join(bench.args.data, "all")), False)


def copy_text(bench, profile):
    bench.fresh()
    return bench.in_backend("COPY loaded.items FROM '%s'" % bench.rows_copy, profile)


def copy_binary(bench, profile):
    bench.fresh()
    return bench.in_backend("COPY loaded.items FROM '%s' (FORMAT binary)" % bench.made["binary"], profile)


def copy_meta(bench, profile):
    bench.fresh(", " + META)
    return bench.in_backend("COPY loaded.items FROM '%s'" % bench.made["meta"], profile)


# Lyftron

def scan_table(bench, table, profile):
    return bench.in_backend("SELECT %s FROM source.%s" % (", ".join("count(%s)" % c for c in COLUMNS), table), profile)


def scan(bench, profile):
    """Every column of every record is made, and counted."""
    return scan_table(bench, "items", profile)


def scan_expressions(bench, profile):
    """The same of records that went through a filter and got fields from expressions."""
    return scan_table(bench, "expressions", profile)


def insert(bench, profile):
    bench.fresh()
    return bench.in_backend("INSERT INTO loaded.items SELECT * FROM source.items", profile)


def expressions(bench, profile):
    """The same rows, of records that went through a filter and got fields from expressions."""
    bench.fresh()
    return bench.in_backend("INSERT INTO loaded.items SELECT * FROM source.expressions", profile)


def pipeline(bench, mode, profile):
    bench.sql("""DROP TABLE IF EXISTS loaded.items;
        SELECT lyftron.drop_pipeline('bench', if_exists => true);
        SELECT lyftron.create_pipeline('bench', source => 'source.items', destination => 'loaded.items', mode => '%s');"""
              % mode)
    return bench.in_backend("CALL lyftron.run('bench')", profile)


def full_refresh(bench, profile):
    return pipeline(bench, "full_refresh", profile)


def unlearned(bench, profile):
    """The same without a look at what the data shows."""
    bench.sql("ALTER DATABASE postgres SET lyftron.learn_schema = off")
    sample = pipeline(bench, "full_refresh", profile)
    bench.sql("ALTER DATABASE postgres RESET lyftron.learn_schema")
    return sample


def incremental(bench, profile):
    return pipeline(bench, "incremental", profile)


def start_flights(bench):
    script = os.path.join(HERE, "../../server/flights_api.py")
    service = subprocess.Popen([sys.executable, script, "--data", bench.args.flights, "--port", str(bench.args.flights_port)],
                               stdout=subprocess.PIPE, encoding="utf-8")
    if "ready" not in service.stdout.readline():
        sys.exit("the flights API does not start")
    return service


def flights(bench, profile):
    """The demo's load of a year of flights: 19 columns, by month; served by the demo's own service in Python."""
    bench.sql("""DROP TABLE IF EXISTS loaded.flights;
        SELECT lyftron.drop_pipeline('flights', if_exists => true);
        DROP SERVER IF EXISTS nyc CASCADE;
        CREATE SERVER nyc FOREIGN DATA WRAPPER lyftron_rest OPTIONS (connector 'nycflights',
            config '{"base_url": "http://127.0.0.1:%d"}');
        CREATE USER MAPPING FOR CURRENT_USER SERVER nyc OPTIONS (secrets '{"token": "demo-token-4711"}');
        IMPORT FOREIGN SCHEMA "default" LIMIT TO (flights) FROM SERVER nyc INTO source;
        SELECT lyftron.create_pipeline('flights', source => 'source.flights', destination => 'loaded.flights',
            mode => 'incremental');""" % bench.args.flights_port)
    service = start_flights(bench)
    bench.other_service = service.pid
    sample = bench.in_backend("CALL lyftron.run('flights')", profile)
    bench.other_service = None
    service.terminate()
    service.wait()
    sample.rows = int(bench.sql("SELECT count(*) FROM loaded.flights"))
    return sample


# Peers, with fewer records

def jq(bench, profile):
    pages = (bench.args.few + 999) // 1000 + 1
    bench.fresh()
    row = ".data[] | [.id, .key, .name, .status, .amount, .score, .active, .created_at, .due_on, " \
          ".owner.mail, .owner.address.city, (.tags | tojson)] | @csv"
    return bench.in_shell("curl -sf '%s/items?page=[1-%d]' | jq -r %s | psql -Xqc 'COPY loaded.items FROM STDIN (FORMAT csv)'"
                          % (bench.args.few_url, pages, shlex.quote(row)))


def dlt(bench, tuned):
    bench.sql("DROP SCHEMA IF EXISTS loaded_dlt CASCADE; DROP SCHEMA IF EXISTS loaded_dlt_staging CASCADE")
    directory = os.path.join(bench.args.scratch, "dlt")
    subprocess.run(["rm", "-rf", directory], check=True)
    sample = bench.in_shell("%s %s %s %s %s" % (bench.args.dlt, os.path.join(HERE, "peer_dlt.py"), bench.args.few_url,
                                                directory, "tuned" if tuned else "default"))
    sample.rows = int(bench.sql("SELECT count(*) FROM loaded_dlt.items"))
    return sample


def dlt_default(bench, profile):
    return dlt(bench, False)


def dlt_tuned(bench, profile):
    return dlt(bench, True)


def read_by_cdk(bench, stream):
    config = os.path.join(bench.args.scratch, "cdk.json")
    with open(config, "w", encoding="utf-8") as out:
        json.dump({"base_url": bench.args.few_url}, out)
    counted = os.path.join(bench.args.scratch, "cdk.count")
    sample = bench.in_shell("%s %s %s %s %s 2>%s >/dev/null" % (bench.args.cdk, os.path.join(HERE, "peer_cdk.py"),
                                                                os.path.join(HERE, "items.yaml"), config, stream, counted), False)
    with open(counted, encoding="utf-8") as lines:
        sample.rows = int(lines.read().split()[-1])
    return sample


def cdk(bench, profile):
    return read_by_cdk(bench, "items")


def cdk_expressions(bench, profile):
    return read_by_cdk(bench, "expressions")


CONTENDERS = [
    Contender(curl, "curl drains the pages", "limit", False),
    Contender(parse, "the fastest engine parses them", "limit", False),
    Contender(copy_text, "COPY, text", "limit"),
    Contender(copy_meta, "COPY, text, and a pipeline's 4 columns", "limit"),
    Contender(copy_binary, "COPY, binary", "limit"),
    Contender(scan, "SELECT of the foreign table", "lyftron", False),
    Contender(scan_expressions, "SELECT, filter and fields by expressions", "lyftron", False),
    Contender(insert, "INSERT SELECT", "lyftron"),
    Contender(expressions, "INSERT SELECT, filter and fields by expressions", "lyftron"),
    Contender(full_refresh, "pipeline, full_refresh", "lyftron"),
    Contender(unlearned, "pipeline, full_refresh, lyftron.learn_schema = off", "lyftron"),
    Contender(incremental, "pipeline, incremental, first load", "lyftron"),
    Contender(flights, "the demo's flights, incremental, Python serves", "flights", False),
    Contender(jq, "curl, jq and psql COPY", "peer"),
    Contender(dlt_default, "dlt, as it comes", "peer", False),
    Contender(dlt_tuned, "dlt, tuned", "peer", False),
    Contender(cdk, "airbyte-cdk, read only", "peer", False),
    Contender(cdk_expressions, "airbyte-cdk, read only, filter and fields by expressions", "peer", False),
]


def run_one(bench, contender, profile=None):
    """One measurement, and the check that what was loaded is what COPY loads; a peer may change values, which is told."""
    few = contender.few
    records = FLIGHTS if contender.kind == "flights" else bench.records(contender)
    sample = contender.run(bench, profile)
    sample.records = records
    if contender.loads:
        expected = bench.fingerprints["few" if few else "expected"]
        loaded = bench.fingerprint(records)
        sample.differs = loaded != expected
        if sample.differs and (not few or loaded.split()[0] != expected.split()[0]):
            sys.exit("%s loaded %s, not %s" % (contender.name, loaded, expected))
    elif getattr(sample, "rows", records) != records:
        sys.exit("%s loaded %d records, not %d" % (contender.name, sample.rows, records))
    bench.sql("DROP TABLE IF EXISTS loaded.items")
    return sample


def print_report(lines):
    print("\nMedians of %d rounds. Microseconds a record of wall time, and of CPU; nginx's is in no ratio. The backend's memory is"
          "\nanonymous memory (RssAnon), the client's all it has in memory, both peaks. \"x COPY\": ratios to COPY from a text file,"
          "\nper record, where a contender had fewer. For a client with connections of its own, \"backend\" is the whole server."
          "\n(!): it has changed values on the way.\n" % next(iter(lines.values())).rounds)
    copy, peer = lines.get("copy_text"), lines.get("dlt_default")
    report.print_table(lines.values(), "nginx", [("x COPY: wall", copy, "wall"), ("backend CPU", copy, "backend"), ("all CPU", copy, "cpu")])
    goals = []
    for line in lines.values():
        if line.contender.kind != "lyftron":
            continue
        if copy:
            goals.append((line, "backend CPU, x COPY text", line.backend / copy.backend, GOAL_COPY, ""))
            goals.append((line, "wall, x COPY text", line.wall / copy.wall, GOAL_COPY, ""))
        if peer:
            goals.append((line, "wall, x dlt", line.wall / peer.wall, GOAL_DLT, ""))
        goals.append((line, "memory of the backend", line.backend_mb, GOAL_MEMORY, " MB"))
    with_expressions, without = lines.get("expressions"), lines.get("insert")
    read, engine = lines.get("scan_expressions"), lines.get("cdk_expressions")
    learned, unlearned_line = lines.get("full_refresh"), lines.get("unlearned")
    if learned and unlearned_line:
        goals.append((learned, "backend CPU, x without learning", learned.backend / unlearned_line.backend, GOAL_LEARNING, ""))
        goals.append((learned, "wall, x without learning", learned.wall / unlearned_line.wall, GOAL_LEARNING, ""))
    if with_expressions and without:
        goals.append((with_expressions, "wall, x INSERT SELECT", with_expressions.wall / without.wall, GOAL_EXPRESSIONS, ""))
        goals.append((with_expressions, "backend CPU, x INSERT SELECT", with_expressions.backend / without.backend, GOAL_EXPRESSIONS, ""))
    if read and engine:
        goals.append((read, "wall, x airbyte-cdk's", read.wall / engine.wall, GOAL_CDK, ""))
    report.print_goals(goals)


def main():
    parser = argparse.ArgumentParser()
    contest.add_arguments(parser, ("data", "all", "few-url", "engines", "dlt", "cdk", "flights"), ("nginx", "flights-port"))
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
