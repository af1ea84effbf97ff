"""Measures what a statement or a command costs: wall time, CPU of each side, peak memory."""
import os
import resource
import subprocess
import threading
import time

TICK = 1 / os.sysconf("SC_CLK_TCK")
PAUSE = 0.01


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu(pid):
    """Seconds that a process (of one thread) has run; its children are not in it."""
    return int((read("/proc/%d/schedstat" % pid).split() or [0])[0]) / 1e9


def ticks(pid, field):
    fields = read("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return (int(fields[field]) + int(fields[field + 1])) * TICK


def reaped_cpu(pid):
    """Seconds of the children that it has waited for."""
    return ticks(pid, 13)


def threads_cpu(pid):
    """Seconds of a process with all of its threads."""
    return ticks(pid, 11)


def children(pid):
    return [int(c) for c in read("/proc/%d/task/%d/children" % (pid, pid)).split()]


def tree(pid):
    found = [pid]
    for parent in found:
        found += children(parent)
    return found


def memory(pid, what):
    for line in read("/proc/%d/status" % pid).splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) / 1024
    return 0


class Psql:
    """A session: statements go in, what they answer comes out."""

    def __init__(self):
        self.process = subprocess.Popen(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, encoding="utf-8")
        self.backend = int(self.run("SELECT pg_backend_pid()"))

    def run(self, sql):
        self.process.stdin.write(sql.rstrip("; \n") + ";\n\\echo :-)\n")
        self.process.stdin.flush()
        answer = ""
        for line in self.process.stdout:
            if line == ":-)\n":
                return answer
            answer += line
        raise SystemExit("a statement failed: " + sql)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Sample:
    """What one measurement has found: seconds and MB."""
    wall = client = backend = server = source = backend_mb = client_mb = 0.0
    first_ms = None     # until the first row, where that was measured
    records = 0
    differs = False

    def __str__(self):
        return "%.2f s, CPU: client %.2f, backend %.2f, rest of server %.2f, source %.2f; MB: client %.0f, backend %.0f%s" % (
            self.wall, self.client, self.backend, self.server, self.source, self.client_mb, self.backend_mb,
            "; first row after %.1f ms" % self.first_ms if self.first_ms is not None else "")


class Peak(threading.Thread):
    """Keeps the largest values that it sees of some functions."""

    def __init__(self, functions):
        super().__init__(daemon=True)
        self.functions = functions
        self.values = [0.0] * len(functions)
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(PAUSE):
            self.values = [max(v, f()) for v, f in zip(self.values, self.functions)]

    def stop(self):
        self.over.set()
        self.join()
        return self.values


class Watch:
    """The server with this postmaster, and what records come from: source_cpu() has the seconds that it ran."""

    def __init__(self, postmaster, source_cpu):
        self.postmaster = postmaster
        self.source_cpu = source_cpu

    def server_cpu(self):
        return reaped_cpu(self.postmaster) + sum(cpu(p) for p in children(self.postmaster))

    def backend_memory(self):
        return max((memory(p, "RssAnon") for p in children(self.postmaster)), default=0)

    def session(self, session, sql, profile):
        """A statement in a session: its backend apart from the rest of the server."""
        pids = session.backend, session.process.pid
        perf = profile and subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-o", profile,
                                              "-p", str(session.backend)])
        if perf:
            time.sleep(1)
        peak = Peak([lambda: memory(pids[0], "RssAnon"), lambda: memory(pids[1], "VmHWM")])
        before = cpu(pids[0]), cpu(pids[1]), self.server_cpu(), self.source_cpu()
        start = time.monotonic()
        session.run(sql)
        sample = Sample()
        sample.wall = time.monotonic() - start
        after = cpu(pids[0]), cpu(pids[1]), self.server_cpu(), self.source_cpu()
        sample.backend, sample.client, sample.server, sample.source = (a - b for a, b in zip(after, before))
        sample.server = max(sample.server - sample.backend, 0)
        sample.backend_mb, sample.client_mb = peak.stop()
        if perf:
            perf.terminate()
            perf.wait()
        return sample

    def command(self, command, uses_server):
        """A command and all that it starts; if it uses the server, the whole of it counts as its backend."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN), self.server_cpu(), self.source_cpu()
        start = time.monotonic()
        process = subprocess.Popen(command)
        peak = Peak([self.backend_memory if uses_server else lambda: 0, lambda: sum(memory(p, "VmHWM") for p in tree(process.pid))])
        status = process.wait()
        sample = Sample()
        sample.wall = time.monotonic() - start
        if status != 0:
            raise SystemExit("failed: " + " ".join(command))
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        sample.client = used.ru_utime + used.ru_stime - before[0].ru_utime - before[0].ru_stime
        sample.backend = self.server_cpu() - before[1] if uses_server else 0
        sample.source = self.source_cpu() - before[2]
        sample.backend_mb, sample.client_mb = peak.stop()
        return sample
