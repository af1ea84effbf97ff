"""What benchmarks of loaders share: contenders that take turns, each in a session or a command of its own."""
import sys

import report
from watch import Psql


class Contender:
    """A function that takes a contest and where a profile goes (or None), and answers a sample."""

    def __init__(self, run, what, kind, loads=True, few=None, part="load"):
        self.name = run.__name__
        self.run = run
        self.what = what
        self.kind = kind        # limit, lyftron, peer; any other runs only when it is named
        self.loads = loads      # leaves rows to compare with what COPY loads
        self.few = kind == "peer" if few is None else few   # it is slow, and gets fewer records
        self.part = part        # of the report


class Contest:
    def __init__(self, args, watch):
        self.args = args
        self.watch = watch
        self.admin = Psql()

    def sql(self, text):
        return self.admin.run(text)

    def records(self, contender):
        return self.args.few if contender.few else self.args.records

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


def wanted(contenders, names, peers):
    chosen = names.split(",") if names else None
    unknown = set(chosen or ()) - {c.name for c in contenders}
    if unknown:
        sys.exit("no contender is called %s; there are: %s" % (", ".join(sorted(unknown)), ", ".join(c.name for c in contenders)))
    return [c for c in contenders if (c.name in chosen if chosen else c.kind in ("limit", "lyftron") or peers and c.kind == "peer")]


def run_rounds(rounds, contenders, run_one):
    """Lines of the report by name: what run_one(contender) measured in each of the rounds."""
    samples = {c.name: [] for c in contenders}
    for number in range(rounds):
        for contender in contenders:
            sample = run_one(contender)
            samples[contender.name].append(sample)
            print("round %d: %-14s %s" % (number + 1, contender.name, sample), file=sys.stderr, flush=True)
    return {c.name: report.Line(c, samples[c.name]) for c in contenders}


def add_arguments(parser, texts, numbers):
    for name in ("scratch", "only", "profile") + texts:
        parser.add_argument("--" + name, default="")
    for name in ("records", "few", "rounds", "postmaster") + numbers:
        parser.add_argument("--" + name, type=int, required=True)
    parser.add_argument("--peers", action="store_true")
