#!/usr/bin/env python3
"""Poses as a MySQL server and asks each client for its password in clear.

    mysql_curious.py --port PORT

A connection that begins with "heard?" is told all that clients sent so far.
"""
import argparse
import asyncio

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
options = parser.parse_args()

CAPABILITIES = 0x000FF7FF & ~0x0800  # without TLS
heard = b""


def packet(number, body):
    return len(body).to_bytes(3, "little") + bytes([number]) + body


def greeting():
    return packet(0, b"\x0a8.0.30\0" + (7).to_bytes(4, "little") + b"12345678\0" +
                  (CAPABILITIES & 0xFFFF).to_bytes(2, "little") + b"\x2d\x02\0" + (CAPABILITIES >> 16).to_bytes(2, "little") +
                  b"\x15" + bytes(10) + b"123456789012\0" + b"mysql_native_password\0")


async def serve(reader, writer):
    global heard
    writer.write(greeting())
    first = await reader.read(65536)
    if first.startswith(b"heard?"):
        writer.write(heard)
    else:
        writer.write(packet(2, b"\xfemysql_clear_password\0"))
        heard += first + await reader.read(65536)
        writer.write(packet(4, b"\xff\x15\x04#28000no"))
    await writer.drain()
    writer.close()


async def main():
    await asyncio.start_server(serve, "127.0.0.1", options.port)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
