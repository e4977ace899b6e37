#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Septet's envelopes and escapes, with nothing but the standard library.

An example for whoever writes a runner in Python.  Text is str in which a byte
that is not UTF-8 is a surrogate (errors="surrogateescape").
septet_formats.py < ENVELOPE prints what is sealed.
"""
import re
import sys
import zlib

MAGIC = b"Septet-Envelope: 1\n"
LINE = re.compile(rb"([A-Za-z0-9-]{1,40}): ([^\x00-\x1f\x7f]*)")
WORD = re.compile(r'([A-Za-z0-9._-]+)=(?:"([^"]*)"?|([^ \t]*))|[^ \t]+')
SAFE = re.compile(r"[a-z0-9_][a-z0-9._-]{0,63}")
TRAIL = ("host", "queue", "exit", "to", "due", "claim")


def encode(text):
    return text.encode("utf-8", "surrogateescape")


def escape(text):
    """Controls, the backslash and bytes that are not UTF-8 become \\xHH."""
    return re.sub("[\x00-\x1f\x7f\\\\\udc80-\udcff]",
                  lambda m: f"\\x{ord(m[0]) & 0xff:02x}", text)


def unescape(text):
    raw = re.sub(rb"\\x(?!00)([0-9a-f]{2})",
                 lambda m: bytes.fromhex(m[1].decode()), encode(text))
    return raw.decode("utf-8", "surrogateescape")


def words(text):
    """The key=value words of a decoded value; the first of several wins."""
    found = {}
    for match in WORD.finditer(text):
        if match[1]:
            value = match[3] if match[2] is None else match[2]
            found.setdefault(match[1], unescape(value))
    return found


def word(key, value):
    value = escape(str(value))
    if value == "" or " " in value or '"' in value:
        value = '"' + value.replace('"', "\\x22") + '"'
    return f"{key}={value}"


def parse_line(line):
    match = LINE.fullmatch(line)
    try:
        if match and len(line) < 8192:
            return match[1].decode(), unescape(match[2].decode())
    except UnicodeDecodeError:
        pass
    return None


class Envelope:
    """blocks: a list of (name, value) each, the Trail last.  claims: the values
    of the Claim lines behind the last Trail.  data: the bytes that count; a
    file that is longer has a torn tail and is to be cut."""

    def __init__(self, data=b""):
        self.blocks, self.claims, self.crc, self.sealed = [], [], 0, 0
        at, block, claim, last = 0, [], 0, 0
        while (end := data.find(b"\n", at)) != -1:
            pair = parse_line(data[at:end])
            name = pair[0].lower() if pair else ""
            if name == "claim":
                number = re.match("([1-9][0-9]{0,7})( |$)", pair[1])
                if not number or int(number[1]) <= last:
                    break
                claim = last = int(number[1])
            if name == "trail":
                crc = self._sum(data[self.sealed:end], block, claim, pair[1])
                if crc is None:
                    break
                self.blocks.append(block + [pair])
                self.crc, self.sealed, block, claim = crc, end + 1, [], 0
            elif pair:
                block.append(pair)
            else:
                break
            at = end + 1
        if data and (not data.startswith(MAGIC) or not self.blocks):
            raise ValueError("not an envelope of version 1, or nothing sealed")
        size = self.sealed
        while block and block[0][0].lower() == "claim":
            self.claims.append(block.pop(0)[1])
            size = data.index(b"\n", size) + 1
        self.data = data[:size]

    def _sum(self, text, block, claim, value):
        """The running sum after a Trail, or None where it does not count."""
        trail = words(value)
        text, _, crc = text.rpartition(b" crc32=")
        total = zlib.crc32(text, self.crc)
        good = (trail.get("lines") == str(len(block)) and
                trail.get("claim", "0") in ("0", str(claim)) and
                crc in (b"-", b"%08x" % total) and
                all(SAFE.fullmatch(trail.get(k, "")) for k in TRAIL[:3]) and
                SAFE.fullmatch(trail.get("to", "none")))
        return total if good else None

    def all(self, name, owners=None):
        """Values of a field in the last block that has it, of queues that own
        it (envelope.md has the table)."""
        for block in reversed(self.blocks):
            values = [v for n, v in block if n.lower() == name.lower()]
            if values and (not owners or words(block[-1][1])["queue"] in owners):
                return values
        return []

    def seal(self, fields, time, **trail):
        """The bytes to append to the file: fields and their Trail."""
        body = "".join(f"{n}: {escape(v)}\n" for n, v in fields).encode()
        body = body if self.data else MAGIC + body
        covered = self.data[self.sealed:] + body
        line = "Trail: " + " ".join([time] + [
            word(k, trail[k]) for k in TRAIL if k in trail] + [
            word("lines", covered.count(b"\n"))])
        crc = zlib.crc32(covered + line.encode(), self.crc)
        return body + f"{line} crc32={crc:08x}\n".encode()


if __name__ == "__main__":
    for part in Envelope(sys.stdin.buffer.read()).blocks:
        for field, text in part:
            print(f"{field}: {escape(text)}")
