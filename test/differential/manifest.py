#!/usr/bin/env python3
"""Does lyftron resolve a manifest to what the reference engine resolves it to?

    manifest.py [--function NAME] [--generate N [--seed S]] MANIFEST...

Each manifest goes through airbyte-cdk's own resolution (references, types, parameters) and through
a SQL function of one text argument that answers the resolved manifest as JSON text; so do N made-up ones
that are full of references and parameters.  Connects with psql, so the PG* variables say where.  Needs: pip install airbyte-cdk.  Says which differ and where, exit status 1 if any does.
"""
import argparse, datetime, json, os, random, subprocess, sys, tempfile

import yaml
from airbyte_cdk.sources.declarative.parsers.manifest_component_transformer import ManifestComponentTransformer
from airbyte_cdk.sources.declarative.parsers.manifest_reference_resolver import ManifestReferenceResolver


def reference(text):
    manifest = yaml.safe_load(text)
    manifest.setdefault("type", "DeclarativeSource")
    resolved = ManifestReferenceResolver().preprocess_manifest(manifest)
    return plain(ManifestComponentTransformer().propagate_types_and_parameters("", resolved, {}))


def plain(value):
    """As JSON has it: keys are texts, dates are texts."""
    if isinstance(value, dict):
        return {k if isinstance(k, str) else json.dumps(k, default=str): plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, (datetime.date, datetime.datetime)) else value


def ours(text, function):
    with tempfile.NamedTemporaryFile("w", suffix=".sql", delete=False) as script:
        tag = "$manifest_text$"
        script.write(f"SELECT {function}({tag}{text}{tag});\n")
    try:
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", script.name], capture_output=True, text=True)
    finally:
        os.unlink(script.name)
    if done.returncode == 3 and "does not exist" not in done.stderr:
        raise RuntimeError(done.stderr.strip())
    if done.returncode != 0:
        sys.exit(done.stderr.strip())
    return json.loads(done.stdout)


def differences(expected, got, path=""):
    if type(expected) is not type(got):
        yield f"{path}: {str(expected)[:80]!r} became {str(got)[:80]!r}"
    elif isinstance(expected, dict):
        if list(expected) != list(got) and set(expected) == set(got):
            yield f"{path}: order {list(expected)} became {list(got)}"
        for key in expected.keys() | got.keys():
            if key not in got:
                yield f"{path}.{key}: is missing"
            elif key not in expected:
                yield f"{path}.{key}: is too much"
            else:
                yield from differences(expected[key], got[key], f"{path}.{key}")
    elif isinstance(expected, list):
        if len(expected) != len(got):
            yield f"{path}: {len(expected)} items became {len(got)}"
        for i, pair in enumerate(zip(expected, got)):
            yield from differences(*pair, f"{path}[{i}]")
    elif expected != got:
        yield f"{path}: {expected!r} became {got!r}"


def compare(text, function):
    """Differences; a manifest that both refuse has none."""
    try:
        expected = reference(text)
    except Exception as error:
        expected = error
    try:
        got = ours(text, function)
    except RuntimeError as error:
        got = error
    if isinstance(expected, Exception) and isinstance(got, Exception):
        return []
    if isinstance(expected, Exception) or isinstance(got, Exception):
        return [f"{expected!r:.300} became {got!r:.300}"]
    return list(differences(expected, got))


NAMES = ["a", "b", "a/b", "name", "path", "requester", "retriever", "schema", "items", "0", "1", "$parameters", "type",
         "parent_stream_configs", "error_handler", "config_overrides", "class_name", "fields"]
TYPES = ["object", "DeclarativeStream", "SimpleRetriever", "HttpRequester", "RecordSelector", "AddFields", "string", None, ["object", "null"]]


def made_up(chance, known, depth=0):
    """A node of a manifest that nobody would write; it refers to known definitions, and now and then to what is not there."""
    what = chance.random()
    if what < 0.15 and known:
        return f"#/definitions/{chance.choice(known)}" + (f"/{chance.choice(NAMES[:11])}" if chance.random() < 0.03 else "")
    if depth > 4 or what < 0.3:
        return chance.choice(["", "x", "{{ config['k'] }}", 0, 5, 1.5, True, False, None, [], {}])
    if what < 0.42:
        return [made_up(chance, known, depth + 1) for _ in range(chance.randint(0, 3))]
    node = {name: made_up(chance, known, depth + 1) for name in chance.sample(NAMES[:11] + NAMES[13:], chance.randint(0, 4))}
    if chance.random() < 0.5:
        node["type"] = chance.choice(TYPES)
    if chance.random() < 0.4:
        node["$parameters"] = {name: made_up(chance, known, depth + 2) for name in chance.sample(NAMES[:9], chance.randint(0, 3))}
    if chance.random() < 0.2 and known:
        node["$ref"] = f"#/definitions/{chance.choice(known)}"
    return node


def made_up_manifest(chance):
    definitions = {}
    for name in NAMES[:8]:
        definitions[name] = made_up(chance, list(definitions), 1)
    streams = [{"name": "s", "x": made_up(chance, NAMES[:8])} for _ in range(2)]
    return yaml.safe_dump({"definitions": definitions, "streams": streams}, sort_keys=False)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--function", default="lyftron.resolve_manifest")
    arguments.add_argument("--generate", type=int, default=0)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("manifest", nargs="*")
    given = arguments.parse_args()
    texts = [(os.path.basename(path), open(path, encoding="utf-8").read()) for path in given.manifest]
    texts += [(f"made up {i}", made_up_manifest(random.Random(i))) for i in range(given.seed, given.seed + given.generate)]
    failed = 0
    for name, text in texts:
        found = compare(text, given.function)
        failed += bool(found)
        for line in found[:5]:
            print(f"{name}: {line}")
    print(f"{len(texts) - failed} the same, {failed} different")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
