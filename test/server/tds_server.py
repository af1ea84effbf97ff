#!/usr/bin/env python3
"""A server that speaks as much of TDS 7.4 as tds_fdw (FreeTDS) needs, over tables that SQLite holds.

It is no SQL Server: it shows that pipelines work through that wrapper, and which statements come. Rows of dbo.orders (id, changed,
total) are made at the start; a file, one statement a line, has what was asked. SQLite takes [brackets] and dbo.tables as they are.
"""
import argparse
import socketserver
import sqlite3
import struct
import sys
import threading

PRELOGIN, LOGIN, BATCH, ATTENTION, ANSWER = 0x12, 0x10, 0x01, 0x06, 0x04
COLLATION = bytes([0x09, 0x04, 0xD0, 0x00, 0x34])


def text(value):
    """length in characters (a byte), UTF-16"""
    return bytes([len(value)]) + value.encode("utf-16-le")


def token(kind, body):
    return bytes([kind]) + struct.pack("<H", len(body)) + body


def done(status=0, rows=0):
    return b"\xfd" + struct.pack("<HHQ", status, 0xC1, rows)


def welcome():
    return (token(0xE3, b"\x01" + text("shop") + text("master"))
            + token(0xE3, b"\x07" + bytes([len(COLLATION)]) + COLLATION + b"\x00")
            + token(0xAD, b"\x01" + bytes([0x74, 0, 0, 4]) + text("SQLite") + bytes([16, 0, 0, 0]))
            + token(0xE3, b"\x04" + text("4096") + text("4096")) + done())


def failure(message):
    return token(0xAA, struct.pack("<IBB", 208, 1, 16) + struct.pack("<H", len(message)) + message.encode("utf-16-le")
                 + text("tds") + text("") + struct.pack("<I", 1)) + done(2)


def column(name, is_number):
    kind = b"\x26\x08" if is_number else b"\xe7" + struct.pack("<H", 8000) + COLLATION
    return struct.pack("<IH", 0, 9) + kind + text(name)


def value(field, is_number):
    if is_number:
        return b"\x00" if field is None else b"\x08" + struct.pack("<q", field)
    if field is None:
        return b"\xff\xff"
    encoded = str(field).encode("utf-16-le")
    return struct.pack("<H", len(encoded)) + encoded


def result(names, rows):
    numbers = [all(row[i] is None or isinstance(row[i], int) for row in rows) for i in range(len(names))]
    answer = b"\x81" + struct.pack("<H", len(names)) + b"".join(map(column, names, numbers))
    for row in rows:
        answer += b"\xd1" + b"".join(map(value, row, numbers))
    return answer + done(0x10, len(rows))


class Connection(socketserver.StreamRequestHandler):
    def read_message(self):
        body = b""
        while True:
            header = self.rfile.read(8)
            if len(header) < 8:
                return None, None
            kind, status, length = struct.unpack(">BBH", header[:4])
            body += self.rfile.read(length - 8)
            if status & 1:
                return kind, body

    def send(self, body):
        for start in range(0, len(body), 4088):
            part = body[start:start + 4088]
            last = start + 4088 >= len(body)
            self.wfile.write(struct.pack(">BBHHBB", ANSWER, 1 if last else 0, len(part) + 8, 0, start // 4088 % 256, 0) + part)

    def run(self, body):
        (headers,) = struct.unpack("<I", body[:4])
        statement = body[headers:].decode("utf-16-le").strip()
        if statement.lower().startswith("set "):
            return done()
        with self.server.lock:
            with open(self.server.log, "a", encoding="utf-8") as log:
                log.write(statement.replace("\n", " ") + "\n")
            try:
                cursor = self.server.database.execute(statement)
                rows = cursor.fetchall()
                return result([c[0] for c in cursor.description], rows) if cursor.description else done()
            except sqlite3.Error as error:
                return failure(str(error))

    def handle(self):
        try:
            self.talk()
        except ConnectionError:
            pass

    def talk(self):
        while True:
            kind, body = self.read_message()
            if kind is None:
                return
            if kind == PRELOGIN:
                places = [(0, 6), (1, 1), (2, 1), (4, 1)]
                offset = 5 * len(places) + 1
                options = b""
                for option, length in places:
                    options += struct.pack(">BHH", option, offset, length)
                    offset += length
                # no encryption
                self.send(options + b"\xff" + bytes([16, 0, 0, 0, 0, 0]) + b"\x02" + b"\x00" + b"\x00")
            elif kind == LOGIN:
                self.send(welcome())
            elif kind == BATCH:
                self.send(self.run(body))
            elif kind == ATTENTION:
                self.send(done(0x20))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--log", required=True)
    options = parser.parse_args()
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer.daemon_threads = True
    server = socketserver.ThreadingTCPServer(("127.0.0.1", options.port), Connection)
    server.lock = threading.Lock()
    server.log = options.log
    server.database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    server.database.executescript("""
        ATTACH ':memory:' AS dbo;
        CREATE TABLE dbo.orders (id INTEGER PRIMARY KEY, changed TEXT, total TEXT, uid TEXT);""")
    server.database.executemany("INSERT INTO dbo.orders VALUES (?, ?, ?, NULL)", (
        (i, f"2026-01-{1 + i // 100:02d} {i % 24:02d}:00:00", f"{i}.50") for i in range(1, options.rows + 1)))
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
