"""
Hash keys and differences of a data vault, computed without the database.

    python3 test/differential/vault_hashes.py lyftron|automate_dv KEYS COLUMNS <rows >hashes

KEYS, COLUMNS: names with commas between them.  Rows come as JSON objects, one a line; for each there is a line with the hash key and
the hash difference (md5, as hexadecimal digits).
"""
import hashlib
import json
import sys

SPACE = " \t\n\r\f\v"


def escaped(text):
    return text.replace("\\", "\\\\").replace("|", "\\|")


def lyftron_key(values):
    return "|".join("\\N" if v is None else escaped(v.strip(SPACE)) for v in values)


def lyftron_difference(values):
    values = list(values)
    while values and values[-1] is None:
        values.pop()
    return "".join(("\\N" if v is None else escaped(v)) + "|" for v in values)


def automate_dv(values):
    parts = ["" if v is None else v.strip(" ").upper() for v in values]
    return "||".join(p or "^^" for p in parts)


def main():
    profile, keys, columns = sys.argv[1], sys.argv[2].split(","), sys.argv[3].split(",")
    if profile == "automate_dv":
        columns.sort()
        key_text = difference_text = automate_dv
    else:
        key_text, difference_text = lyftron_key, lyftron_difference
    for line in sys.stdin:
        # numbers are what they are written like
        row = json.loads(line, parse_float=str, parse_int=str)
        texts = [key_text([row[k] for k in keys]), difference_text([row[c] for c in columns])]
        print(*(hashlib.md5(t.encode()).hexdigest() for t in texts))


main()
