"""A connection to PostgreSQL by libpq, which every test machine has; answers are lists of tuples of texts."""
import ctypes
import ctypes.util

lib = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
for name, result, arguments in (
    ("PQconnectdb", ctypes.c_void_p, [ctypes.c_char_p]),
    ("PQstatus", ctypes.c_int, [ctypes.c_void_p]),
    ("PQerrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
    ("PQfinish", None, [ctypes.c_void_p]),
    ("PQexec", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
    ("PQresultStatus", ctypes.c_int, [ctypes.c_void_p]),
    ("PQresultErrorField", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int]),
    ("PQresultErrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
    ("PQntuples", ctypes.c_int, [ctypes.c_void_p]),
    ("PQnfields", ctypes.c_int, [ctypes.c_void_p]),
    ("PQgetvalue", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
    ("PQgetisnull", ctypes.c_int, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
    ("PQclear", None, [ctypes.c_void_p]),
):
    function = getattr(lib, name)
    function.restype = result
    function.argtypes = arguments

CONNECTION_OK, FATAL_ERROR = 0, 7


class Failure(Exception):
    def __init__(self, sqlstate, message):
        super().__init__(message)
        self.sqlstate = sqlstate


class Connection:
    def __init__(self, conninfo):
        self.conn = lib.PQconnectdb(conninfo.encode())
        if lib.PQstatus(self.conn) != CONNECTION_OK:
            raise Failure("08000", lib.PQerrorMessage(self.conn).decode())

    def close(self):
        lib.PQfinish(self.conn)

    def query(self, sql):
        """The rows of the last statement; raises Failure."""
        result = lib.PQexec(self.conn, sql.encode())
        try:
            if result is None or lib.PQresultStatus(result) == FATAL_ERROR:
                state = lib.PQresultErrorField(result, ord("C")) if result else None
                raise Failure((state or b"08006").decode(), lib.PQerrorMessage(self.conn).decode())
            fields = range(lib.PQnfields(result))
            return [tuple(None if lib.PQgetisnull(result, row, field) else lib.PQgetvalue(result, row, field).decode()
                          for field in fields) for row in range(lib.PQntuples(result))]
        finally:
            lib.PQclear(result)
