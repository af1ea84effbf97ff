"""The reference engine reads a stream of a manifest: peer_cdk.py MANIFEST CONFIG STREAM

Messages go to standard output as they do in the engine's own command; the number of records to
standard error at the end."""
import json
import sys

import yaml
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

with open(sys.argv[1], encoding="utf-8") as file:
    manifest = yaml.safe_load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    config = json.load(file)
catalog = {"streams": [{"stream": {"name": sys.argv[3], "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
                        "sync_mode": "full_refresh", "destination_sync_mode": "append"}]}
path = sys.argv[2] + ".catalog"
with open(path, "w", encoding="utf-8") as file:
    json.dump(catalog, file)
source = ConcurrentDeclarativeSource(catalog=ConfiguredAirbyteCatalogSerializer.load(catalog), config=config, state=[],
                                     source_config=manifest)
arguments = AirbyteEntrypoint.parse_args(["read", "--config", sys.argv[2], "--catalog", path])
records = 0
for message in AirbyteEntrypoint(source).run(arguments):
    records += message.startswith('{"type":"RECORD"')
    sys.stdout.write(message + "\n")
print(records, file=sys.stderr)
