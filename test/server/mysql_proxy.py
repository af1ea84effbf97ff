#!/usr/bin/env python3
"""A proxy between a client and a server of MySQL's that does harm on demand.

    mysql_proxy.py --port PORT --to HOST:PORT --control PORT

A line to the control port says what happens to connections from then on, "ok" answers it:

    pass            bytes go both ways
    cut N           both connections end after N bytes from the server
    stall N         nothing more goes either way after N bytes from the server
    garbage N       what the server says after N bytes is noise
    refuse          connections are closed at once
    count           how many connections are open
    port            which port this is

N counts from the moment of the command, for connections that are open and for new ones alike.
"""
import argparse
import asyncio
import random

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--to", required=True)
parser.add_argument("--control", type=int, required=True)
options = parser.parse_args()

fault, limit, generation, open_connections = "pass", 0, 0, 0
noise = random.Random(6)


async def forward(reader, writer, link, from_server):
    while data := await reader.read(65536):
        if link["generation"] != generation:
            link["generation"], link["seen"] = generation, 0
        if from_server:
            data = harm(data, link)
        if data is None:
            break
        while fault == "stall" and link["seen"] > limit:
            await asyncio.sleep(0.02)
        writer.write(data)
        await writer.drain()
        if from_server and fault == "cut" and link["seen"] > limit:
            break


def harm(data, link):
    """What is sent on instead; None: the connection ends."""
    before = link["seen"]
    link["seen"] += len(data)
    kept = max(limit - before, 0)
    if fault == "pass" or link["seen"] <= limit:
        return data
    if fault == "cut":
        return data[:kept] or None
    if fault == "garbage":
        return data[:kept] + noise.randbytes(len(data) - kept)
    return data


async def serve(reader, writer):
    global open_connections
    if fault == "refuse":
        writer.transport.abort()
        return
    host, port = options.to.rsplit(":", 1)
    try:
        server_reader, server_writer = await asyncio.open_connection(host, int(port))
    except OSError:
        writer.transport.abort()
        return
    open_connections += 1
    link = {"seen": 0, "generation": generation}
    ways = [asyncio.create_task(forward(reader, server_writer, link, False)),
            asyncio.create_task(forward(server_reader, writer, link, True))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    for end in (writer, server_writer):
        end.close()
    open_connections -= 1


async def control(reader, writer):
    global fault, limit, generation
    words = (await reader.readline()).decode().split()
    if words[0] == "count":
        writer.write(f"{open_connections}\n".encode())
    elif words[0] == "port":
        writer.write(f"{options.control}\n".encode())
    else:
        fault, limit, generation = words[0], int(words[1]) if len(words) > 1 else 0, generation + 1
        writer.write(b"ok\n")
    writer.close()


async def main():
    await asyncio.start_server(serve, "127.0.0.1", options.port)
    await asyncio.start_server(control, "127.0.0.1", options.control)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
