#!/usr/bin/env python3
"""The benchmark's records, always the same ones: pages of JSON, and the same rows as COPY reads them.

    generate.py DIR RECORDS FEW

Writes DIR/all/1.json ... with 1,000 records each and an empty page at the end, DIR/few with the
first FEW of them, and DIR/rows.copy with the 12 columns that are picked from each record, in
COPY's text format.  What COPY is given is made from the values, not by the program under test.
"""
import json
import os
import random
import sys

PAGE = 1000
FIRST = ["Ann", "Bela", "Chloé", "Dmitri", "Elif", "Farah", "Goran", "Håkon", "Ines", "Jürgen", "Kofi", "Łucja"]
LAST = ["Abbott", "Błaszczyk", "Cruz", "Dubois", "Eriksen", "Fernández", "Grünwald", "Haddad", "Ito", "Jansen"]
CITY = ["Amsterdam", "Bogotá", "Cairo", "Dar es Salaam", "Edinburgh", "Freetown", "Genève", "Hà Nội", "İzmir"]
STATUS = ["new", "open", "in progress", "waiting for customer", "resolved", "closed"]
TAG = ["urgent", "billing", "eu", "mobile", "beta", "refund", "vip"]
WORD = ("the order was sent to another address and came back so we called on Monday "
        "customer asked for an invoice with the right name nothing else is open").split()


def uuid(rng):
    h = "%032x" % rng.getrandbits(128)
    return "-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:]))


def note(rng):
    text = " ".join(rng.choices(WORD, k=16))
    if rng.random() < 0.05:
        text = 'said: "%s"\nthen left' % text
    return text


def record(rng, i):
    """A record, the tags as COPY gets them, and its columns in the table's order."""
    day = rng.randrange(28) + 1
    owner = rng.randrange(5000)
    first, last = rng.choice(FIRST), rng.choice(LAST)
    created = "2026-%02d-%02dT%02d:%02d:%02d.%03dZ" % (rng.randrange(12) + 1, day, rng.randrange(24),
                                                    rng.randrange(60), rng.randrange(60), rng.randrange(1000))
    due = None if rng.random() < 0.1 else "2027-%02d-%02d" % (rng.randrange(12) + 1, day)
    city = rng.choice(CITY)
    mail = "user%d@example.org" % owner
    key, status = uuid(rng), rng.choice(STATUS)
    cents = rng.randrange(1, 5000000)
    score, active = rng.random(), rng.random() < 0.7
    tags = rng.sample(TAG, rng.randrange(4))
    amount = "%d.%02d" % divmod(cents, 100)
    text = json.dumps({
        "id": i, "key": key, "name": first + " " + last, "status": status, "amount": "@amount", "score": score,
        "active": active, "created_at": created, "due_on": due,
        "owner": {"id": owner, "mail": mail, "address": {"city": city, "zip": "%05d" % rng.randrange(100000)}},
        "tags": tags, "note": note(rng), "link": "https://example.org/items/%d" % i,
    }, ensure_ascii=False, separators=(",", ":")).replace('"@amount"', amount, 1)
    row = (str(i), key, first + " " + last, status, amount, repr(score), "t" if active else "f", created,
           due or "\\N", mail, city, json.dumps(tags))
    return text, "\t".join(row)


def page_text(texts, more):
    return '{"data":[' + ",".join(texts) + '],"has_more":' + ("true" if more else "false") + "}"


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        return out.write(text)


def main():
    directory, records, few = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(20260131)
    pages = (records + PAGE - 1) // PAGE
    for name in ("all", "few"):
        os.makedirs(os.path.join(directory, name))
    with open(os.path.join(directory, "rows.copy"), "w", encoding="utf-8") as rows:
        for page in range(1, pages + 1):
            made = [record(rng, i) for i in range((page - 1) * PAGE + 1, min(page * PAGE, records) + 1)]
            write(os.path.join(directory, "all", "%d.json" % page), page_text([m[0] for m in made], page < pages))
            rows.writelines(m[1] + "\n" for m in made)
    few_pages = min(pages, (few + PAGE - 1) // PAGE)
    for page in range(1, few_pages + 1):
        os.link(os.path.join(directory, "all", "%d.json" % page), os.path.join(directory, "few", "%d.json" % page))
    write(os.path.join(directory, "all", "%d.json" % (pages + 1)), page_text([], False))
    write(os.path.join(directory, "few", "%d.json" % (few_pages + 1)), page_text([], False))


if __name__ == "__main__":
    main()
