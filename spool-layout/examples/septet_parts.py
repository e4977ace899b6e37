#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Septet's distribution lists, results and journals; beside septet_formats.py.

septet_parts.py rcpt|result|journal < FILE prints what counts in it.
"""
import re
import sys
import zlib

from septet_formats import encode, escape, unescape

HEAD = re.compile(rb"Septet-Journal: 1 id=([0-9a-z.-]+) time=(\S+) "
                  rb"envelope=(\d+) rcpt=(\d+) result=(\d+) "
                  rb"crc32=([0-9a-f]{8})\n")


def read_rcpt(data):
    """[state, address, words as written] a recipient, of whole lines only."""
    head, *lines = data.decode("utf-8").split("\n")[:-1]
    if head != "Septet-Rcpt: 1":
        raise ValueError("not a distribution list of version 1")
    rows = [line.split("\t", 2) for line in lines]
    return [[r[0], unescape(r[1]), r[2] if len(r) > 2 else ""] for r in rows]


def write_rcpt(rows):
    lines = ["\t".join([s, escape(a)] + ([w] if w else [])) for s, a, w in rows]
    return encode("\n".join(["Septet-Rcpt: 1"] + lines) + "\n")


def read_result(data):
    rows = [line.split("\t")[:7] for line in data.decode().split("\n")[:-1]]
    return [r[:3] + [unescape(c) for c in r[3:]] for r in rows if len(r) == 7]


def write_result(rows):
    return encode("".join("\t".join(escape(str(c)) for c in row) + "\n"
                          for row in rows))


def read_journal(data):
    """(id, time, envelope, rcpt, result) a record; what is broken is left out."""
    at, records = 0, []
    while at < len(data):
        head = HEAD.match(data, at)
        sizes = [int(head[i]) for i in (3, 4, 5)] if head else []
        end = head.end() + sum(sizes) if head else 0
        if (head and data[end:end + 1] == b"\n" and int(head[6], 16) ==
                zlib.crc32(data[at:head.end() - 16] + data[head.end():end])):
            ends = [head.end() + sum(sizes[:i]) for i in range(4)]
            records.append((head[1].decode(), head[2].decode(), *[
                data[ends[i]:ends[i + 1]] for i in range(3)]))
            at = end + 1
        else:
            at = (data.find(b"\n", at) + 1) or len(data)
    return records


def write_journal(name, time, *parts):
    head = (f"Septet-Journal: 1 id={name} time={time} envelope={len(parts[0])} "
            f"rcpt={len(parts[1])} result={len(parts[2])}").encode()
    crc = zlib.crc32(head + b"".join(parts))
    return head + b" crc32=%08x\n" % crc + b"".join(parts) + b"\n"


if __name__ == "__main__":
    for item in globals()["read_" + sys.argv[1]](sys.stdin.buffer.read()):
        print(*item, sep="\t")
