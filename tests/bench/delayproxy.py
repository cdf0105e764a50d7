#!/usr/bin/python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
"""A TCP proxy that delays:  delayproxy.py MILLISECONDS TO-PORT...  prints a port of 127.0.0.1 for each TO-PORT.

Every piece is delivered MILLISECONDS after it was received, in both directions, in order and without a limit of rate.
The TCP handshake of a client with this proxy takes no time, so the first bytes of a client are held one round trip
more: as if its SYN and the SYN-ACK had been delayed, too.
"""
import asyncio
import contextlib
import socket
import sys

HOST = "127.0.0.1"


async def carry(reader, writer, delay, first):
    """From reader to writer, each piece `delay` late; the first one `first` later."""
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue()
    hold = loop.time() + first

    async def deliver():
        while True:
            due, data = await queue.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                break
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    task = loop.create_task(deliver())
    with contextlib.suppress(ConnectionError):
        while True:
            data = await reader.read(1 << 18)
            queue.put_nowait((max(loop.time(), hold) + delay, data))
            if not data:
                break
    queue.put_nowait((loop.time() + delay, b""))
    with contextlib.suppress(ConnectionError, OSError):
        await task


async def pair(reader, writer, port, delay):
    no_delay(writer)
    to_reader, to_writer = await asyncio.open_connection(HOST, port, limit=1 << 20)
    no_delay(to_writer)
    try:
        await asyncio.gather(carry(reader, to_writer, delay, 2 * delay), carry(to_reader, writer, delay, 0))
    finally:
        for w in (writer, to_writer):
            w.close()


def no_delay(writer):
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def main(delay, ports):
    servers = []
    for port in ports:
        servers.append(await asyncio.start_server(lambda r, w, p=port: pair(r, w, p, delay), HOST, 0, limit=1 << 20))
    print(*(s.sockets[0].getsockname()[1] for s in servers), flush=True)
    # Runs as long as the process that started it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for s in servers:
        s.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000, [int(p) for p in sys.argv[2:]]))
