"""Writes the Parquet files in corpus/parquet, and two of the tables as CSV into tests/readers/tables.

    pip install numpy pandas polars pyarrow
    python tests/fuzz/parquet_corpus.py
"""

import datetime
import decimal
import pathlib
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent / "corpus" / "parquet"
TABLES = FOLDER.parents[2] / "readers" / "tables"
ROWS = 40
RANDOM = np.random.default_rng(0)


def types(rows=ROWS):
    """One column of every type, as (name, values, type of Arrow)."""
    whole = lambda bits: pa.array(RANDOM.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), rows, dtype=f"int{bits}"))
    natural = lambda bits: pa.array(RANDOM.integers(0, 2**bits, rows, dtype=f"uint{bits}"))
    real = RANDOM.normal(size=rows) * 10.0 ** RANDOM.integers(-12, 12, rows)
    exact = 2**53 - 1
    cents = [decimal.Decimal(int(v)).scaleb(-2) for v in RANDOM.integers(-(10**6), 10**6, rows)]
    long = [decimal.Decimal(int(v)).scaleb(-9) * 10**6 for v in RANDOM.integers(-(2**62), 2**62, rows)]
    cities = RANDOM.choice(["Wien", "Graz", "Linz, an der Donau", "Ötz", "12"], rows)
    return pa.table(
        {
            "int8": whole(8),
            "int16": whole(16),
            "int32": whole(32),
            "int64": pa.array(RANDOM.integers(-exact, exact, rows)),
            "uint8": natural(8),
            "uint16": natural(16),
            "uint32": natural(32),
            "uint64": pa.array(RANDOM.integers(0, exact, rows, dtype="uint64")),
            "float16": pa.array(RANDOM.normal(size=rows).astype("float16")),
            "float32": pa.array(real.astype("float32")),
            "float64": pa.array(real),
            "decimal": pa.array(cents, pa.decimal128(9, 2)),
            "decimal_long": pa.array(long, pa.decimal128(30, 9)),
            "flag": pa.array(RANDOM.random(rows) < 0.4),
            "city": pa.array(cities),
            "kind": pa.array(RANDOM.choice(["a", "b", "c"], rows)).dictionary_encode(),
            "y": pa.array(RANDOM.normal(size=rows)),
        }
    )


def text(value):
    """A cell of a CSV file; a number of any width has all digits of the same number of 64 bits."""
    match value:
        case None:
            return ""
        case bool():
            return str(value)
        case float() | np.floating():
            return repr(float(value))
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def csv(table, name):
    lines = [",".join(table.column_names)]
    columns = [column.to_pylist() for column in table.columns]
    lines += [",".join(text(value) for value in row) for row in zip(*columns)]
    TABLES.mkdir(exist_ok=True)
    (TABLES / f"{name}.csv").write_text("\n".join(lines) + "\n")


def with_nulls(table):
    """The same with one cell in five missing, but for y."""

    def column(name):
        values = table[name].combine_chunks()
        if name == "y":
            return values
        missing = RANDOM.random(len(values)) < 0.2
        there = pa.array([None if gone else True for gone in missing])
        return pa.compute.if_else(there, values, pa.scalar(None, values.type))

    return pa.table({name: column(name) for name in table.column_names})


def varint(value):
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def bomb(path, total):
    """A file whose first page declares 2³¹ − 1 bytes before compression, with the header's length as before."""
    rows = 3000
    values = pa.array(np.zeros(rows))
    largest = varint(2 * (2**31 - 1))
    pq.write_table(pa.table({"a": values, "y": values}), path, compression="snappy", use_dictionary=False)
    data = path.read_bytes()
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    # Kind of page, then both sizes.
    assert data[4:7] == b"\x15\x00\x15"
    own = data[7 : 7 + len(varint(2 * 24_000))]
    size = sum((byte & 127) << 7 * at for at, byte in enumerate(own)) // 2
    at = 7 + len(own) + 1
    end = next(i for i in range(at, at + 9) if data[i] < 128) + 1
    compressed = sum((byte & 127) << 7 * k for k, byte in enumerate(data[at:end])) // 2
    length = column.total_compressed_size - compressed
    header = b"\x15\x00\x15" + largest + b"\x15" + varint(2 * compressed)
    header += b"\x2c\x15" + varint(2 * rows) + b"\x15\x00\x15\x06\x15\x06\x00"
    # A field that nobody knows fills what the statistics had.
    gap = length - len(header) - 3
    header += b"\x98" + varint(gap) + b"x" * gap + b"\x00"
    assert len(header) == length and size > 0
    data = data[:4] + header + data[4 + length :]
    if total:
        old = b"\x16" + varint(2 * column.total_uncompressed_size)
        footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        found = data.index(old, footer)
        data = data[:found] + b"\x16" + largest + data[found + len(old) :]
        added = len(largest) + 1 - len(old)
        size = int.from_bytes(data[-8:-4], "little") + added
        data = data[:-8] + size.to_bytes(4, "little") + data[-4:]
    path.write_bytes(data)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    write = lambda table, name, **options: pq.write_table(table, FOLDER / f"{name}.parquet", **options)
    table = types()
    csv(table, "types")
    # Several row groups, of which the last is shorter, and several pages.
    write(table, "types", row_group_size=17, compression="none", use_dictionary=["kind"])
    required = pa.schema([pa.field(f.name, f.type, nullable=False) for f in table.schema])
    write(table.cast(required), "types_required", use_dictionary=False, store_decimal_as_integer=True)
    for compression in ["snappy", "zstd", "gzip", "lz4", "brotli"]:
        write(table.select(["int32", "float64", "city", "y"]), compression, compression=compression)
    # Of polars, whose decimals and halves are its own.
    frame = pl.from_arrow(table.drop_columns(["float16"])).with_columns(pl.col("kind").cast(pl.Categorical))
    frame.write_parquet(FOLDER / "types_polars.parquet", row_group_size=23)
    nulls = with_nulls(types())
    csv(nulls, "nulls")
    write(nulls, "nulls", row_group_size=11, data_page_version="2.0", data_page_size=64)
    pl.from_arrow(nulls.drop_columns(["float16"])).write_parquet(FOLDER / "nulls_polars.parquet", compression="lz4")
    encodings = {
        "int32": "DELTA_BINARY_PACKED",
        "int64": "DELTA_BINARY_PACKED",
        "float32": "BYTE_STREAM_SPLIT",
        "float64": "BYTE_STREAM_SPLIT",
        "city": "DELTA_BYTE_ARRAY",
        "kind": "DELTA_LENGTH_BYTE_ARRAY",
        "flag": "RLE",
    }
    chosen = table.select([*encodings, "y"])
    chosen = chosen.set_column(5, "kind", chosen["kind"].cast(pa.string()))
    write(chosen, "encodings", use_dictionary=False, column_encoding=encodings, data_page_version="2.0")
    # pandas: a range as index is in no column, others are.
    frame = pd.DataFrame({"a": [1.5, 2.5, -1.0, 4.0], "b": [1, 0, 2, 5], "y": [3.0, 4.0, 7.0, 8.0]})
    frame.to_parquet(FOLDER / "pandas.parquet")
    frame[frame.b != 0].to_parquet(FOLDER / "pandas_filtered.parquet")
    named = frame.assign(patient=["p1", "p2", "p3", "p4"]).set_index("patient")
    named.to_parquet(FOLDER / "pandas_index.parquet")
    pairs = pd.MultiIndex.from_product([["u", "v"], [1, 2]], names=["group", "time"])
    frame.set_index(pairs).to_parquet(FOLDER / "pandas_pairs.parquet")
    lasting = frame.assign(d=pd.to_timedelta([1, 2, 3, 4], unit="h"))[["d", "a", "y"]]
    lasting.to_parquet(FOLDER / "pandas_duration.parquet")
    pl.from_pandas(lasting).write_parquet(FOLDER / "polars_duration.parquet")
    # Labels, levels and features that no text of 64 bits is short for.
    narrow = [0.1, 0.2, 0.1, 0.3]
    pq.write_table(
        pa.table(
            {
                "half": pa.array(np.array(narrow, "float16")),
                "single": pa.array(np.array(narrow, "float32")),
                "y": pa.array([1.0, 2.0, 3.0, 5.0]),
            }
        ),
        FOLDER / "narrow.parquet",
    )
    # Labels that look like no number.
    words = pa.table({"a": [1.0, 2.0, 3.0, 5.0], "label": ["nan", "inf", "nan", "NaN"]})
    pq.write_table(words, FOLDER / "words.parquet")
    # A page that declares two gigabytes, which its column has too or has not.
    for name, total in [("bomb_page", False), ("bomb_column", True)]:
        bomb(FOLDER / f"{name}.parquet", total)
    categories = pd.DataFrame({"a": frame.a, "size": pd.Categorical(["s", "l", "s", "m"]), "y": frame.y})
    categories.to_parquet(FOLDER / "pandas_categories.parquet")
    # Labels and numbers of rows that f64 does not tell apart.
    large = 1234567890123456781
    pq.write_table(
        pa.table(
            {
                "id": pa.array([2**63 + 1, 2**63 + 2, 5, 5], pa.uint64()),
                "a": pa.array([1.0, 2.0, 3.0, 5.0]),
                "label": pa.array([large, large + 1, 5, 5]),
            }
        ),
        FOLDER / "large.parquet",
    )
    day = datetime.datetime(2024, 1, 31, 12)
    refused = {
        "date": pa.array([day.date()] * 2),
        "stamp": pa.array([day] * 2),
        "time": pa.array([day.time()] * 2),
        "list": pa.array([[1, 2], [3]]),
        "structure": pa.array([{"a": 1, "b": 2}] * 2),
        "map": pa.array([[("a", 1)]] * 2, pa.map_(pa.string(), pa.int64())),
        "bytes": pa.array([b"ab", b"cd"]),
        "uuid": pa.array([uuid.UUID(int=i).bytes for i in range(2)], pa.uuid()),
        "wide": pa.array([decimal.Decimal(1), decimal.Decimal(2)], pa.decimal256(60, 3)),
        "a": pa.array([1.0, 2.0]),
        "y": pa.array([1.0, 2.0]),
    }
    write(pa.table(refused), "refused")
    write(pa.table({"stamp": refused["stamp"], "y": refused["y"]}), "int96", use_deprecated_int96_timestamps=True)
    values = {"a": [1.0, float("inf")], "b": [float("nan"), 1.0], "y": [1.0, 2.0]}
    write(pa.table(values), "infinite")
    write(pa.table({"a": pa.array([], pa.float64()), "y": pa.array([], pa.float64())}), "empty")
    write(pa.table({"a": pa.nulls(3), "b": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 4.0]}), "null_type")


if __name__ == "__main__":
    main()
