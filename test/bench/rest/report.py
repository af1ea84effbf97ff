"""The table: medians, ratios, and whether the goals are met."""
from statistics import median

# of COPY text's backend CPU and wall time; of dlt's wall time; MB
GOAL_COPY, GOAL_DLT, GOAL_MEMORY = 0.7, 1 / 50, 64


class Line:
    """The medians of a contender's samples, times per record in microseconds."""

    def __init__(self, contender, samples):
        def per_record(name):
            return median(getattr(s, name) / s.records * 1e6 for s in samples)

        self.contender = contender
        self.records = samples[0].records
        self.what = contender.what + (" (!)" if any(s.differs for s in samples) else "")
        self.seconds = median(s.wall for s in samples)
        self.least, self.most = min(s.wall for s in samples), max(s.wall for s in samples)
        self.wall, self.client, self.backend = per_record("wall"), per_record("client"), per_record("backend")
        self.server, self.nginx = per_record("server"), per_record("nginx")
        self.backend_mb = max(s.backend_mb for s in samples)
        self.client_mb = max(s.client_mb for s in samples)

    @property
    def cpu(self):
        return self.client + self.backend + self.server


def ratio(a, b):
    return "%.2f" % (a / b) if b else "-"


def print_table(lines, copy):
    print("| contender | records | wall s (min-max) | us/record: wall | client | backend | server's rest | nginx "
          "| x COPY: wall | backend CPU | all CPU | MB: backend | client |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for line in lines.values():
        against = [ratio(line.wall, copy.wall), ratio(line.backend, copy.backend), ratio(line.cpu, copy.cpu)] if copy else ["-"] * 3
        print("| %s | %s | %.2f (%.2f-%.2f) | %.2f | %.2f | %.2f | %.2f | %.2f | %s | %.0f | %.0f |" % (
            line.what, format(line.records, ","), line.seconds, line.least, line.most, line.wall, line.client,
            line.backend, line.server, line.nginx, " | ".join(against), line.backend_mb, line.client_mb))


def print_goal(line, what, is_value, limit, unit=""):
    print("| %s | %s | %.3g%s | %.3g%s | %s |" % (line.contender.what, what, is_value, unit, limit, unit,
                                              "met" if is_value <= limit else "missed"))


def print_goals(lines, copy, dlt):
    print("\n| contender | goal | is | at most | |\n|---|---|---|---|---|")
    for line in lines.values():
        if line.contender.kind != "lyftron":
            continue
        if copy:
            print_goal(line, "backend CPU, x COPY text", line.backend / copy.backend, GOAL_COPY)
            print_goal(line, "wall, x COPY text", line.wall / copy.wall, GOAL_COPY)
        if dlt:
            print_goal(line, "wall, x dlt", line.wall / dlt.wall, GOAL_DLT)
        print_goal(line, "memory of the backend", line.backend_mb, GOAL_MEMORY, " MB")


def print_all(contenders, samples):
    lines = {c.name: Line(c, samples[c.name]) for c in contenders}
    rounds = len(next(iter(samples.values())))
    print("\nMedians of %d rounds. Microseconds a record of wall time, and of CPU; nginx's is in no ratio. The backend's memory is"
          "\nanonymous memory (RssAnon), the client's all it has in memory, both peaks. \"x COPY\": ratios to COPY from a text file,"
          "\nper record, where a contender had fewer. For a client with connections of its own, \"backend\" is the whole server."
          "\n(!): it has changed values on the way.\n" % rounds)
    print_table(lines, lines.get("copy_text"))
    print_goals(lines, lines.get("copy_text"), lines.get("dlt_default"))
