#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_example - the worked example of spool-layout/example.md is what the
# programs really write
#
# usage: test_example.py [--write]    --write puts the real files into the page
#
# What differs from run to run (IDs, times, keyed hashes) is replaced by fixed
# values and every size and sum is then computed anew, so the page shows whole,
# valid files.

import os
import re
import sys
import zlib

sys.dont_write_bytecode = True
from septet_test import ROOT, Site, equal, main, names, read  # noqa: E402

PAGE = os.path.join(ROOT, "spool-layout", "example.md")
ID = "0k3v9q2t7m-a-2v1-00"
EPOCH = "1763629200000000"
MESSAGE = b"""\
From: Ann Example <ann@example.net>
To: dev@lists.example.org
Subject: Hello
Date: Fri, 20 Nov 2026 08:59:58 +0000
Message-ID: <hello.1@example.net>

It works.
"""
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z")
BLOCK = re.compile(r"^### `([^`]+)`\n\n```\n(.*?)^```$", re.M | re.S)


def one(folder):
    (name,) = names(folder)
    return name


def run_example():
    """Path in the page: bytes, as written."""
    files = {}
    with Site(queues="  outbound: {maildir: mail}\n") as site:
        site.run("septet", "list", "create", "dev@lists.example.org",
                 "--owner", "owner@example.net")
        site.run("septet", "member", "add", "dev@lists.example.org", "-",
                 stdin=b"Ann Example <ann@example.net>\nben@example.com\n")
        site.drop(MESSAGE, name="hello")
        files["inbound/new/hello"] = read(site.path("inbound/new/hello"))
        order = ["inbound", "auth", "moderation", "pending", "outbound"]
        ident = None
        for queue, after in zip(order, order[1:]):
            site.drain(queue)
            ident = one(site.path(after, "new"))
            files[after + "/new/" + ID] = read(site.path(after, "new", ident))
            if queue == "inbound":
                files["msg/" + ID] = read(site.path("msg", ident))
        files["head/" + ID] = read(site.path("head", ident))
        files["rcpt/" + ID] = read(site.path("rcpt", ident))
        site.drain("outbound")
        day = one(site.path("journal"))
        files["journal/2026-11-20"] = read(site.path("journal", day))
        for part in ("msg", "head", "rcpt", "result"):
            equal(names(site.path(part)), [], part)
        for queue in order:
            for place in ("new", "cur", "later", "held", "dead", "tmp"):
                equal(names(site.path(queue, place)), [], queue + place)
        new = os.path.join(site.root, "mail", "ann@example.net", "new")
        files["mail/ann@example.net"] = read(os.path.join(new, one(new)))
    return ident, {k: v.decode() for k, v in files.items()}


class Same:
    """Replace what differs from run to run, the same way in every file."""

    def __init__(self, ident):
        self.ident = ident
        self.macs = {}

    @staticmethod
    def clock(text):
        """Times by what they belong to: how many milliseconds lie between
        two stages differs from run to run."""
        out, trails = [], 0
        for line in text.splitlines(keepends=True):
            at = 135
            if line.startswith(("Created: ", "Trail: ")):
                at = 123 + 2 * trails
                trails += line.startswith("Trail: ")
            out.append(TIME.sub("2026-11-20T09:00:00.%03dZ" % at, line))
        return "".join(out)

    def mac(self, m):
        at = self.macs.setdefault(m.group(2), len(self.macs))
        return m.group(1) + "abcdefghij"[at] * 10

    def apply(self, text):
        text = text.replace(self.ident, ID)
        text = self.clock(text)
        text = re.sub(r"(owner=\S+\.)\d{16}", r"\g<1>" + EPOCH, text)
        text = re.sub(r"uid=\d+", "uid=1001", text)
        text = re.sub(r"(=example\.(?:net|com)=)([a-z2-7]{10})", self.mac,
                      text)
        return re.sub(r"\t\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000\n",
                      "\tFri, 20 Nov 2026 09:00:00 +0000\n", text)


def crc(text, start=0):
    return "%08x" % zlib.crc32(text.encode(), start)


def reseal(text, parts):
    """The envelope with sizes, sums and seals computed anew."""
    out, block, total = [], "", 0
    for line in text.splitlines(keepends=True):
        for part, body in parts.items():
            size = len(body.encode())
            line = re.sub(r"^(Staged: %s .*)size=\d+ crc32=\w+" % part,
                          r"\g<1>size=%d crc32=%s" % (size, crc(body)), line)
            if part == "head":
                line = re.sub(r"^Head: .*", "Head: %d crc32=%s" % (
                    size, crc(body)), line)
            if part == "rcpt":
                line = re.sub(r"^(Recipients: \d+ bytes=).*",
                              r"\g<1>%d" % size, line)
            if part == "result":
                line = re.sub(r"^(Delivery: .*results=)\d+",
                              r"\g<1>%d" % size, line)
        if line.startswith("Trail: "):
            line = line[:line.rindex(" crc32=")]
            total = zlib.crc32((block + line).encode(), total)
            line += " crc32=%08x\n" % total
            block = ""
        else:
            block += line
        out.append(line)
    return "".join(out)


def normalise(ident, files):
    same = Same(ident)
    files = {path: same.apply(text) for path, text in files.items()}
    parts = {"head": files["head/" + ID], "rcpt": files["rcpt/" + ID]}
    head, rest = files["journal/2026-11-20"].split("\n", 1)
    sizes = {k: int(v) for k, v in re.findall(
        r"(envelope|rcpt|result)=(\d+)", head)}
    envelope, _, rest = rest.partition("Septet-Rcpt: ")
    rcpt = "Septet-Rcpt: " + rest[:len(parts["rcpt"]) - 13]
    result = rest[len(parts["rcpt"]) - 13:-1]
    assert set(sizes) == {"envelope", "rcpt", "result"}, head
    for path in files:
        if path.split("/")[0] in ("auth", "moderation", "pending",
                                  "outbound"):
            files[path] = reseal(files[path], parts)
    parts["result"] = result
    envelope = reseal(envelope, parts)
    body = envelope + rcpt + result
    head = re.sub(r"envelope=\d+ rcpt=\d+ result=\d+ crc32=\w+",
                  "envelope=%d rcpt=%d result=%d" % (
                      len(envelope.encode()), len(rcpt.encode()),
                      len(result.encode())), head)
    head += " crc32=" + crc(head + body)
    files["journal/2026-11-20"] = head + "\n" + body + "\n"
    return files


def real_files():
    return normalise(*run_example())


def test_page_shows_what_is_written():
    real = real_files()
    with open(PAGE, encoding="utf-8") as file:
        shown = dict(BLOCK.findall(file.read()))
    equal(sorted(shown), sorted(real), "the files of the page")
    for path in sorted(real):
        equal(shown[path], real[path], path)


def write_page():
    real = real_files()
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    text = BLOCK.sub(lambda m: "### `%s`\n\n```\n%s```" % (
        m.group(1), real[m.group(1)]), text)
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(text)


if "--write" in sys.argv:
    write_page()
else:
    main(globals())
