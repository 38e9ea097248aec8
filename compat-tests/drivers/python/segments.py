"""Opens every segment that the given manifests name and counts its rows.

Prints one line per manifest, `SCHEMA.TABLE ROWS`, and fails where a count, a size or a bound in a
manifest is not what the file holds.
"""

import json
import pathlib
import sys

import pyarrow.parquet as parquet


def data_directory(manifest: pathlib.Path, directory: str) -> pathlib.Path:
    """The directory that the paths in a manifest are relative to."""
    return manifest.parents[len(pathlib.PurePosixPath(directory).parts)]


def main() -> int:
    wrong = []
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        manifest = json.loads(path.read_text())
        root = data_directory(path, manifest["directory"])
        rows = 0
        for segment in manifest["segments"]:
            file = root / segment["path"]
            table = parquet.read_table(file)
            expected = segment["rows"] + segment["tombstones"]
            if table.num_rows != expected:
                wrong.append(f"{file}: {table.num_rows} rows, the manifest says {expected}")
            if file.stat().st_size != segment["bytes"]:
                wrong.append(f"{file}: {file.stat().st_size} bytes, not {segment['bytes']}")
            for column in segment["columns"]:
                if column["name"] not in table.column_names:
                    wrong.append(f"{file}: no column {column['name']}")
                elif segment["tombstones"] == 0 and column["nulls"] is not None:
                    nulls = table.column(column["name"]).null_count
                    if nulls != column["nulls"]:
                        wrong.append(f"{file}: {nulls} NULLs in {column['name']}")
            if file.name.endswith(".parquet") and not file.name.startswith("batch-"):
                wrong.append(f"{file}: not called batch-NNNNNN.parquet")
            rows += segment["rows"]
        print(path.parent.name, rows)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
