#!/usr/bin/env python3
"""A web API that notes when each request came, and for whom, for tests of rates and of requests in flight.

    counting_api.py --port N

Prints "ready" when it listens. Whose a request is says its header Authorization.

    GET  /pages?pages=N&page=P    {"data": [{"id": P}], "next_page": P + 1, up to N}
    POST /admin/begin?delay=MS    forgets all; each answer takes that long from now on
    POST /admin/window?limit=N&seconds=S
                                  counts in fixed windows from the next request on, refuses with 429 what is too much, and says in
                                  ratelimit-remaining and ratelimit-reset (since 1970) what is left and until when
    POST /admin/refuse?status=C&who=W&HEADER=VALUE
                                  the next request of that account is answered so
    GET  /admin/log               [{"who", "arrived", "left", "in_flight", "status", "window"}, ...]: seconds of a clock of its own, how
                                  many were in flight when it came, with it, and in which fixed window
"""
import argparse
import json
import math
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

lock = threading.Lock()
state = {}


def begin(delay=0):
    state.update(delay=delay, log=[], in_flight=0, refuse=None, window=None)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, value, headers=()):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def parts(self):
        url = urlsplit(self.path)
        return url.path, {k: v[-1] for k, v in parse_qs(url.query).items()}

    def count_in_window(self, entry):
        """The status and the headers by the fixed window; with the lock held."""
        window, now = state["window"], time.time()
        if window is None:
            return 200, []
        if now >= window["end"]:
            window.update(end=math.floor(now) + window["seconds"], used=0, number=window["number"] + 1)
        window["used"] += 1
        entry["window"] = window["number"]
        return (429 if window["used"] > window["limit"] else 200,
                [("ratelimit-remaining", str(max(window["limit"] - window["used"], 0))),
                 ("ratelimit-reset", str(int(window["end"])))])

    def do_GET(self):
        path, query = self.parts()
        if path == "/admin/log":
            with lock:
                return self.answer(200, state["log"])
        with lock:
            state["in_flight"] += 1
            entry = {"who": self.headers.get("Authorization"), "arrived": time.monotonic(), "in_flight": state["in_flight"]}
            state["log"].append(entry)
            status, headers = self.count_in_window(entry)
            if state["refuse"] and state["refuse"][0] == entry["who"]:
                _, status, headers = state["refuse"]
                state["refuse"] = None
            entry["status"] = status
        time.sleep(state["delay"])
        with lock:
            state["in_flight"] -= 1
            entry["left"] = time.monotonic()
        page = int(query.get("page", 1))
        more = page + 1 if page < int(query.get("pages", 1)) else None
        self.answer(status, {"data": [{"id": page}], "next_page": more} if status == 200 else {}, headers)

    def do_POST(self):
        path, query = self.parts()
        with lock:
            if path == "/admin/begin":
                begin(int(query.get("delay", 0)) / 1000)
            elif path == "/admin/window":
                state["window"] = {"limit": int(query["limit"]), "seconds": int(query["seconds"]), "end": 0, "used": 0,
                                   "number": 0}
            else:
                status, who = int(query.pop("status")), "Bearer " + query.pop("who")
                state["refuse"] = (who, status, list(query.items()))
        self.answer(200, {})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    begin()
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    server.daemon_threads = True
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
