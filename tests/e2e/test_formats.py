#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_formats - the example readers and writers of spool-layout/examples agree
# with the library
#
# The files of examples/sample are what the library writes (the unit tests of
# envelope, rcpt, result and journal compare them byte by byte), and those in
# example.md are what the programs write.

import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
EXAMPLES = os.path.join(ROOT, "spool-layout", "examples")
PAGE = os.path.join(ROOT, "spool-layout", "envelope.md")
sys.dont_write_bytecode = True
sys.path.insert(0, EXAMPLES)
import septet_formats as formats  # noqa: E402
import septet_parts as parts  # noqa: E402

ENV = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
STAGES = ("lmtp inbound auth moderation pending outbound bounce command "
          "digest septet").split()


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}\n#  got: {got!r}\n# want: {want!r}")


def sample(name):
    with open(os.path.join(EXAMPLES, "sample", name), "rb") as f:
        return f.read()


def written_envelopes():
    """The envelopes in example.md, by name."""
    with open(os.path.join(ROOT, "spool-layout", "example.md"), "rb") as f:
        page = f.read()
    found = re.findall(rb"^### `([^`]+)`\n\n```\n(.*?)^```$", page,
                       re.M | re.S)
    return [(name.decode(), text) for name, text in found
            if text.startswith(formats.MAGIC)]


def run(*args, stdin=b""):
    return subprocess.run(args, input=stdin, env=ENV, cwd=EXAMPLES,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def awk(data, *options):
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        return run("awk", "-f", "envelope.awk", *options, PAGE, f.name)


def field_table():
    """Name: (queues of any block, queues of a creation block)."""
    def queues(column):
        return {"any": None, "stock": STAGES, "–": []}.get(
            column, column.split(", "))
    with open(PAGE, encoding="utf-8") as f:
        text = f.read().split("\n## Fields\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([A-Z][\w-]*) \| ([^|]*) \| ([^|]*) \|", text, re.M)
    return {name: (queues(block), queues(made)) for name, block, made in rows}


def test_escapes():
    for meant, text in (("plain", "plain"), ("a\nb\t\x7f", r"a\x0ab\x09\x7f"),
                        ("\\", r"\x5c"), ("Grüße 📬", "Grüße 📬"),
                        ("\udcff\udcc3", r"\xff\xc3"), ("", "")):
        equal(formats.escape(meant), text)
        equal(formats.unescape(text), meant)
    # No whole escapes, and the one that would end a C string.
    for text in (r"\x4", r"\xZZ", r"\x00", "\\", r"\x0A"):
        equal(formats.unescape(text), text)


def test_words():
    text = formats.words(r'<a@b> one=1 two="x y" q="\x22" e="" one=2 z=a=b')
    equal(text, {"one": "1", "two": "x y", "q": '"', "e": "", "z": "a=b"})
    for value in ("", "x", "two words", 'a"b', "tab\t", "\\", "ü"):
        equal(formats.words(formats.word("k", value)), {"k": value})


def test_envelope_read():
    data = sample("envelope")
    e = formats.Envelope(data)
    equal(e.data, data)
    equal([len(b) for b in e.blocks], [6, 4, 4, 5])
    equal(e.crc, 0x62be909b)
    equal(e.claims, ["5 queue=moderation owner=a.moderation1.11"])
    equal(e.all("role"), ["post"])
    equal(e.all("Subject"), ["Grüße aus \\server\t\udcff"])
    equal(e.all("Subject", {"inbound"}), [])
    reason = formats.words(e.all("Reason", {"moderation"})[0])
    equal(reason["text"], 'not a member: "ann"')


def test_envelope_write():
    """Sealing block by block gives the sample's bytes; the block with "-" is
    another's."""
    e, data = formats.Envelope(sample("envelope")), b""
    for block in e.blocks:
        trail = formats.words(block[-1][1])
        time = block[-1][1].split(" ")[0]
        keys = {k: trail[k] for k in formats.TRAIL if k in trail}
        pairs = [p for p in block[:-1] if p[0] != "Septet-Envelope"]
        while pairs and pairs[0][0] == "Claim":
            data += formats.encode(f"Claim: {pairs.pop(0)[1]}\n")
        sealed = formats.Envelope(data).seal(pairs, time, **keys)
        if trail["crc32"] == "-":
            sealed = re.sub(rb"crc32=[0-9a-f]{8}\n$", b"crc32=-\n", sealed)
        data += sealed
    data += formats.encode(f"Claim: {e.claims[0]}\n")
    equal(data, sample("envelope"))


def test_envelope_torn():
    """Cut anywhere: exactly the blocks that are whole, and whole claims."""
    data = sample("envelope")
    ends = [m.end() for m in re.finditer(rb"^Trail: .*\n", data, re.M)]
    for n in range(len(data)):
        whole = [end for end in ends if end <= n]
        if not whole:
            try:
                equal(n, 0 if formats.Envelope(data[:n]).blocks == [] else -1)
            except ValueError:
                pass
            continue
        e = formats.Envelope(data[:n])
        equal(len(e.blocks), len(whole), f"cut at {n}")
        rest = data[whole[-1]:n]
        claims = re.match(rb"(Claim: .*\n)*", rest)[0]
        equal(e.data, data[:whole[-1]] + claims, f"cut at {n}")


def test_envelope_damaged():
    data = sample("envelope")
    second = data.index(b"\nTrail: ") + 1
    second = data.index(b"\n", second) + 1
    end = data.index(b"\n", data.index(b"Trail: ", second)) + 1
    for at in range(second, end):
        broken = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        equal(len(formats.Envelope(broken).blocks), 1, f"byte {at}")


def test_envelope_refused():
    for data in (b"From: a@example.net\n\n", b"Septet-Envelope: 2\n",
                 b"Septet-Envelope: 1\nId: a\n"):
        try:
            formats.Envelope(data)
        except ValueError:
            continue
        raise AssertionError(f"taken: {data!r}")


def test_written_by_the_programs():
    envelopes = written_envelopes()
    if len(envelopes) < 4:
        raise AssertionError("example.md has few envelopes")
    for name, data in envelopes:
        e = formats.Envelope(data)
        equal(e.data, data, name)
        if b"crc32=-" in data:
            raise AssertionError(f"{name}: sealed without a sum")
        equal(os.path.basename(name), e.all("Id")[-1], name)
    with open(os.path.join(ROOT, "spool-layout", "example.md"), "rb") as f:
        page = f.read()
    journal = re.search(rb"^### `journal/[^`]+`\n\n```\n(.*?)^```$", page,
                        re.M | re.S)[1]
    records = parts.read_journal(journal)
    equal(b"".join(parts.write_journal(*r) for r in records), journal)
    for record in records:
        equal(formats.Envelope(record[2]).all("Id")[-1], record[0])
        rows = parts.read_rcpt(record[3])
        equal(parts.write_rcpt(rows), record[3])
        numbers = {int(r[0]) for r in parts.read_result(record[4])}
        equal(numbers, set(range(1, len(rows) + 1)))


def test_parts():
    data = sample("rcpt")
    rows = parts.read_rcpt(data)
    equal(rows[2][:2], ["F", "grün@example.net"])
    equal(rows[3][1], "odd\\name@example.net")
    equal(formats.words(rows[2][2])["text"], 'no "grün" here')
    equal(parts.write_rcpt(rows), data)
    equal(parts.read_rcpt(data[:-1]), rows[:-1])
    data = sample("result")
    rows = parts.read_result(data)
    equal(rows[1][6], "come back later\t…")
    equal(parts.write_result(rows), data)
    equal(parts.read_result(b"1\ttorn 2\t2026\n" + data), rows)


def test_journal():
    data = sample("journal")
    records = parts.read_journal(data)
    equal([r[0] for r in records], ["0k3v9q2t7m-a-01", "0k3v9q2t7m-a-02"])
    equal(records[0][3:], (sample("rcpt"), sample("result")))
    for record in records:
        if parts.write_journal(*record) not in data:
            raise AssertionError("a record is written in another way")
        equal(formats.Envelope(record[2]).data, record[2])
    equal(parts.read_journal(data[:-1]), records[:1])


def test_programs():
    out = run(sys.executable, "septet_formats.py", stdin=sample("envelope"))
    equal(out.stdout, sample("envelope").rsplit(b"Claim:", 1)[0])
    for kind, want in (("rcpt", 5), ("result", 4), ("journal", 2)):
        out = run(sys.executable, "septet_parts.py", kind, stdin=sample(kind))
        equal((out.returncode, out.stdout.count(b"\n")), (0, want), kind)


def counted_fields(e):
    """What counts by the page's table, as envelope.awk prints it."""
    table, found = field_table(), {}
    for block in e.blocks:
        trail, fresh = formats.words(block[-1][1]), {}
        made = "claim" not in trail and any(n == "Id" for n, _ in block)
        for name, value in block[:-1]:
            owners = table.get(name, (None, []))
            if name.startswith("X-") and not name.lower().startswith(
                    f"x-{trail['queue']}-"):
                continue
            if (owners[0] is None or trail["queue"] in owners[0] or made and
                    (owners[1] is None or trail["queue"] in owners[1])):
                fresh.setdefault(name, []).append(
                    f"{name}: {formats.escape(value)}\n")
        found.update(fresh)
    return "".join("".join(lines) for lines in found.values())


def test_awk():
    envelopes = written_envelopes() + [("sample", sample("envelope"))]
    for name, data in envelopes:
        out = awk(data)
        equal((out.returncode, out.stderr), (0, b""), name)
        equal(out.stdout.decode(), counted_fields(formats.Envelope(data)),
              name)
    for text in (b"Subject: Gr\xc3\xbc", b"X-Other-", b"Trail: "):
        if text in awk(sample("envelope")).stdout:
            raise AssertionError(f"{text} counts")


def test_awk_stages():
    data = formats.Envelope().seal(
        [("Id", "a"), ("Delivery", "relay=main"), ("Score", "forged")],
        "2026-11-20T09:00:00Z", host="a", queue="bulk", exit="done")
    equal(awk(data).stdout, b"Septet-Envelope: 1\nId: a\n")
    equal(awk(data, "-v", "stages=x=y bulk=outbound").stdout,
          b"Septet-Envelope: 1\nId: a\nDelivery: relay=main\n")


def test_awk_breaks():
    good = sample("envelope")
    first = good[:good.index(b"\n", good.index(b"Trail:")) + 1]
    want = first[:first.index(b"Trail:")]
    for tail in (b"List: x\nTrail: t host=a queue=inbound exit=e lines=2 "
                 b"crc32=-\n",
                 b"List: x\nTrail: t host=a queue=inbound exit=e claim=1 "
                 b"lines=1 crc32=-\n",
                 b"List: x\nTrail: t host=a queue=inbound exit=e lines=1 "
                 b"crc32=00\n",
                 b"no line\nTrail: t host=a queue=inbound exit=e lines=1 "
                 b"crc32=-\n"):
        equal(awk(first + tail).stdout, want, tail)
    equal(awk(b"Septet-Envelope: 1\nId: a\n").returncode, 65)
    equal(awk(b"From: ann@example.net\n\n").returncode, 65)


def test_seal_in_sh():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "envelope")
        with open(path, "wb") as f:
            f.write(sample("envelope") +
                    b"Claim: 6 queue=spamcheck owner=a.s.12\n")
        out = run("./seal.sh", path, "host=a", "queue=spamcheck",
                  "exit=accept", "to=moderation", "claim=6",
                  stdin=b"X-Spamcheck-Score: 9\nSpam: score=9.0\n")
        equal((out.returncode, out.stderr), (0, b""))
        with open(path, "rb") as f:
            data = f.read()
    e = formats.Envelope(data)
    equal((e.data, len(e.blocks), e.claims), (data, 5, []))
    equal(e.all("Spam"), ["score=9.0"])
    # Who can compute sums goes on behind it.
    more = e.seal([("Rule", "x")], "2026-11-20T09:00:00Z", host="a",
                  queue="moderation", exit="accept", to="pending")
    equal(len(formats.Envelope(data + more).blocks), 6)


def main():
    tests = [(n[5:].replace("_", " "), f) for n, f in globals().items()
             if n.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Exception as e:  # noqa: BLE001
            failed = 1
            print(f"not ok {number} - {name}\n# {type(e).__name__}: {e}",
                  flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
