"""Tables of benchmarks of loaders: medians, ratios, and whether goals are met."""
from statistics import median


class Line:
    """The medians of a contender's samples, times per record in microseconds."""

    def __init__(self, contender, samples):
        def per_record(name):
            return median(getattr(s, name) / s.records * 1e6 for s in samples)

        self.contender = contender
        self.rounds = len(samples)
        self.records = samples[0].records
        self.what = contender.what + (" (!)" if any(s.differs for s in samples) else "")
        self.seconds = median(s.wall for s in samples)
        self.least, self.most = min(s.wall for s in samples), max(s.wall for s in samples)
        self.wall, self.client, self.backend = per_record("wall"), per_record("client"), per_record("backend")
        self.server, self.source = per_record("server"), per_record("source")
        self.backend_mb = max(s.backend_mb for s in samples)
        self.client_mb = max(s.client_mb for s in samples)
        self.first_ms = median(s.first_ms for s in samples) if samples[0].first_ms is not None else None

    @property
    def cpu(self):
        return self.client + self.backend + self.server


def ratio(line, against, what):
    """By wall, backend or cpu; "" where there is nothing to compare with."""
    value = against and getattr(against, what)
    return "%.2f" % (getattr(line, what) / value) if value else ""


def print_table(lines, source, ratios):
    """ratios: (heading, line to compare with or None, wall, backend or cpu)."""
    first = any(line.first_ms is not None for line in lines)
    print("| contender | records | wall s (min-max) | us/record: wall | client | backend | server's rest | %s | %s | MB: backend | client |%s"
          % (source, " | ".join(r[0] for r in ratios), " first row ms |" if first else ""))
    print("|---" * (10 + len(ratios) + first) + "|")
    for line in lines:
        print("| %s | %s | %.2f (%.2f-%.2f) | %.2f | %.2f | %.2f | %.2f | %.2f | %s | %.0f | %.0f |%s" % (
            line.what, format(line.records, ","), line.seconds, line.least, line.most, line.wall, line.client,
            line.backend, line.server, line.source, " | ".join(ratio(line, *r[1:]) for r in ratios),
            line.backend_mb, line.client_mb,
            "" if not first else " |" if line.first_ms is None else " %.1f |" % line.first_ms))


def print_goals(goals):
    """goals: (line, what, value, at most, unit)."""
    if not goals:
        return
    print("\n| contender | goal | is | at most | |\n|---|---|---|---|---|")
    for line, what, value, limit, unit in goals:
        print("| %s | %s | %.3g%s | %.3g%s | %s |" % (line.contender.what, what, value, unit, limit, unit,
                                                      "met" if value <= limit else "missed"))
