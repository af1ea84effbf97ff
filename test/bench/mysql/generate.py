#!/usr/bin/env python3
"""The benchmark's rows, always the same ones: 16 columns as those of TPC-H's lineitem.

    generate.py FILE ROWS

Writes them in COPY's text format, which LOAD DATA reads as well: NULLs, empty texts, characters beyond ASCII, and tabs,
line ends, quotes and backslashes in some of the comments.
"""
import random
import sys
from datetime import date, timedelta

MODE = ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"]
INSTRUCT = ["COLLECT COD", "DELIVER IN PERSON", "NONE", "TAKE BACK RETURN"]
WORD = ("carefully final deposits sleep furiously above the regular requests bold packages are quickly ironic "
        "accounts against even pinto beans").split()
WORLD = ["Straße", "čaj", "naïve", "東京", "Łódź"]
AWKWARD = ['said "no"', "it's", "a\\\\b", "tab\\there", "line\\nend", "NULL", "\\\\N", "100%_", " both ends "]
DAY = [(date(1992, 1, 1) + timedelta(days=n)).isoformat() for n in range(2600)]


def comment(rng):
    chance = rng.random()
    if chance < 0.01:
        return "\\N"
    if chance < 0.02:
        return ""
    if chance < 0.04:
        return rng.choice(AWKWARD)
    words = rng.choices(WORD, k=6)
    if chance > 0.9:
        words[0] = rng.choice(WORLD)
    return " ".join(words)[:44].rstrip()


def money(cents):
    return "%d.%02d" % divmod(cents, 100)


def row(rng, number):
    quantity = rng.randrange(1, 51)
    price = quantity * rng.randrange(90000, 210000)
    shipped = rng.randrange(2400)
    return "\t".join((
        str(number), str(rng.randrange(1, 200001)), str(rng.randrange(1, 10001)), str(rng.randrange(1, 8)),
        money(quantity * 100), money(price), money(rng.randrange(11)), money(rng.randrange(9)),
        rng.choice("ANR"), rng.choice("FO"),
        DAY[shipped], "\\N" if rng.random() < 0.05 else DAY[shipped + rng.randrange(90)], DAY[shipped + rng.randrange(1, 31)],
        rng.choice(INSTRUCT), rng.choice(MODE), comment(rng)))


def main():
    path, rows = sys.argv[1], int(sys.argv[2])
    rng = random.Random(20260131)
    with open(path, "w", encoding="utf-8") as out:
        for number in range(1, rows + 1):
            out.write(row(rng, number) + "\n")


if __name__ == "__main__":
    main()
