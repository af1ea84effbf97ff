"""
Queries over the tables, made up at random: the same text for a local copy and for the foreign tables.

Each comes with what is known of its answer: whether its order is total, and what it is meant to try (its shape).
"""
from tables import WIDE, LABELS, UUIDS, DATES, quote

COMPARISONS = ["=", "=", "=", "<>", "<", "<=", ">", ">="]

LITERALS = {
    "int": ["0", "1", "2", "3", "5", "-1", "10", "42", "100", "127", "128", "-128", "255", "256", "32767", "65535", "2147483647",
            "(-2147483648)", "4294967295", "9223372036854775807", "7::smallint", "(-3)::bigint", "1000000"],
    "num": ["0.0", "1.0", "1.5", "2.5", "-1.5", "0.5", "42.00", "99", "1.55", "0.0000000001", "18446744073709551615", "18446744073709551614.5",
            "99999999.99", "-99999999.99", "1e-30::numeric", "1e-31::numeric", "1.000000000000000000000000000000000001", "1e40::numeric",
            "-1e70::numeric", "'NaN'::numeric", "'Infinity'::numeric", "'-Infinity'::numeric", "1e35::numeric - 1e-30::numeric"],
    "f8": ["0::float8", "1::float8", "1.5::float8", "0.1::float8", "'NaN'::float8", "'Infinity'::float8", "'-Infinity'::float8", "1e308::float8",
           "1.7976931348623157e308::float8", "5e-324::float8", "9007199254740992::float8", "-1::float8", "2.5::float8", "1.500000001::float8"],
    "f4": ["0::float4", "0.1::float4", "1.5::float4", "'NaN'::float4", "16777216::float4", "3.4e38::float4", "-1::float4", "2.5::float4"],
    "text": [quote(w) for w in WIDE + LABELS + ["a   ", "aBc", "日", "no such text", "%", "abcdefghijklmnopqrstuvwxyz"]],
    "date": ["DATE " + quote(d) for d in DATES] + ["DATE 'infinity'", "DATE '-infinity'", "DATE '0044-03-15 BC'", "DATE '10000-01-01'", "DATE '2021-07-01'"],
    "timestamp": ["TIMESTAMP " + quote(d + t) for d in DATES[:8] + DATES[-2:] for t in ("", " 00:00:00.5", " 12:00:00", " 23:59:59.999999")] +
                 ["TIMESTAMP 'infinity'", "TIMESTAMP '-infinity'", "TIMESTAMP '20000-01-01'", "TIMESTAMP '0001-01-01 BC'"],
    "timestamptz": ["TIMESTAMPTZ " + quote(d + t + "+00") for d in DATES[1:10] for t in ("", " 00:00:00.5", " 12:00:00", " 23:59:59.999999")] +
                   ["TIMESTAMPTZ 'infinity'", "TIMESTAMPTZ '-infinity'", "TIMESTAMPTZ '2050-01-01 00:00:00+02'", "TIMESTAMPTZ '1960-01-01 00:00:00+00'"],
    "interval": ["INTERVAL '0'", "INTERVAL '1 second'", "INTERVAL '-1 second'", "INTERVAL '1 day'", "INTERVAL '24:00:00'", "INTERVAL '838:59:59'",
                 "INTERVAL '1 month'", "INTERVAL '1000 hours'", "INTERVAL '-100 years'", "INTERVAL '12:34:56.7891'", "INTERVAL '2 days -24:00:00'"],
    "bytea": ["'\\x'::bytea", "'\\x61'::bytea", "'\\x41'::bytea", "'\\x00'::bytea", "'\\x6100'::bytea", "'\\xff'::bytea", "'\\x61000000'::bytea", "'\\x8000'::bytea"],
    "bit": ["B'1'", "B'0'", "B'0000000101'", "B'1111111111'", "B'" + "1" * 64 + "'", "B'101'"],
    "uuid": [quote(u) + "::uuid" for u in UUIDS],
    "bool": ["true", "false", "NULL::bool"],
}

PATTERNS = ["a%", "%a", "%a%", "A%", "_", "a_", "%", "", "a\\%b", "a\\_b", "%é%", "日%", "_b%", "abc", "a%c", "%\\\\%", "% ", "a ", "😀%", "ß%", "ss%", "\\a%", "it's%", "e%"]

TYPES = {"int": "bigint", "num": "numeric", "f8": "float8", "text": "text", "date": "date", "timestamp": "timestamp",
         "timestamptz": "timestamptz", "bool": "boolean", "interval": "interval", "bytea": "bytea", "f4": "float4", "uuid": "uuid"}


class Scope:
    """Tables with their aliases, and the columns that an expression can use."""

    def __init__(self, tables):
        self.tables = tables            # (alias, Table)

    def columns(self, kind):
        found = [alias + "." + c.name for alias, t in self.tables for c in t.columns if c.kind == kind]
        return found + ([alias + ".id" for alias, _ in self.tables] if kind == "int" else [])

    def kinds(self):
        return [c.kind for _, t in self.tables for c in t.columns] + ["int"]

    def total_order(self):
        return ", ".join(alias + ".id" for alias, _ in self.tables)


class Maker:
    def __init__(self, random, tables):
        self.random = random
        self.tables = {t.name: t for t in tables}
        self.params = None              # kinds and texts of parameters, while a statement has them
        self.scope = None

    # -- expressions

    def pick(self, items):
        return self.random.choice(items)

    def chance(self, probability):
        return self.random.random() < probability

    def literal(self, kind):
        if self.params is not None and kind in TYPES and self.chance(0.6):
            value = self.pick(LITERALS[kind]) if self.chance(0.95) else "NULL"
            self.params.append((TYPES[kind], value))
            return "$%d" % len(self.params)
        return self.pick(LITERALS[kind])

    def column(self, kind):
        columns = self.scope.columns(kind)
        return self.pick(columns) if columns else self.literal(kind)

    def leaf(self, kind):
        return self.column(kind) if self.chance(0.75) else self.literal(kind)

    def expression(self, kind, depth):
        method = getattr(self, "make_" + kind, None)
        if depth <= 0 or method is None or self.chance(0.3):
            return self.leaf(kind)
        return method(depth - 1)

    def choice(self, kind, depth):
        """What all kinds have."""
        one, two = self.expression(kind, depth), self.expression(kind, depth)
        return self.pick([
            lambda: "coalesce({}, {})".format(one, two),
            lambda: "nullif({}, {})".format(one, self.leaf(kind)),
            lambda: "CASE WHEN {} THEN {} ELSE {} END".format(self.condition(depth), one, two),
            lambda: "CASE WHEN {} THEN {} END".format(self.condition(depth), one),
            lambda: "CASE {} WHEN {} THEN {} ELSE {} END".format(self.column("int"), self.literal("int"), one, two),
        ])()

    def make_int(self, depth):
        e = lambda kind="int": self.expression(kind, depth)
        return self.pick([
            lambda: "({} + {})".format(e(), e()),
            lambda: "({} - {})".format(e(), e()),
            lambda: "({} * {})".format(self.leaf("int"), self.pick(["2", "3", "-1", self.leaf("int")])),
            lambda: "({} / {})".format(e(), self.pick(["2", "3", "-7", "10", "7::smallint"])),
            lambda: "({} % {})".format(e(), self.pick(["2", "3", "-7", "10"])),
            lambda: "mod({}, {})".format(self.column("int"), self.pick(["2", "5", "-3"])),
            lambda: "(- {})".format(e()),
            lambda: "abs({})".format(e()),
            lambda: "{}({})".format(self.pick(["length", "char_length", "octet_length"]), e("text")),
            lambda: "strpos({}, {})".format(self.column("text"), self.pick(["'a'", "'b'", "''", "'é'", "' '"])),
            lambda: "({} - {})".format(e("date"), e("date")),
            lambda: "{}::{}".format(self.column("int"), self.pick(["smallint", "integer", "bigint"])),
            lambda: "({})::integer".format(self.condition(depth)),
            lambda: self.choice("int", depth),
        ])()

    def make_num(self, depth):
        e = lambda: self.expression("num", depth)
        return self.pick([
            lambda: "({} {} {})".format(e(), self.pick("+-"), e()),
            lambda: "({} * {})".format(self.leaf("num"), self.leaf("num")),
            lambda: "({} % {})".format(e(), self.pick(["2", "1.5", "0.3", "7"])),
            lambda: "({} / {})".format(e(), self.pick(["2", "1.5"])),
            lambda: "(- {})".format(e()),
            lambda: "{}({})".format(self.pick(["abs", "ceil", "floor", "round", "trunc", "sign"]), e()),
            lambda: "round({}, {})".format(e(), self.pick(["0", "1", "2", "-1", "20"])),
            lambda: "{}::numeric".format(self.column("int")),
            lambda: "extract({} FROM {})".format(self.pick(["year", "month", "day", "quarter", "doy", "dow", "isodow", "week"]), self.expression(self.pick(["date", "timestamp"]), 0)),
            lambda: "extract({} FROM {})".format(self.pick(["hour", "minute", "epoch", "second"]), self.column("timestamp")),
            lambda: self.choice("num", depth),
        ])()

    def make_f8(self, depth):
        e = lambda: self.expression("f8", depth)
        return self.pick([
            lambda: "({} {} {})".format(e(), self.pick("+-"), e()),
            lambda: "(- {})".format(e()),
            lambda: "{}({})".format(self.pick(["abs", "ceil", "floor", "round"]), e()),
            lambda: "{}::float8".format(self.column(self.pick(["int", "num", "f4"]))),
            lambda: "date_part({}, {})".format(self.pick(["'year'", "'month'", "'hour'"]), self.column("timestamp")),
            lambda: self.choice("f8", depth),
        ])()

    def make_text(self, depth):
        e = lambda: self.expression("text", depth)
        return self.pick([
            lambda: "substr({}, {})".format(e(), self.pick(["1", "2", "3", "1, 1", "2, 2", "1, 0", "0, 2", "-1, 3"])),
            lambda: "{}({}, {})".format(self.pick(["left", "right"]), e(), self.pick("0123")),
            lambda: "left({}, -1)".format(e()),
            lambda: "{}({})".format(self.pick(["btrim", "ltrim", "rtrim", "trim"]), e()),
            lambda: "({} || {})".format(e(), e()),
            lambda: "{}({})".format(self.pick(["lower", "upper", "reverse", "md5"]), e()),
            lambda: self.choice("text", depth),
        ])()

    def make_date(self, depth):
        return self.pick([
            lambda: "{}::date".format(self.expression("timestamp", depth)),
            lambda: "({} + {})".format(self.column("date"), self.pick(["1", "-1", "30"])),
            lambda: self.choice("date", depth),
        ])()

    def make_timestamp(self, depth):
        return self.pick([
            lambda: "{}::timestamp".format(self.column("date")),
            lambda: "date_trunc({}, {})".format(self.pick(["'year'", "'month'", "'day'", "'hour'", "'minute'", "'second'", "'week'"]), self.expression("timestamp", depth)),
            lambda: "({} + INTERVAL '1 day')".format(self.column("timestamp")),
            lambda: self.choice("timestamp", depth),
        ])()

    def make_timestamptz(self, depth):
        return self.choice("timestamptz", depth)

    def make_interval(self, depth):
        return self.choice("interval", depth)

    def make_bytea(self, depth):
        return self.choice("bytea", depth)

    # -- conditions

    def kind(self):
        kind = self.pick(self.scope.kinds())
        return kind if kind not in ("set", "json") else "int"

    def collated(self, expression):
        return "{} COLLATE {}".format(expression, self.pick(['"C"', '"C"', '"POSIX"', '"und-x-icu"'])) if self.chance(0.15) else expression

    def comparison(self, depth):
        kind = self.kind()
        left, right = self.expression(kind, depth), self.expression(kind, depth)
        if self.chance(0.5):
            left, right = self.column(kind), self.literal(kind)
        if kind == "text":
            left = self.collated(left)
        if self.chance(0.1):
            left, right = right, left
        return "{} {} {}".format(left, self.pick(COMPARISONS), right)

    def mixed(self):
        """Types that are compared with one another."""
        one, other = self.pick([("int", "num"), ("int", "f8"), ("num", "int"), ("f4", "f8"), ("num", "f8"), ("date", "timestamp"), ("timestamp", "date"),
                                ("date", "timestamptz"), ("int", "int"), ("f8", "int")])
        return "{} {} {}".format(self.column(one), self.pick(COMPARISONS), self.leaf(other))

    def members(self, kind):
        values = [self.pick(LITERALS[kind]) for _ in range(self.random.randint(1, 4))]
        return values + (["NULL"] if self.chance(0.2) else [])

    def membership(self, depth):
        kind = self.kind()
        if kind == "bit":
            kind = "int"
        left = self.expression(kind, depth)
        form = self.pick(["{} IN ({})", "{} NOT IN ({})", "{} = ANY (ARRAY[{}])", "{} <> ALL (ARRAY[{}])", "{} = ANY ('{{}}'::%s[])" % TYPES[kind],
                          "{} <> ALL ('{{}}'::%s[])" % TYPES[kind], "{} = ANY (ARRAY[{}]::%s[])" % TYPES[kind]])
        if self.params is not None and self.chance(0.6):
            self.params.append((TYPES[kind] + "[]", "ARRAY[{}]::{}[]".format(", ".join(self.members(kind)), TYPES[kind])))
            form = self.pick(["{} = ANY ($%d)", "{} <> ALL ($%d)"]) % len(self.params)
        return form.format(left, ", ".join(self.members(kind)))

    def null_test(self, depth):
        kind = self.pick(self.scope.kinds())
        columns = self.scope.columns(kind)
        subject = self.pick(columns) if kind in ("set", "json") else self.expression(kind, depth)
        return "({}) IS {}NULL".format(subject, self.pick(["", "NOT "]))

    def condition(self, depth):
        c = lambda: self.condition(depth - 1)
        if depth > 0 and self.chance(0.45):
            return self.pick([
                lambda: "({} AND {})".format(c(), c()),
                lambda: "({} OR {})".format(c(), c()),
                lambda: "(NOT {})".format(c()),
                lambda: "(({}) IS {})".format(c(), self.pick(["TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN"])),
                lambda: "(({}) = ({}))".format(c(), c()),
            ])()
        return "(" + self.pick([
            lambda: self.comparison(depth),
            lambda: self.comparison(depth),
            lambda: self.comparison(depth),
            lambda: self.mixed(),
            lambda: self.membership(depth),
            lambda: self.null_test(depth),
            lambda: "{} {} {}".format(self.column("text"), self.pick(["LIKE", "LIKE", "NOT LIKE", "ILIKE", "~"]), quote(self.pick(PATTERNS).replace("\\", "\\") if self.chance(0.95) else "a")),
            lambda: self.between(depth),
            lambda: self.distinct(depth),
            lambda: self.leaf("bool"),
        ])() + ")"

    def between(self, depth):
        kind = self.kind()
        return "{} BETWEEN {} AND {}".format(self.expression(kind, depth), self.leaf(kind), self.leaf(kind))

    def distinct(self, depth):
        kind = self.kind()
        return "{} IS {}DISTINCT FROM {}".format(self.expression(kind, depth), self.pick(["", "NOT "]), self.leaf(kind))

    # -- what stands in FROM

    def from_one(self):
        name = self.pick(["num", "num", "txt", "txt", "tim", "tim", "dim", "nil", "zer"])
        self.scope = Scope([("a", self.tables[name])])
        return "%s a" % name

    def join_condition(self, left, right):
        """An equality between columns of one kind, most of the time."""
        kinds = [c.kind for c in left[1].columns if c.kind not in ("set", "json") and any(c.kind == d.kind for d in right[1].columns)]
        if self.chance(0.5):
            return "{}.k = {}.k".format(left[0], right[0])
        kind = self.pick(kinds)
        one = self.pick([c.name for c in left[1].columns if c.kind == kind])
        other = self.pick([c.name for c in right[1].columns if c.kind == kind])
        if kind in ("bit",):
            return "{}.id = {}.id".format(left[0], right[0])
        return "{}.{} {} {}.{}".format(left[0], one, self.pick(["=", "=", "=", "=", "<>", "<"]), right[0], other)

    def from_join(self, tables=None):
        names = [self.pick(["num", "txt", "tim"]), self.pick(["num2", "txt2", "dim", "dim", "nil"])]
        if self.chance(0.25):
            names.append("dim")
        members = [(alias, self.tables[name]) for alias, name in zip("abc", names)]
        text = "%s a" % names[0]
        for i in range(1, len(members)):
            kind = self.pick(["JOIN", "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
            on = self.join_condition(members[self.random.randrange(i)], members[i])
            if kind == "FULL JOIN":
                on = "a.k = {}.k".format(members[i][0])
            elif self.chance(0.3):
                self.scope = Scope(members[:i + 1])
                on += " AND " + self.condition(0)
            text = "{} {} {} {} ON {}".format(text, kind, names[i], members[i][0], on)
        self.scope = Scope(members)
        return text

    # -- statements: text, is the order total?

    def where(self, depth=2, probability=0.85):
        if not self.chance(probability):
            return ""
        return " WHERE " + " AND ".join(self.condition(depth) for _ in range(self.pick([1, 1, 1, 2])))

    def shown(self):
        """Columns, and sometimes an expression."""
        kinds = [k for k in self.scope.kinds()]
        items = [alias + ".id" for alias, _ in self.scope.tables]
        items += [self.pick(self.scope.columns(self.pick(kinds))) for _ in range(self.random.randint(1, 4))]
        if self.chance(0.3):
            items.append(self.expression(self.kind(), 1))
        return ", ".join("{} AS c{}".format(item, i) for i, item in enumerate(items))

    def sort_key(self):
        kind = self.pick(["int", "num", "f8", "text", "date", "timestamp", "bool"])
        key = self.expression(kind, 1)
        if kind == "text":
            key = self.collated(key)
        if key.startswith("$") or not any(alias + "." in key for alias, _ in self.scope.tables):
            key = self.pick(self.scope.columns("int"))
        return key + self.pick(["", " DESC", " NULLS FIRST", " DESC NULLS LAST", " ASC NULLS LAST"])

    def limit(self):
        count, skip = self.pick(["0", "1", "5", "10", "NULL", "ALL"]), self.pick(["0", "2", "7"])
        if self.params is not None and self.chance(0.5):
            self.params.append(("bigint", self.pick(["3", "0", "NULL"])))
            count = "$%d" % len(self.params)
        return self.pick([" LIMIT " + count, " LIMIT {} OFFSET {}".format(count, skip), " OFFSET " + skip])

    def filter(self):
        source = self.from_one()
        return "SELECT {} FROM {}{}".format(self.shown(), source, self.where()), False

    def join(self):
        source = self.from_join()
        return "SELECT {} FROM {}{}".format(self.shown(), source, self.where(1, 0.5)), False

    def order(self):
        source = self.from_one() if self.chance(0.6) else self.from_join()
        keys = [self.sort_key() for _ in range(self.random.randint(0, 2))] + [self.scope.total_order()]
        return "SELECT {} FROM {}{} ORDER BY {}{}".format(self.shown(), source, self.where(1, 0.6), ", ".join(keys),
                                                          self.limit() if self.chance(0.7) else ""), True

    def count_limited(self):
        source = self.from_one()
        return "SELECT count(*) FROM (SELECT {} FROM {}{}{}) x".format(self.shown(), source, self.where(1), self.limit()), False

    def of_rows(self, kind, depth):
        """An expression with a column in it."""
        if not self.scope.columns(kind):
            kind = "int"
        expression = self.expression(kind, depth)
        return expression if any(alias + "." in expression for alias, _ in self.scope.tables) else self.column(kind)

    def aggregate(self):
        argument = lambda kinds: self.of_rows(self.pick(kinds), 1)
        text = self.pick([
            lambda: "count(*)",
            lambda: "count({})".format(self.column(self.pick(self.scope.kinds()))),
            lambda: "count(DISTINCT {})".format(argument(["int", "num", "text", "date", "bool"])),
            lambda: "sum({})".format(argument(["int", "num"])),
            lambda: "sum(DISTINCT {})".format(self.column("int")),
            lambda: "avg({})".format(argument(["int", "num"])),
            lambda: "{}({})".format(self.pick(["min", "max"]), argument(["int", "num", "f8", "f4", "date", "timestamp", "timestamptz", "interval"])),
            lambda: "{}({})".format(self.pick(["min", "max"]), self.collated(self.column("text"))),
            lambda: "{}({})".format(self.pick(["bool_and", "bool_or", "every"]), self.condition(1)),
        ])()
        return text + " FILTER (WHERE {})".format(self.condition(1)) if self.chance(0.25) else text

    def group_key(self):
        kind = self.pick(["int", "int", "text", "text", "date", "bool", "num", "timestamp", "uuid", "bytea"])
        if self.chance(0.7) or kind in ("num", "uuid", "bytea"):
            columns = self.scope.columns(kind)
            return self.pick(columns) if columns else self.column("int")
        return self.of_rows(kind, 1)

    def having(self):
        return " HAVING " + self.pick([
            lambda: "count(*) {} {}".format(self.pick(COMPARISONS), self.pick(["1", "2", "5"])),
            lambda: "sum({}) > {}".format(self.column("int"), self.literal("int")),
            lambda: "max({}) {} {}".format(self.column("date"), self.pick(COMPARISONS), self.literal("date")),
            lambda: "avg({}) > {}".format(self.column("num"), self.literal("num")),
            lambda: "min({}) IS NOT NULL AND count(*) > 1".format(self.column("int")),
            lambda: "bool_or({})".format(self.condition(0)),
        ])()

    def group(self):
        source = self.from_one() if self.chance(0.7) else self.from_join()
        keys = [self.group_key() for _ in range(self.random.randint(0, 2))]
        params, self.params = self.params, None     # what is selected must be what is grouped by
        items = ["{} AS k{}".format(k, i) for i, k in enumerate(keys)] + \
                ["{} AS c{}".format(self.aggregate(), i) for i in range(self.random.randint(1, 3))]
        self.params = params
        text = "SELECT {} FROM {}{}".format(", ".join(items), source, self.where(1, 0.6))
        if keys:
            text += " GROUP BY " + ", ".join(str(i + 1) for i in range(len(keys)))
        if self.chance(0.3):
            text += self.having()
        if keys and self.chance(0.4):
            if self.chance(0.5):
                text += " ORDER BY {} {}".format(len(items), self.pick(["", "DESC", "NULLS FIRST"]))
            else:
                order = ", ".join("{}{}".format(i + 1, self.pick(["", " DESC", " NULLS FIRST"])) for i in range(len(keys)))
                return text + " ORDER BY " + order + (self.limit() if self.chance(0.6) else ""), True
        return text, False

    def distinct_rows(self):
        source = self.from_one() if self.chance(0.7) else self.from_join()
        keys = [self.group_key() for _ in range(self.random.randint(1, 3))]
        items = ", ".join("{} AS k{}".format(k, i) for i, k in enumerate(keys))
        order = ""
        if self.chance(0.5):
            order = " ORDER BY " + ", ".join(str(i + 1) for i in range(len(keys))) + (self.limit() if self.chance(0.5) else "")
        return "SELECT DISTINCT {} FROM {}{}{}".format(items, source, self.where(1, 0.6), order), bool(order)

    def inner(self, correlated):
        """A query of one column for IN, EXISTS and the like; the outer scope comes back."""
        outer = self.scope
        name = self.pick(["num2", "dim", "txt2", "nil"])
        inner = ("s", self.tables[name])
        on = "a.k = s.k" if correlated else None
        self.scope = Scope([inner])
        conditions = [c for c in (on, self.condition(1) if self.chance(0.7) else None) if c]
        self.scope = outer
        return "{} s{}".format(name, " WHERE " + " AND ".join(conditions) if conditions else "")

    def subquery(self):
        source = self.from_one()
        predicate = self.pick([
            lambda: "EXISTS (SELECT 1 FROM {})".format(self.inner(True)),
            lambda: "NOT EXISTS (SELECT 1 FROM {})".format(self.inner(True)),
            lambda: "a.id IN (SELECT s.id FROM {})".format(self.inner(False)),
            lambda: "a.id NOT IN (SELECT s.id FROM {})".format(self.inner(False)),
            lambda: "a.id > (SELECT min(s.id) FROM {})".format(self.inner(False)),
            lambda: "a.id = (SELECT max(s.id) FROM {})".format(self.inner(True)),
            lambda: "a.id = ANY (ARRAY(SELECT s.id FROM {}))".format(self.inner(False)),
            lambda: "(SELECT count(*) FROM {}) > 1".format(self.inner(True)),
        ])()
        return "SELECT {} FROM {} WHERE {}{}".format(self.shown(), source, predicate,
                                                     " AND " + self.condition(1) if self.chance(0.5) else ""), False

    def lateral(self):
        source = self.from_one()
        outer = self.scope
        inner = self.inner(True)
        self.scope = outer
        return "SELECT a.id, x.* FROM {}, LATERAL (SELECT s.id AS sid, count(*) OVER () AS n FROM {} ORDER BY s.id LIMIT 2) x{}".format(
            source, inner, self.where(1, 0.5)), False

    def driven(self):
        """A local table that drives look-ups."""
        name = self.pick(["num", "txt", "tim", "dim"])
        self.scope = Scope([("a", self.tables[name])])
        kind = self.kind()
        while kind in ("bit", "f4"):
            kind = self.kind()
        values = ", ".join("({}, {}::{})".format(i, v, TYPES[kind]) for i, v in enumerate(self.members(kind) + self.members(kind)))
        comparison = "{} {} v.x".format(self.expression(kind, 1), self.pick(["=", "=", "=", "<", ">=", "<>", "IS NOT DISTINCT FROM"]))
        if self.chance(0.5):
            columns = ", ".join(self.pick(self.scope.columns(self.kind())) + " AS c%d" % i for i in range(3))
            return "SELECT v.i, v.x, y.* FROM (VALUES {}) v (i, x) {} LATERAL (SELECT {} FROM {} a WHERE {} OFFSET 0) y ON true".format(
                values, self.pick(["JOIN", "LEFT JOIN"]), columns, name, comparison), False
        return "SELECT v.i, v.x, {} FROM (VALUES {}) v (i, x) {} {} a ON {}{}".format(
            self.shown(), values, self.pick(["JOIN", "LEFT JOIN"]), name, comparison, " AND " + self.condition(1) if self.chance(0.3) else ""), False

    def union(self):
        parts = []
        for _ in range(2):
            source = self.from_one()
            parts.append("SELECT a.id, {} AS x FROM {}{}".format(self.expression("int", 1), source, self.where(1)))
        return self.pick([" UNION ALL ", " UNION ", " EXCEPT ", " INTERSECT "]).join(parts), False

    SHAPES = [("filter", 30, filter), ("join", 18, join), ("order", 14, order), ("group", 20, group), ("distinct", 6, distinct_rows),
              ("limit", 3, count_limited), ("subquery", 8, subquery), ("lateral", 2, lateral), ("driven", 8, driven), ("union", 3, union)]

    def statement(self):
        """(shape, parameters or None, text, is its order total?)"""
        shape, _, method = self.random.choices(self.SHAPES, [weight for _, weight, _ in self.SHAPES])[0]
        self.params = [] if shape in ("filter", "order", "group", "join", "limit") and self.chance(0.25) else None
        text, ordered = method(self)
        params, self.params = self.params, None
        return shape, params, text, ordered
