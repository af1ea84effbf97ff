#!/usr/bin/env python3
"""A web API that takes its time, and remembers what was in flight at once, for tests of requests sent ahead.

    slow_api.py --port N

Prints "ready" when it listens.

    POST /admin/begin?delay=MS     each answer takes that long from now on; forgets the requests so far
    POST /admin/refuse?path=/P     the next request for /P is answered with 429
    GET  /admin/log                [{"request", "arrived", "left", "in_flight"}, ...] in the order of arrival; s since the epoch

    GET  /pages?page=N&size=S&total=T   {"data": [...], "next_page": n or null}: records id, part
    GET  /days?from=D&to=D              one record of that day
    GET  /P                             two records of that part
"""
import argparse
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

lock = threading.Lock()
state = {"delay": 0.0, "log": [], "in_flight": 0, "refuse": set()}


def records(path, query):
    if path != "/pages":
        return {"data": [{"id": i, "part": path[1:], "day": query.get("from")} for i in (1, 2)]}
    page, size, total = int(query.get("page", 1)), int(query["size"]), int(query["total"])
    last = min(page * size, total)
    return {"data": [{"id": i, "part": "pages"} for i in range((page - 1) * size + 1, last + 1)],
            "next_page": page + 1 if last < total else None}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def parts(self):
        url = urlsplit(self.path)
        return url.path, {k: v[-1] for k, v in parse_qs(url.query).items()}

    def do_GET(self):
        path, query = self.parts()
        if path == "/admin/log":
            with lock:
                return self.answer(200, state["log"])
        with lock:
            state["in_flight"] += 1
            entry = {"request": self.path, "arrived": time.time(), "in_flight": state["in_flight"]}
            state["log"].append(entry)
            status = 429 if path in state["refuse"] else 200
            state["refuse"].discard(path)
        time.sleep(state["delay"])
        with lock:
            state["in_flight"] -= 1
            entry["left"] = time.time()
        self.answer(status, records(path, query))

    def do_POST(self):
        path, query = self.parts()
        with lock:
            if path == "/admin/begin":
                state.update(delay=int(query.get("delay", 0)) / 1000, log=[], refuse=set())
            else:
                state["refuse"].add(query["path"])
        self.answer(200, {})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    server.daemon_threads = True
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
