"""dlt's rest_api source into PostgreSQL: peer_dlt.py URL WORKDIR default|tuned

"tuned" is what dlt's documentation says makes loads faster: rows in bulk by CSV and COPY, which needs
pyarrow, and no checks of what the pages' paginator is."""
import os
import sys

url, directory, how = sys.argv[1:]
os.environ["DLT_PROJECT_DIR"] = os.environ["DLT_DATA_DIR"] = directory
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt  # noqa: E402  (reads the environment)
from dlt.sources.rest_api import rest_api_source  # noqa: E402

source = rest_api_source({
    "client": {
        "base_url": url + "/",
        "paginator": {"type": "page_number", "base_page": 1, "page_param": "page", "total_path": None,
                      "stop_after_empty_page": True},
    },
    "resources": [{"name": "items", "primary_key": "id", "write_disposition": "replace",
                   "endpoint": {"path": "items", "data_selector": "data"}}],
})
destination = dlt.destinations.postgres("postgresql://postgres:none@127.0.0.1:%s/postgres" % os.environ["PGPORT"])
pipeline = dlt.pipeline("bench", pipelines_dir=directory, destination=destination, dataset_name="loaded_dlt")
pipeline.run(source, **({"loader_file_format": "csv"} if how == "tuned" else {}))
