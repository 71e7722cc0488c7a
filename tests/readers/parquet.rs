//! Parquet files of pandas, pyarrow and polars, against the same tables as CSV. `tests/fuzz/parquet_corpus.py`
//! writes both.

use super::*;

fn read(name: &str, options: &ReadOptions) -> Result<Dataset> {
    read_dataset(&corpus(&format!("parquet/{name}.parquet")), options)
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// The text columns as factors, as both formats can have them.
fn of_table(missing: bool) -> ReadOptions {
    ReadOptions {
        categorical: Categorical::Named(names(&["city", "kind"])),
        keep_missing: missing,
        ..ReadOptions::default()
    }
}

fn table(name: &str, options: &ReadOptions) -> Dataset {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/readers/tables/{name}.csv"));
    read_dataset(&path, options).unwrap()
}

/// Names, targets and every bit of every cell are those expected.
#[track_caller]
fn assert_same(found: &Dataset, expected: &Dataset) {
    assert_eq!(found.feature_names, expected.feature_names);
    assert_eq!(found.factors, expected.factors);
    assert_eq!(found.targets, expected.targets);
    assert_eq!(found.named, expected.named);
    let (rows, columns, values) = dense(&found.matrix);
    let (expected_rows, expected_columns, expected_values) = dense(&expected.matrix);
    assert_eq!((rows, columns), (expected_rows, expected_columns));
    for (at, (value, expected)) in values.iter().zip(expected_values).enumerate() {
        let name = &found.feature_names[at % columns];
        let is_same =
            value.to_bits() == expected.to_bits() || (value.is_nan() && expected.is_nan());
        assert!(
            is_same,
            "{name}, row {}: {value} for {expected}",
            at / columns + 1
        );
    }
}

/// A table without the column that polars writes in another type.
fn without_halves(options: ReadOptions) -> ReadOptions {
    ReadOptions {
        ignore: names(&["float16"]),
        ..options
    }
}

#[test]
fn every_type_is_read_as_the_same_table_of_text() {
    let expected = table("types", &of_table(false));
    for name in ["types", "types_required"] {
        assert_same(&read(name, &of_table(false)).unwrap(), &expected);
    }
    let expected = table("types", &without_halves(of_table(false)));
    assert_same(&read("types_polars", &of_table(false)).unwrap(), &expected);
    let columns = [
        "int32", "int64", "float32", "float64", "city", "kind", "flag",
    ];
    let some = ReadOptions {
        only: names(&columns),
        ..of_table(false)
    };
    let encoded = ReadOptions {
        categorical: Categorical::Auto,
        ..ReadOptions::default()
    };
    let found = read("encodings", &encoded).unwrap();
    let expected = table("types", &some);
    let order: Vec<usize> = found
        .feature_names
        .iter()
        .map(|name| {
            expected
                .feature_names
                .iter()
                .position(|n| n == name)
                .unwrap()
        })
        .collect();
    let ((rows, count, values), (_, _, expected_values)) =
        (dense(&found.matrix), dense(&expected.matrix));
    for i in 0..rows {
        for j in 0..count {
            let other = expected_values[i * count + order[j]];
            assert_eq!(values[i * count + j].to_bits(), other.to_bits());
        }
    }
}

#[test]
fn every_type_may_miss_cells() {
    let expected = table("nulls", &of_table(true));
    let missing = dense(&expected.matrix)
        .2
        .iter()
        .filter(|v| v.is_nan())
        .count();
    assert!(missing > 100);
    assert_same(&read("nulls", &of_table(true)).unwrap(), &expected);
    let expected = table("nulls", &without_halves(of_table(true)));
    assert_same(&read("nulls_polars", &of_table(true)).unwrap(), &expected);
    // Without a word about missing cells the first one is named.
    assert_refused(
        read("nulls", &of_table(false)),
        &[
            "nulls.parquet, column",
            "row 1: the value is missing",
            "--missing",
        ],
    );
}

#[test]
fn every_compression_is_read_or_named() {
    let options = ReadOptions {
        only: names(&["int32", "float64", "city"]),
        categorical: Categorical::Named(names(&["city"])),
        ..ReadOptions::default()
    };
    let expected = table("types", &options);
    for name in ["snappy", "zstd", "gzip", "lz4"] {
        assert_same(&read(name, &options).unwrap(), &expected);
    }
    assert_refused(
        read("brotli", &options),
        &["brotli.parquet", "Brotli", "zstd"],
    );
}

#[test]
fn columns_have_the_uses_that_options_give_them() {
    let options = ReadOptions {
        targets: names(&["int16", "kind"]),
        weights_column: Some("uint8".into()),
        group_column: Some("flag".into()),
        ignore: names(&["city", "decimal"]),
        ..ReadOptions::default()
    };
    let (found, expected) = (read("types", &options).unwrap(), table("types", &options));
    assert_same(&found, &expected);
    assert_eq!(found.weights, expected.weights);
    assert_eq!(texts(&found, 1), texts(&expected, 1));
    // By index, as the only features, and for a model.
    let options = ReadOptions {
        only: names(&["10", "0"]),
        targets: names(&["flag"]),
        ..ReadOptions::default()
    };
    let (found, expected) = (read("types", &options).unwrap(), table("types", &options));
    assert_same(&found, &expected);
    assert_eq!(texts(&found, 0)[..2], texts(&expected, 0)[..2]);
    let model = expected.expected();
    let path = corpus("parquet/types_polars.parquet");
    let other = read_features(&path, &model, &options).unwrap();
    assert_same(&other, &expected);
    assert_refused(
        read("types", &targets(&["price"])),
        &["no column \"price\"", "\"int8\""],
    );
}

#[test]
fn text_is_text_whatever_it_looks_like() {
    let auto = ReadOptions {
        categorical: Categorical::Auto,
        only: names(&["city"]),
        ..ReadOptions::default()
    };
    let found = read("types", &auto).unwrap();
    assert_eq!(
        found.factors[0].levels,
        ["12", "Graz", "Linz, an der Donau", "Wien", "Ötz"]
    );
    let never = ReadOptions {
        categorical: Categorical::Never,
        ..auto.clone()
    };
    assert_refused(
        read("types", &never),
        &["column 15 (\"city\")", "is not a number", "--categorical"],
    );
    // What is null is missing, and of texts those that a flag lists.
    let listed = ReadOptions {
        na: Some(names(&["12"])),
        keep_missing: true,
        ..auto
    };
    let found = read("types", &listed).unwrap();
    assert_eq!(found.factors[0].levels[0], "Graz");
    assert!(dense(&found.matrix).2.iter().any(|v| v.is_nan()));
}

#[test]
fn numbers_named_as_factors_have_their_digits_as_levels() {
    let options = ReadOptions {
        categorical: Categorical::Named(names(&["b", "flag"])),
        ..ReadOptions::default()
    };
    let found = read(
        "pandas",
        &ReadOptions {
            categorical: Categorical::Named(names(&["a", "b"])),
            ..ReadOptions::default()
        },
    );
    assert_eq!(
        found.unwrap().feature_names,
        ["a=-1", "a=1.5", "a=2.5", "a=4", "b=0", "b=1", "b=2", "b=5"]
    );
    let flags = ReadOptions {
        categorical: Categorical::Named(names(&["flag"])),
        only: names(&["flag"]),
        ..options
    };
    assert_same(&read("types", &flags).unwrap(), &table("types", &flags));
    let levels = &read("types", &flags).unwrap().factors[0].levels;
    assert_eq!(*levels, ["False", "True"]);
}

#[test]
fn labels_beyond_2_to_the_53_keep_their_digits() {
    let found = read("large", &ReadOptions::default()).unwrap();
    let label = ["1234567890123456781", "1234567890123456782", "5", "5"];
    assert_eq!(texts(&found, 0), label);
    let ids = read("large", &targets(&["id"])).unwrap();
    let id = ["9223372036854775809", "9223372036854775810", "5", "5"];
    assert_eq!(texts(&ids, 0), id);
    // As a feature the nearest number, as in text.
    assert_eq!(dense(&found.matrix).2[0], 9_223_372_036_854_775_809.0);
}

#[test]
fn an_index_of_pandas_is_no_feature_and_no_target() {
    let plain = read("pandas", &ReadOptions::default()).unwrap();
    assert_eq!(plain.feature_names, ["a", "b"]);
    let filtered = read("pandas_filtered", &ReadOptions::default()).unwrap();
    assert_eq!(filtered.feature_names, ["a", "b"]);
    assert_eq!(numbers(&filtered, 0), [3.0, 7.0, 8.0]);
    let named = read("pandas_index", &ReadOptions::default()).unwrap();
    assert_eq!(named.feature_names, ["a", "b"]);
    assert_eq!(target_names(&named), ["y"]);
    // It is there where it is asked for, in front as in a CSV file.
    let keep = ReadOptions {
        keep_index: true,
        ..ReadOptions::default()
    };
    let kept = read("pandas_filtered", &keep).unwrap();
    assert_eq!(kept.feature_names, ["__index_level_0__", "a", "b"]);
    assert_eq!(dense(&kept.matrix).2[..3], [0.0, 1.5, 1.0]);
    let ids = read("pandas_index", &targets(&["patient"])).unwrap();
    assert_eq!(texts(&ids, 0), ["p1", "p2", "p3", "p4"]);
    let categories = ReadOptions {
        categorical: Categorical::Auto,
        ..ReadOptions::default()
    };
    let found = read("pandas_categories", &categories).unwrap();
    assert_eq!(found.feature_names, ["a", "size=l", "size=m", "size=s"]);
}

#[test]
fn columns_that_are_no_numbers_are_named_and_may_be_left_out() {
    let held = [
        ("date", "dates"),
        ("stamp", "timestamps"),
        ("time", "times"),
        ("list", "nested values"),
        ("structure", "nested values"),
        ("map", "nested values"),
        ("bytes", "bytes that are not said to be text"),
        ("uuid", "identifiers (UUID)"),
        ("wide", "decimals of more than 38 digits"),
    ];
    let others: Vec<&str> = held.iter().map(|(name, _)| *name).collect();
    for (name, what) in held {
        let without: Vec<&str> = others
            .iter()
            .copied()
            .filter(|other| other != &name)
            .collect();
        let options = ReadOptions {
            ignore: names(&without),
            ..ReadOptions::default()
        };
        assert_refused(
            read("refused", &options),
            &["refused.parquet, column", name, what, "--drop"],
        );
    }
    assert_refused(
        read("int96", &ReadOptions::default()),
        &["stamp", "timestamps"],
    );
    let options = ReadOptions {
        ignore: names(&others),
        ..ReadOptions::default()
    };
    let found = read("refused", &options).unwrap();
    assert_eq!(found.feature_names, ["a"]);
}

#[test]
fn rows_that_are_not_there_or_not_finite_are_named() {
    let default = ReadOptions::default();
    assert_refused(
        read("empty", &default),
        &["empty.parquet", "no row of data"],
    );
    let finite = ReadOptions {
        keep_missing: true,
        ..default.clone()
    };
    assert_refused(
        read("infinite", &finite),
        &["column 1 (\"a\")", "row 2", "\"inf\" is infinite"],
    );
    assert_refused(
        read(
            "infinite",
            &ReadOptions {
                ignore: names(&["a"]),
                ..default.clone()
            },
        ),
        &[
            "column 2 (\"b\")",
            "row 1",
            "missing (\"NaN\")",
            "--missing",
        ],
    );
    let found = read("null_type", &finite).unwrap();
    assert!(dense(&found.matrix).2.iter().step_by(2).all(|v| v.is_nan()));
}

#[test]
fn the_first_bytes_tell_the_format_where_the_name_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let expected = read("snappy", &of_city()).unwrap();
    let copy = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes_of("parquet/snappy.parquet")).unwrap();
        path
    };
    for name in ["d", "d.dat", "d.PQ"] {
        assert_same(&read_dataset(&copy(name), &of_city()).unwrap(), &expected);
    }
    assert_refused(
        read_dataset(&copy("d.csv"), &of_city()),
        &["d.csv", "a Parquet file", "--data-format parquet"],
    );
    let said = ReadOptions {
        format: Some(Format::Parquet),
        ..of_city()
    };
    assert_same(&read_dataset(&copy("d.csv"), &said).unwrap(), &expected);
    let path = folder.path().join("rows.parquet");
    std::fs::write(&path, "a,y\n1,2\n").unwrap();
    assert_refused(
        read_dataset(&path, &of_city()),
        &["rows.parquet", "no Parquet file", "--data-format"],
    );
    std::fs::write(&path, "").unwrap();
    assert_refused(read_dataset(&path, &of_city()), &["no Parquet file"]);
    assert_refused(
        read_dataset(folder.path(), &said),
        &["give a file, not a directory"],
    );
    let bytes = bytes_of("parquet/snappy.parquet");
    assert_refused(
        parse_dataset(
            &bytes[..bytes.len() - 9],
            Format::Parquet,
            "cut.parquet",
            &of_city(),
        ),
        &["cut.parquet", "cannot be read", "copy the file again"],
    );
}

fn of_city() -> ReadOptions {
    ReadOptions {
        categorical: Categorical::Auto,
        ..ReadOptions::default()
    }
}

#[test]
fn pairs_vectors_and_matrices_are_read_too() {
    let path = corpus("parquet/pandas.parquet");
    let bytes = bytes_of("parquet/pandas.parquet");
    let matrix = read_matrix(&path, &ReadOptions::default()).unwrap();
    assert_eq!(dense(&matrix).1, 3);
    let folder = tempfile::tempdir().unwrap();
    let x = folder.path().join("x.csv");
    std::fs::write(&x, "u\n1\n2\n3\n5\n").unwrap();
    let data = read_pair(&x, &path, &targets(&["y"])).unwrap();
    assert_eq!(numbers(&data, 0), [3.0, 4.0, 7.0, 8.0]);
    assert_refused(
        parse_vector(&bytes, Format::Parquet, "p.parquet"),
        &["a vector is expected"],
    );
}

#[test]
fn an_index_that_is_asked_for_leaves_the_positions_of_columns() {
    let by_position = |options: ReadOptions| {
        let data = read("pandas_pairs", &options).unwrap();
        (data.targets[0].name.clone(), data.feature_names)
    };
    let second = || targets(&["1"]);
    let expected = ("b".to_string(), names(&["a", "y"]));
    assert_eq!(by_position(second()), expected);
    let dropped = ReadOptions {
        ignore: names(&["time"]),
        ..second()
    };
    assert_eq!(by_position(dropped), expected);
    let grouped = ReadOptions {
        group_column: Some("group".into()),
        ..second()
    };
    assert_eq!(by_position(grouped), expected);
    let kept = ReadOptions {
        only: names(&["a", "time"]),
        ..second()
    };
    assert_eq!(by_position(kept).1, ["a", "time"]);
    // The last column stays the target where none is named.
    let weighted = ReadOptions {
        weights_column: Some("time".into()),
        ..ReadOptions::default()
    };
    assert_eq!(by_position(weighted), ("y".into(), names(&["a", "b"])));
    let levels = ReadOptions {
        categorical: Categorical::Named(names(&["group"])),
        ..ReadOptions::default()
    };
    let expected = names(&["a", "b", "group=u", "group=v"]);
    assert_eq!(by_position(levels), ("y".into(), expected));
}

#[test]
fn durations_are_refused_whoever_writes_them() {
    for name in ["pandas_duration", "polars_duration"] {
        assert_refused(
            read(name, &ReadOptions::default()),
            &["column 1 (\"d\")", "durations", "--drop"],
        );
        let options = ReadOptions {
            ignore: names(&["d"]),
            ..ReadOptions::default()
        };
        assert_eq!(read(name, &options).unwrap().feature_names, ["a"]);
    }
}

#[test]
fn pages_that_declare_more_than_they_can_hold_are_refused() {
    for name in ["bomb_page", "bomb_column"] {
        assert_refused(
            read(name, &ReadOptions::default()),
            &[
                "a page of",
                "declares 2147483647 bytes",
                "copy the file again",
            ],
        );
    }
}

#[test]
fn narrow_floats_are_labels_and_levels_of_their_own_width() {
    for (name, narrow) in [("single", 0.1f32.into()), ("half", 0.0999755859375)] {
        let labels = read("narrow", &targets(&[name])).unwrap();
        assert_eq!(numbers(&labels, 0), [0.1, 0.2, 0.1, 0.3], "{name}");
        let options = ReadOptions {
            only: names(&[name]),
            ..ReadOptions::default()
        };
        let value = dense(&read("narrow", &options).unwrap().matrix).2[0];
        assert_eq!(value, narrow, "{name}");
        let levels = ReadOptions {
            categorical: Categorical::Named(names(&[name])),
            ..options
        };
        let found = read("narrow", &levels).unwrap().factors.remove(0);
        assert_eq!(found.levels, ["0.1", "0.2", "0.3"], "{name}");
    }
}

#[test]
fn words_of_numbers_are_labels() {
    let found = read("words", &ReadOptions::default()).unwrap();
    assert_eq!(texts(&found, 0), ["nan", "inf", "nan", "NaN"]);
}
