"""
Tables of every type, with rows to find: NULLs, extremes, texts that only some collations tell apart.

A value is a pair: as MySQL reads it, and as PostgreSQL reads it in a quoted literal (NULL: None).
"""
import datetime
import decimal

DATABASE = "differential"


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def same(values):
    return [(str(v), str(v)) for v in values]


def texts(values):
    return [(quote(v), v) for v in values]


def stripped(values):
    return [(quote(v), v.rstrip(" ")) for v in values]


def integers(low, high):
    return same([low, low + 1, -1 if low < 0 else 1, 0, 1, 2, 3, 5, 7, 10, 42, 100, high - 1, high])


def decimals(digits, scale, unsigned=False):
    unit = decimal.Decimal(1).scaleb(-scale)
    context = decimal.Context(prec=100)
    most = context.subtract(decimal.Decimal(10) ** (digits - scale), unit)
    some = [decimal.Decimal(v).quantize(unit, context=context) for v in ("0", "1", "1.5", "2", "2.5", "3", "0.5", "42", "99", "10")]
    values = some + [unit, most]
    if not unsigned:
        values += [v.copy_negate() for v in values if v != 0]
    return same([format(v, "f") for v in values])


def floats(values):
    return [(v if "e" in v else v + "e0", v) for v in values]


WORDS = ["a", "A", "b", "B", "ab", "Ab", "AB", "aB", "abc", "ABC", "a ", "a  ", " a", "", " ", "é", "e", "E", "É", "ß", "ss", "ä", "Ä",
         "z", "Z", "zz", "10", "9", "a%b", "a_b", "a\\b", "it's", "\"q\"", "cafe", "café", "CAFÉ", "a\tb", "a\nb", "ab ", "straße"]
WIDE = WORDS + ["日本", "日本語", "Ω", "ω", "😀", "😀a", "a\u0301", "\u00e1", "ﬀ"]
NARROW = [w for w in WORDS]
BMP = [w for w in WIDE if all(ord(c) < 0x10000 for c in w)]
LABELS = ["red", "Green", "blue", "1", "2", "äh", "a b"]

DATES = ["1000-01-01", "1969-12-31", "1970-01-01", "1999-12-31", "2000-01-01", "2000-02-29", "2020-01-01", "2020-02-29",
         "2024-06-15", "2024-12-30", "2025-01-01", "2026-11-26", "9999-12-31", "0001-01-01"]
CLOCK = ["00:00:00", "00:00:00.5", "00:00:01", "11:59:59.999999", "12:00:00", "12:34:56.789", "23:59:59", "23:59:59.999999", "06:07:08.123456"]


def cut(text, digits):
    """A time with so many digits of a second, none of which was lost."""
    if "." not in text:
        return text
    whole, fraction = text.split(".")
    fraction = fraction[:digits]
    return whole + "." + fraction if fraction else whole


def moments(digits, low="0001", high="9999"):
    values = []
    for i, date in enumerate(DATES):
        if low <= date[:4] <= high:
            for k in (0, i + 1, i + 4):
                values.append(date + " " + cut(CLOCK[k % len(CLOCK)], digits))
    return texts(sorted(set(values)))


def zoned(digits):
    low, high = "1970-01-01 00:00:01", "2038-01-19 03:14:07"
    values = [v for _, v in moments(digits, "1970", "2037") if v > low] + [low, high]
    return [(quote(v), v + "+00") for v in values]


def spans(digits):
    values = ["838:59:59", "-838:59:59", "00:00:00", "00:00:01", "-00:00:01", "24:00:00", "48:00:00", "-24:00:00", "12:34:56", "100:00:00"]
    if digits:
        values += ["00:00:00." + "123456"[:digits], "-00:00:00." + "5", "12:34:56." + "789"[:digits]]
    return texts(values)


def bits(width):
    values = sorted(v for v in {0, 1, 2, 3, 5, (1 << width) - 1, 1 << (width - 1)} if v < 1 << width)
    return [("b'{:0{}b}'".format(v, width), "{:0{}b}".format(v, width)) for v in values]


def binaries(values):
    return [("x'" + v.hex() + "'", "\\x" + v.hex()) for v in values]


BYTES = [b"", b"a", b"A", b"\0", b"a\0", b"\xff", b"\x80\x00", b"ab", b"it's", b"\\"]
UUIDS = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "123e4567-e89b-12d3-a456-426614174000",
         "123e4567-e89b-42d3-8456-426614174001"]


class Column:
    def __init__(self, name, declared, values, kind, type, null=True, index=True, servers="both"):
        self.name, self.declared, self.values, self.kind, self.type = name, declared, values, kind, type
        self.null, self.index, self.servers = null, index, servers

    def create(self):
        return "`{}` {}{}".format(self.name, self.declared, "" if self.null else " NOT NULL")


class Table:
    def __init__(self, name, columns, rows, zero_dates=None):
        self.name, self.columns, self.count, self.zero_dates = name, columns, rows, zero_dates

    def fill(self, random):
        """Every value of every column once at least, as far as there are rows."""
        self.rows = []
        pools = []
        for column in self.columns:
            pool = column.values + ([(None, None)] if column.null else [])
            picks = [pool[i % len(pool)] for i in range(self.count)] if self.count >= len(pool) else random.sample(pool, self.count)
            random.shuffle(picks)
            pools.append(picks)
        for i in range(self.count):
            self.rows.append([(str(i + 1), str(i + 1))] + [pool[i] for pool in pools])

    def create_remote(self):
        parts = ["id INT NOT NULL PRIMARY KEY"] + [c.create() for c in self.columns]
        parts += ["KEY (`{}`)".format(c.name) for c in self.columns if c.index]
        sql = ["CREATE TABLE `{}` ({}) DEFAULT CHARSET utf8mb4;".format(self.name, ", ".join(parts))]
        for row in self.rows:
            sql.append("INSERT INTO `{}` VALUES ({});".format(self.name, ", ".join(v[0] or "NULL" for v in row)))
        sql.append("ANALYZE TABLE `{}`;".format(self.name))
        return "\n".join(sql)

    def literals(self):
        """A VALUES list of what PostgreSQL must read."""
        types = ["integer"] + [c.type for c in self.columns]
        return ", ".join("(" + ", ".join(("NULL" if v[1] is None else quote(v[1])) + "::" + t for v, t in zip(row, types)) + ")"
                         for row in self.rows)


def number_columns():
    c = Column
    return [
        c("ti", "TINYINT", integers(-128, 127), "int", "smallint"),
        c("tiu", "TINYINT UNSIGNED", integers(0, 255), "int", "smallint"),
        c("si", "SMALLINT", integers(-32768, 32767), "int", "smallint"),
        c("siu", "SMALLINT UNSIGNED", integers(0, 65535), "int", "integer", null=False),
        c("mi", "MEDIUMINT", integers(-8388608, 8388607), "int", "integer"),
        c("i", "INT", integers(-2**31, 2**31 - 1), "int", "integer"),
        c("iu", "INT UNSIGNED", integers(0, 2**32 - 1), "int", "bigint"),
        c("k", "INT", same(range(-3, 12)), "int", "integer", null=False),
        c("bi", "BIGINT", integers(-2**63, 2**63 - 1), "int", "bigint"),
        c("biu", "BIGINT UNSIGNED", integers(0, 2**64 - 1), "num", "numeric(20,0)"),
        c("d102", "DECIMAL(10,2)", decimals(10, 2), "num", "numeric(10,2)"),
        c("d3010", "DECIMAL(30,10)", decimals(30, 10), "num", "numeric(30,10)"),
        c("d6530", "DECIMAL(65,30)", decimals(65, 30), "num", "numeric(65,30)"),
        c("d5", "DECIMAL(5,0)", decimals(5, 0), "num", "numeric(5,0)", null=False),
        c("du", "DECIMAL(8,3) UNSIGNED", decimals(8, 3, True), "num", "numeric(8,3)"),
        c("f", "FLOAT", floats(["0", "1", "-1", "0.1", "1.5", "16777216", "3.4e38", "-3.4e38", "1.17549e-38", "2.5", "3"]), "f4", "real"),
        c("d", "DOUBLE", floats(["0", "1", "-1", "0.1", "1.5", "9007199254740993", "1.7976931348623157e308", "-1e300", "5e-324", "2.5", "3", "1e15"]),
          "f8", "double precision"),
        c("d82", "DOUBLE(8,2)", same(["0.00", "1.50", "-1.50", "2.25", "999999.99", "42.00"]), "f8", "double precision"),
        c("flag", "TINYINT(1)", [("0", "f"), ("1", "t")], "bool", "boolean"),
        c("y", "YEAR", same([1901, 1970, 1999, 2000, 2024, 2155]) + [("0000", "0")], "int", "smallint"),
        c("b1", "BIT(1)", bits(1), "bit", "bit(1)"),
        c("b10", "BIT(10)", bits(10), "bit", "bit(10)"),
        c("b64", "BIT(64)", bits(64), "bit", "bit(64)"),
    ]


def text_columns():
    c = Column
    return [
        c("g", "VARCHAR(20) COLLATE utf8mb4_general_ci", texts(WIDE), "text", "varchar(20)"),
        c("bn", "VARCHAR(20) COLLATE utf8mb4_bin", texts(WIDE), "text", "varchar(20)", null=False),
        c("np", "VARCHAR(20) COLLATE {nopad}", texts(WIDE), "text", "varchar(20)"),
        c("uc", "VARCHAR(20) COLLATE utf8mb4_unicode_ci", texts(WIDE), "text", "varchar(20)"),
        c("l1", "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci", texts(NARROW), "text", "varchar(20)"),
        c("lg", "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german1_ci", texts(NARROW), "text", "varchar(20)"),
        c("u3", "VARCHAR(20) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci", texts(BMP), "text", "varchar(20)"),
        c("ch", "CHAR(8) COLLATE utf8mb4_general_ci", stripped(WIDE), "text", "varchar(8)"),
        c("chb", "CHAR(8) COLLATE utf8mb4_bin", stripped(WIDE), "text", "varchar(8)"),
        c("tx", "TEXT COLLATE utf8mb4_general_ci", texts(WIDE), "text", "text", index=False),
        c("tt", "TINYTEXT COLLATE utf8mb4_bin", texts(WIDE), "text", "text", index=False),
        c("e", "ENUM({}) COLLATE utf8mb4_general_ci".format(", ".join(quote(v) for v in LABELS)), texts(LABELS), "text", "text"),
        c("s", "SET('x','y','z')", [("''", "{}"), ("'x'", "{x}"), ("'x,y'", "{x,y}"), ("'z'", "{z}")], "set", "text[]"),
        c("j", "JSON", [("'{\"a\": 1}'", '{"a": 1}'), ("'[1, 2]'", "[1, 2]"), ("'null'", "null"), ("'\"x\"'", '"x"')], "json", "jsonb", index=False),
        c("vb", "VARBINARY(16)", binaries(BYTES), "bytea", "bytea"),
        c("bi4", "BINARY(4)", [(m, "\\x" + (bytes.fromhex(p[2:]) + b"\0\0\0\0")[:4].hex()) for m, p in binaries(BYTES) if len(p) <= 10], "bytea", "bytea"),
        c("bl", "BLOB", binaries(BYTES), "bytea", "bytea", index=False),
        c("u", "UUID", texts(UUIDS), "uuid", "uuid", servers="mariadb"),
        c("k", "INT", same(range(-3, 12)), "int", "integer", null=False),
    ]


def time_columns():
    c = Column
    return [
        c("da", "DATE", texts(DATES), "date", "date"),
        c("dn", "DATE", texts(DATES), "date", "date", null=False),
        c("dt", "DATETIME", moments(0), "timestamp", "timestamp(0)"),
        c("dt3", "DATETIME(3)", moments(3), "timestamp", "timestamp(3)"),
        c("dt6", "DATETIME(6)", moments(6), "timestamp", "timestamp(6)"),
        c("ts", "TIMESTAMP NULL", zoned(0), "timestamptz", "timestamptz(0)"),
        c("ts6", "TIMESTAMP(6) NULL", zoned(6), "timestamptz", "timestamptz(6)"),
        c("t", "TIME", spans(0), "interval", "interval(0)"),
        c("t3", "TIME(3)", spans(3), "interval", "interval(3)"),
        c("k", "INT", same(range(-3, 12)), "int", "integer", null=False),
        c("n", "DECIMAL(6,2)", decimals(6, 2), "num", "numeric(6,2)"),
    ]


def zero_columns():
    c = Column
    zero = [("'0000-00-00'", None)]
    return [
        c("da", "DATE", texts(DATES[:8]) + zero + [("'2026-02-00'", None)], "date", "date"),
        c("dn", "DATE", texts(DATES[:8]) + zero, "date", "date", null=False),
        c("dt", "DATETIME", moments(0)[:12] + [("'0000-00-00 00:00:00'", None)], "timestamp", "timestamp(0)"),
        c("k", "INT", same(range(-3, 12)), "int", "integer", null=False),
    ]


def dimension_columns():
    c = Column
    return [
        c("k", "INT", same(range(-3, 12)), "int", "integer", null=False),
        c("name", "VARCHAR(20) COLLATE utf8mb4_general_ci", texts(WIDE[:24]), "text", "varchar(20)"),
        c("l", "VARCHAR(30) CHARACTER SET latin1 COLLATE latin1_swedish_ci", texts(NARROW[:24]), "text", "varchar(30)"),
        c("i", "INT", integers(-2**31, 2**31 - 1), "int", "integer"),
        c("n", "DECIMAL(12,4)", decimals(12, 4), "num", "numeric(12,4)"),
        c("d", "DOUBLE", floats(["0", "1", "1.5", "0.1", "2.5", "3", "-1"]), "f8", "double precision"),
        c("da", "DATE", texts(DATES), "date", "date"),
        c("dt", "DATETIME(6)", moments(6), "timestamp", "timestamp(6)"),
        c("flag", "TINYINT(1)", [("0", "f"), ("1", "t")], "bool", "boolean"),
    ]


def make(random, mariadb, rows):
    """The tables, filled."""
    tables = [
        Table("num", number_columns(), rows),
        Table("num2", number_columns(), rows // 2),
        Table("txt", text_columns(), rows),
        Table("txt2", text_columns(), rows // 2),
        Table("tim", time_columns(), rows),
        Table("dim", dimension_columns(), rows // 3),
        Table("nil", number_columns(), 0),
        Table("zer", zero_columns(), rows // 2, zero_dates="null"),
    ]
    for table in tables:
        table.columns = [c for c in table.columns if mariadb or c.servers != "mariadb"]
        for column in table.columns:
            column.declared = column.declared.replace("{nopad}", "utf8mb4_nopad_bin" if mariadb else "utf8mb4_0900_bin")
        table.fill(random)
    return tables


def remote_script(tables):
    return "\n".join([
        "SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = 'NO_BACKSLASH_ESCAPES,ALLOW_INVALID_DATES';",
        "DROP DATABASE IF EXISTS {0}; CREATE DATABASE {0}; USE {0};".format(DATABASE),
    ] + [t.create_remote() for t in tables])
