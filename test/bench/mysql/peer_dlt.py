"""dlt's sql_database source into PostgreSQL: peer_dlt.py PORT TABLE WORKDIR default|tuned

"tuned" is what dlt's documentation says makes loads faster: ConnectorX reads, rows in bulk by CSV and COPY."""
import os
import sys

port, table, directory, how = sys.argv[1:]
os.environ["DLT_PROJECT_DIR"] = os.environ["DLT_DATA_DIR"] = directory
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt  # noqa: E402  (reads the environment)
from dlt.sources.sql_database import sql_database  # noqa: E402

address = "bench:bench@127.0.0.1:%s/bench" % port
more = {"backend": "connectorx", "backend_kwargs": {"conn": "mysql://" + address}} if how == "tuned" else {}
source = sql_database("mysql+pymysql://" + address, table_names=[table], **more)
destination = dlt.destinations.postgres("postgresql://postgres:none@127.0.0.1:%s/postgres" % os.environ["PGPORT"])
pipeline = dlt.pipeline("bench", pipelines_dir=directory, destination=destination, dataset_name="loaded_dlt")
pipeline.run(source, write_disposition="replace", **({"loader_file_format": "csv"} if how == "tuned" else {}))
