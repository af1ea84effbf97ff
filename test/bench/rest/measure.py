#!/usr/bin/env python3
"""Loads the same records by each contender in turn, and prints what each round cost.

Started by run.sh, which has built everything: servers run, records are there.  What a contender is
stands in the functions below, one each; how it is watched in watch.py.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys

import report
from watch import Psql, Watch

HERE = os.path.dirname(os.path.abspath(__file__))

COLUMNS = "id key name status amount score active created_at due_on owner_mail city tags".split()
FLIGHTS = 336776
META = "_lyftron_id uuid, _lyftron_extracted_at timestamptz, _lyftron_loaded_at timestamptz, _lyftron_run bigint"


class Bench:
    """The servers, and how many records there are."""

    def __init__(self, args):
        self.args = args
        self.watch = Watch(args.postmaster, args.nginx)
        self.admin = Psql()
        self.rows_copy = os.path.join(args.data, "rows.copy")
        self.made = {"binary": os.path.join(args.scratch, "rows.binary"), "meta": os.path.join(args.scratch, "rows.meta")}
        self.fingerprints = {}

    def sql(self, text):
        return self.admin.run(text)

    def fresh(self, columns=""):
        self.sql("DROP TABLE IF EXISTS loaded.items; CREATE TABLE loaded.items (LIKE source.model%s);" % columns)

    def in_backend(self, sql, profile=None):
        """A statement in a session of its own; caches that any session fills at first are filled."""
        session = Psql()
        session.run("SELECT count(*) FROM pg_class; SET application_name = 'bench';")
        self.sql("CHECKPOINT")
        sample = self.watch.session(session, sql, profile)
        session.close()
        return sample

    def in_shell(self, command, uses_server=True):
        self.sql("CHECKPOINT")
        return self.watch.command(["bash", "-c", "set -o pipefail; " + command], uses_server)

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

def scan(bench, profile):
    """Every column of every record is made, and counted."""
    return bench.in_backend("SELECT %s FROM source.items" % ", ".join("count(%s)" % c for c in COLUMNS), profile)


def insert(bench, profile):
    bench.fresh()
    return bench.in_backend("INSERT INTO loaded.items SELECT * FROM source.items", profile)


def pipeline(bench, mode, profile):
    bench.sql("""DROP TABLE IF EXISTS loaded.items;
        SELECT lyftron.drop_pipeline('bench', if_exists => true);
        SELECT lyftron.create_pipeline('bench', source => 'source.items', destination => 'loaded.items', mode => '%s');"""
              % mode)
    return bench.in_backend("CALL lyftron.run('bench')", profile)


def full_refresh(bench, profile):
    return pipeline(bench, "full_refresh", profile)


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
    bench.watch.other_service = service.pid
    sample = bench.in_backend("CALL lyftron.run('flights')", profile)
    bench.watch.other_service = None
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


def cdk(bench, profile):
    config = os.path.join(bench.args.scratch, "cdk.json")
    with open(config, "w", encoding="utf-8") as out:
        json.dump({"base_url": bench.args.few_url}, out)
    counted = os.path.join(bench.args.scratch, "cdk.count")
    sample = bench.in_shell("%s %s %s %s 2>%s >/dev/null" % (bench.args.cdk, os.path.join(HERE, "peer_cdk.py"),
                                                             os.path.join(HERE, "items.yaml"), config, counted), False)
    with open(counted, encoding="utf-8") as lines:
        sample.rows = int(lines.read().split()[-1])
    return sample


class Contender:
    def __init__(self, run, what, kind, loads=True):
        self.name = run.__name__
        self.run = run
        self.what = what
        self.kind = kind
        self.loads = loads      # leaves all columns in loaded.items


CONTENDERS = [
    Contender(curl, "curl drains the pages", "limit", False),
    Contender(parse, "the fastest engine parses them", "limit", False),
    Contender(copy_text, "COPY, text", "limit"),
    Contender(copy_meta, "COPY, text, and a pipeline's 4 columns", "limit"),
    Contender(copy_binary, "COPY, binary", "limit"),
    Contender(scan, "SELECT of the foreign table", "lyftron", False),
    Contender(insert, "INSERT SELECT", "lyftron"),
    Contender(full_refresh, "pipeline, full_refresh", "lyftron"),
    Contender(incremental, "pipeline, incremental, first load", "lyftron"),
    Contender(flights, "the demo's flights, incremental, Python serves", "flights", False),
    Contender(jq, "curl, jq and psql COPY", "peer"),
    Contender(dlt_default, "dlt, as it comes", "peer", False),
    Contender(dlt_tuned, "dlt, tuned", "peer", False),
    Contender(cdk, "airbyte-cdk, read only", "peer", False),
]


def wanted(names, peers):
    chosen = names.split(",") if names else None
    unknown = set(chosen or ()) - {c.name for c in CONTENDERS}
    if unknown:
        sys.exit("no contender is called %s; there are: %s" % (", ".join(sorted(unknown)), ", ".join(c.name for c in CONTENDERS)))
    return [c for c in CONTENDERS if (c.name in chosen if chosen else c.kind in ("limit", "lyftron") or peers and c.kind == "peer")]


def run_one(bench, contender, profile=None):
    """One measurement, and the check that what was loaded is what COPY loads; a peer may change values, which is told."""
    few = contender.kind == "peer"
    records = bench.args.few if few else FLIGHTS if contender.kind == "flights" else bench.args.records
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


def main():
    parser = argparse.ArgumentParser()
    for name in ("data", "scratch", "all", "few-url", "engines", "dlt", "cdk", "flights", "only", "profile"):
        parser.add_argument("--" + name, default="")
    for name in ("records", "few", "rounds", "postmaster", "nginx", "flights-port"):
        parser.add_argument("--" + name, type=int, required=True)
    parser.add_argument("--peers", action="store_true")
    args = parser.parse_args()
    bench = Bench(args)
    bench.prepare()
    if args.profile:
        for contender in wanted(args.profile, args.peers):
            run_one(bench, contender, os.path.join(args.scratch, contender.name + ".perf"))
        return
    contenders = wanted(args.only, args.peers)
    samples = {c.name: [] for c in contenders}
    for number in range(args.rounds):
        for contender in contenders:
            sample = run_one(bench, contender)
            samples[contender.name].append(sample)
            print("round %d: %-14s %s" % (number + 1, contender.name, sample), file=sys.stderr, flush=True)
    report.print_all(contenders, samples)


if __name__ == "__main__":
    main()
