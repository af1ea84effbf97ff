#!/usr/bin/env python3
"""As many generated records as one wants, page by page, for tests of memory and of refreshes.

    records_api.py --port N

Prints "ready" when it listens.

    GET  /records?page=N&pages=P&size=S   {"data": [...], "next_page": n or null}: ids (N-1)*S+1 ...
    GET  /table?page=N&size=S             what was put there last
    POST /table?rows=N&generation=G       put N rows of generation G there
    POST /break?page=N                    page N of /table answers 500 from now on (0: none)
"""
import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

table = {"rows": 0, "generation": 0, "broken": 0}


def record(i, generation=0):
    return (b'{"id":%d,"name":"record number %d","amount":%d.25,"active":%s,"generation":%d,'
            b'"created_at":"2026-01-02T03:04:05.%06dZ","note":"%s","tags":["a","b","c"],'
            b'"owner":{"id":%d,"mail":"user%d@example.org","address":{"city":"Town %d","zip":"%05d"}},'
            b'"score":%d.5,"link":"https://example.org/records/%d"}'
            % (i, i, i % 1000, b"true" if i % 2 else b"false", generation, i % 1000000, b"x" * 120,
               i % 77, i % 77, i % 50, i % 100000, i % 10, i))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def numbers(self):
        url = urlsplit(self.path)
        return url.path, {k: int(v[-1]) for k, v in parse_qs(url.query).items()}

    def do_GET(self):
        path, n = self.numbers()
        page, size = n.get("page", 1), n.get("size", 1000)
        first = (page - 1) * size + 1
        if path == "/records":
            last, total, generation = page * size, n["pages"] * size, 0
        elif path == "/table":
            total, generation = table["rows"], table["generation"]
            last = min(page * size, total)
        else:
            return self.answer(404, b"{}")
        if path == "/table" and page == table["broken"]:
            return self.answer(500, b'{"error":"broken"}')
        body = b",".join(record(i, generation) for i in range(first, last + 1))
        self.answer(200, b'{"data":[' + body + b'],"next_page":' + (b"%d" % (page + 1) if last < total else b"null") + b"}")

    def do_POST(self):
        path, n = self.numbers()
        if path == "/table":
            table.update(rows=n["rows"], generation=n["generation"])
        elif path == "/break":
            table["broken"] = n["page"]
        self.answer(200, json.dumps(table).encode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    server.daemon_threads = True
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
