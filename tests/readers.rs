//! The readers of every format: what they read, and what they say about bad input.

use std::path::{Path, PathBuf};

use proxdiff::data::readers::{
    parse_dataset, parse_features, parse_matrix, parse_pair, parse_vector, read_dataset,
    read_features, read_matrix, read_pair, read_vector,
};
use proxdiff::data::{Dataset, Format, Labels, Matrix, ReadOptions};
use proxdiff::{Error, Result};

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(name)
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(corpus(name)).unwrap()
}

fn csv(text: &str) -> Result<Dataset> {
    csv_with(text, &ReadOptions::default())
}

fn csv_with(text: &str, options: &ReadOptions) -> Result<Dataset> {
    parse_dataset(text.as_bytes(), Format::Csv, "data.csv", options)
}

fn libsvm(text: &str) -> Result<Dataset> {
    parse_dataset(
        text.as_bytes(),
        Format::Libsvm,
        "data.svm",
        &ReadOptions::default(),
    )
}

fn targets(names: &[&str]) -> ReadOptions {
    ReadOptions {
        targets: names.iter().map(ToString::to_string).collect(),
        ..ReadOptions::default()
    }
}

/// (rows, columns, values) of a dense matrix.
fn dense(matrix: &Matrix) -> (usize, usize, &[f64]) {
    match matrix {
        Matrix::Dense(m) => (m.rows, m.columns, &m.values),
        Matrix::Sparse(_) => panic!("dense data expected"),
    }
}

/// The rows of a sparse matrix as (column, value), and its number of columns.
fn sparse(matrix: &Matrix) -> (usize, Vec<Vec<(usize, f64)>>) {
    match matrix {
        Matrix::Dense(_) => panic!("sparse data expected"),
        Matrix::Sparse(m) => (m.columns, (0..m.rows).map(|i| m.row(i).collect()).collect()),
    }
}

fn numbers(data: &Dataset, target: usize) -> &[f64] {
    match &data.targets[target].values {
        Labels::Numbers(values) => values,
        Labels::Text(_) => panic!("numbers expected"),
    }
}

fn texts(data: &Dataset, target: usize) -> &[String] {
    match &data.targets[target].values {
        Labels::Numbers(_) => panic!("text expected"),
        Labels::Text(values) => values,
    }
}

fn target_names(data: &Dataset) -> Vec<&str> {
    data.targets.iter().map(|t| t.name.as_str()).collect()
}

/// The message of a failure, which must have all the parts.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T>, parts: &[&str]) {
    let message = result.unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "no \"{part}\" in: {message}");
    }
    assert!(!message.contains('\n'), "one line: {message}");
}

#[test]
fn csv_with_a_header_and_text_labels() {
    let data = read_dataset(&corpus("csv/header.csv"), &ReadOptions::default()).unwrap();
    assert_eq!(data.feature_names, ["age", "height, cm"]);
    assert_eq!(
        dense(&data.matrix),
        (2, 2, [1.5, 2.0, -300.0, 4.25].as_slice())
    );
    assert_eq!(target_names(&data), ["species"]);
    assert_eq!(texts(&data, 0), ["cat", "do\"g"]);
    assert!(data.source.ends_with("header.csv"));
}

#[test]
fn csv_without_a_header() {
    let data = read_dataset(&corpus("csv/plain.csv"), &ReadOptions::default()).unwrap();
    assert_eq!(data.feature_names, ["x0", "x1"]);
    assert_eq!(target_names(&data), ["y"]);
    assert_eq!(numbers(&data, 0), [3.0, 6.0, 9.5]);
    assert_eq!(dense(&data.matrix).2, [1.0, 2.0, 4.0, 5.0, 7.0, 8.0]);
}

#[test]
fn a_first_row_of_numbers_and_labels_is_data_unless_said_otherwise() {
    let text = String::from_utf8(bytes_of("csv/labels_without_header.csv")).unwrap();
    let data = csv(&text).unwrap();
    assert_eq!(texts(&data, 0), ["setosa", "setosa", "virginica"]);
    let options = ReadOptions {
        header: Some(true),
        ..ReadOptions::default()
    };
    let data = csv_with(&text, &options).unwrap();
    assert_eq!(data.feature_names, ["5.1", "3.5"]);
    assert_eq!(data.rows(), 2);
    // Numbers as names of columns are a header where the rows below differ in kind.
    let data = csv("2001,2002,country\n1,2,3\n").unwrap();
    assert_eq!(data.feature_names, ["2001", "2002"]);
    let options = ReadOptions {
        header: Some(false),
        ..ReadOptions::default()
    };
    let data = csv_with("1,2,a\n3,4,5\n", &options).unwrap();
    assert_eq!(texts(&data, 0), ["a", "5"]);
}

#[test]
fn csv_separators_marks_line_ends_and_quotes() {
    let expected = (2, 2, [1.0, 2.0, 4.0, 5.0]);
    let data = read_dataset(
        &corpus("csv/bom_crlf_semicolon.csv"),
        &ReadOptions::default(),
    )
    .unwrap();
    assert_eq!(data.feature_names, ["a", "b"]);
    assert_eq!(
        dense(&data.matrix),
        (expected.0, expected.1, &expected.2[..])
    );
    let tabs = read_dataset(&corpus("csv/tabs.csv"), &ReadOptions::default()).unwrap();
    assert_eq!(dense(&tabs.matrix).2, [1.0, 2.0, 3.0, 4.0]);
    let quoted = csv("\"a;b\",c,y\n\"1\", 2 ,3\n").unwrap();
    assert_eq!(quoted.feature_names, ["a;b", "c"]);
    assert_eq!(dense(&quoted.matrix).2, [1.0, 2.0]);
    let newline = read_dataset(&corpus("csv/quoted_newline.csv"), &ReadOptions::default());
    let newline = newline.unwrap();
    assert_eq!(newline.feature_names, ["a", "b\nc"]);
    assert_eq!(texts(&newline, 0), ["3", "x"]);
}

#[test]
fn csv_targets_weights_and_ignored_columns() {
    let text = "id,w,1,b,0\n7,1,2,3,4\n8,2,5,6,7\n";
    let options = ReadOptions {
        targets: vec!["0".into(), "3".into()],
        weights_column: Some("w".into()),
        ignore: vec!["id".into()],
        header: Some(true),
        ..ReadOptions::default()
    };
    let data = csv_with(text, &options).unwrap();
    // "0" is the name of the last column, which wins over the first column's index; "3" is no name.
    assert_eq!(data.feature_names, ["1"]);
    assert_eq!(target_names(&data), ["b", "0"]);
    assert_eq!(
        (numbers(&data, 0), numbers(&data, 1)),
        (&[3.0, 6.0][..], &[4.0, 7.0][..])
    );
    assert_eq!(data.weights.as_deref(), Some(&[1.0, 2.0][..]));

    let by_index = csv_with("1,2,3\n4,5,6\n", &targets(&["0"])).unwrap();
    assert_eq!(numbers(&by_index, 0), [1.0, 4.0]);
    assert_eq!(dense(&by_index.matrix).2, [2.0, 3.0, 5.0, 6.0]);

    let twice = ReadOptions {
        weights_column: Some("a".into()),
        ..targets(&["a"])
    };
    assert_refused(
        csv_with("a,b\n1,2\n", &twice),
        &["data.csv", "column 1 (\"a\")", "two uses", "name it once"],
    );
    assert_refused(
        csv_with("a,b\n1,2\n", &targets(&["c"])),
        &["\"c\"", "target", "\"a\", \"b\"", "0 to 1"],
    );
    assert_refused(
        csv_with("1,2\n3,4\n", &targets(&["2"])),
        &["\"2\"", "names no columns", "0 to 1"],
    );
    assert_refused(csv("a\n1\n"), &["no column is left for a feature", "--x"]);
}

#[test]
fn csv_errors_name_line_column_and_remedy() {
    for missing in ["", "NA", "NaN", "nan", "?", "N/A", "null"] {
        assert_refused(
            csv(&format!("name,age,y\n1,2,3\n\n4,{missing},6\n")),
            &[
                "data.csv, line 4, column 2 (\"age\")",
                "missing",
                "fill it in",
            ],
        );
    }
    assert_refused(
        csv("1,2,3\n4,5,NA\n"),
        &["line 2, column 3: the value is missing", "remove the row"],
    );
    assert_refused(
        csv("age,sex,y\n1,male,3\n"),
        &[
            "line 2, column 2 (\"sex\")",
            "\"male\" is not a number",
            "encode",
        ],
    );
    assert_refused(
        csv("a;b;y\n1;1,5;3\n"),
        &["line 2, column 2", "decimals with a point"],
    );
    for infinite in ["inf", "-inf", "1e999"] {
        assert_refused(
            csv(&format!("a,b,y\n1,{infinite},3\n")),
            &["line 2, column 2 (\"b\")", "infinite", "finite number"],
        );
        assert_refused(
            csv(&format!("a,b,y\n1,2,{infinite}\n")),
            &["line 2, column 3 (\"y\")", "infinite"],
        );
    }
    for ragged in ["1,2", "1,2,3,4"] {
        assert_refused(
            csv(&format!("a,b,y\n1,2,3\n{ragged}\n")),
            &["line 3", "fields where the first has 3", "same columns"],
        );
    }
    assert_refused(
        csv("a,b,a\n1,2,3\n"),
        &[
            "line 1, column 3 (\"a\")",
            "column 1 has the same name",
            "name of its own",
        ],
    );
    // A quoted line break counts.
    assert_refused(
        csv("a,\"b\nc\",y\n1,2,3\n4,x,6\n"),
        &["line 4, column 2", "\"x\" is not a number"],
    );
    assert_refused(
        csv("a,b,y\r\n1,2,3\r\n4,x,6\r\n"),
        &["line 3, column 2", "\"x\" is not a number"],
    );
    assert_refused(
        csv("\r\na,b,y\r\n\r\n1,2,3\r\n4,x,6\r\n"),
        &["line 5, column 2"],
    );
    assert_refused(csv("a,b,y\r1,2,3\r4,x,6\r"), &["line 3, column 2"]);
    // A quote without an end swallows the rest of the file, but not the message.
    let open = format!("a,b,y\n1,2,3\n4,\"{}", "5,6\n".repeat(1000));
    let message = csv(&open).unwrap_err().to_string();
    assert!(message.contains("line 3") && message.contains("close every quote"));
    let open = format!("a,b\n1,2\n4,5\n6,x\"\n\"{}", "5,6\n".repeat(1000));
    assert!(
        csv_with(&open, &targets(&["a"]))
            .unwrap_err()
            .to_string()
            .len()
            < 300
    );
}

#[test]
fn csv_without_data_or_in_another_encoding() {
    for text in ["", "\n\n", "\u{feff}\r\n"] {
        assert_refused(csv(text), &["data.csv", "empty", "at least one row"]);
    }
    assert_refused(csv("a,b,y\n"), &["header and no row", "below the header"]);
    let parse =
        |bytes: &[u8]| parse_dataset(bytes, Format::Csv, "data.csv", &ReadOptions::default());
    assert_refused(
        parse(b"a,b,y\n1,2,3\n1,\xe9,3\n"),
        &["line 3, column 2 (\"b\")", "UTF-8"],
    );
    assert_refused(parse(b"\xff\xfea\0,\0b\0"), &["UTF-16", "save it as UTF-8"]);
}

#[test]
fn npy_types_and_orders() {
    let default = ReadOptions::default();
    let data = read_dataset(&corpus("npy/f8_c.npy"), &default).unwrap();
    assert_eq!(dense(&data.matrix).2, [0.0, 2.0, 4.0]);
    assert_eq!(numbers(&data, 0), [1.0, 3.0, 5.0]);
    let matrix = |name: &str| read_matrix(&corpus(name), None).unwrap();
    let fortran = matrix("npy/f4_fortran.npy");
    assert_eq!(dense(&fortran), (2, 3, [0., 1., 2., 3., 4., 5.].as_slice()));
    assert_eq!(
        dense(&matrix("npy/bool.npy")),
        (2, 2, [1., 0., 0., 1.].as_slice())
    );
    assert_eq!(dense(&matrix("npy/version_2.npy")).2, [0.0, 1.0, 2.0, 3.0]);
    let vector = |name: &str| read_vector(&corpus(name), None).unwrap();
    assert_eq!(vector("npy/i8_vector.npy"), [-2.0, -1.0, 0.0, 1.0, 2.0]);
    assert_eq!(vector("npy/u2_big_endian.npy"), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(vector("npy/scalar.npy"), [2.5]);
}

#[test]
fn npy_errors() {
    let refused = |name: &str, parts: &[&str]| {
        assert_refused(
            read_matrix(&corpus(&format!("npy/{name}.npy")), None),
            parts,
        );
    };
    refused("object", &["object.npy", "Python objects", "astype"]);
    refused("complex", &["complex numbers", "real part"]);
    refused("structured", &["structures", "astype"]);
    refused("half", &["\"<f2\"", "astype"]);
    refused("cube", &["3 dimensions", "reshape"]);
    refused("empty", &["empty", "at least one row"]);
    refused("text", &["text where numbers are needed", "class labels"]);

    let parse = |bytes: &[u8]| parse_matrix(bytes, Format::Npy, "x.npy");
    let whole = bytes_of("npy/f8_c.npy");
    assert_refused(parse(b""), &["x.npy: the file is empty"]);
    assert_refused(
        parse(b"hello, world"),
        &["not an .npy file", "--data-format"],
    );
    assert_refused(parse(&whole[..40]), &["ends inside its header"]);
    assert_refused(
        parse(&whole[..whole.len() - 1]),
        &["175 bytes, fewer than the 176", "cut off"],
    );
    assert_refused(
        parse(&[&whole[..], b"x"].concat()),
        &["more than the 176", "one array"],
    );
    let mut version = whole.clone();
    version[6] = 9;
    assert_refused(parse(&version), &["version 9", "numpy.save"]);
    let text = String::from_utf8_lossy(&whole[10..128]).into_owned();
    let with_header = |from: &str, to: &str| {
        let text = text.replace(from, to);
        let mut bytes = whole[..8].to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(&whole[128..]);
        bytes
    };
    assert_refused(
        parse(&with_header("(3, 2)", "(4294967296, 4294967296)")),
        &["larger than any memory"],
    );
    assert_refused(
        parse(&with_header("(3, 2)", "(3000000000, 2)")),
        &["fewer than the 48000000"],
    );
    assert_refused(parse(&with_header("shape", "shade")), &["not a dictionary"]);
    for (value, name) in [(f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
        let mut bytes = whole.clone();
        let at = bytes.len() - 24;
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        assert_refused(
            parse(&bytes),
            &[
                &format!("x.npy, column 2: row 2 is {name}"),
                "replace or drop",
            ],
        );
    }
}

#[test]
fn npz_of_dense_arrays() {
    let data = read_dataset(&corpus("npz/dense.npz"), &ReadOptions::default()).unwrap();
    assert_eq!(dense(&data.matrix).0, 4);
    assert_eq!(
        (target_names(&data), numbers(&data, 0)),
        (vec!["y"], &[1., 0., 1., 0.][..])
    );

    let path = corpus("npz/compressed.npz");
    let data = read_dataset(&path, &ReadOptions::default()).unwrap();
    assert_eq!(data.feature_names, ["a", "b"]);
    assert_eq!(dense(&data.matrix).2, [0., 1., 2., 3., 4., 5., 6., 7.]);
    assert_eq!(target_names(&data), ["Y0", "Y1"]);
    assert_eq!(numbers(&data, 1), [2., 4., 6., 8.]);
    let options = ReadOptions {
        weights_column: Some("w".into()),
        ..targets(&["label"])
    };
    let data = read_dataset(&path, &options).unwrap();
    assert_eq!(data.weights.as_deref(), Some(&[1., 2., 3., 4.][..]));
    assert_eq!(
        (target_names(&data), texts(&data, 0)[1].as_str()),
        (vec!["label"], "v")
    );
}

#[test]
fn npz_of_sparse_matrices() {
    let expected = (
        3,
        vec![vec![(1, 1.5)], vec![(0, 2.0), (2, -3.0)], Vec::new()],
    );
    for name in ["npz/csr.npz", "npz/csc.npz"] {
        let matrix = read_matrix(&corpus(name), None).unwrap();
        assert_eq!(sparse(&matrix), expected, "{name}");
    }
    assert_refused(
        read_matrix(&corpus("npz/coo.npz"), None),
        &["no array X or x", "\"row\""],
    );
    assert_refused(
        read_dataset(&corpus("npz/csr.npz"), &ReadOptions::default()),
        &["no array y or Y", "\"indptr\""],
    );
}

#[test]
fn npz_errors() {
    let path = corpus("npz/dense.npz");
    assert_refused(
        read_dataset(&path, &targets(&["z"])),
        &["no array \"z\"", "its arrays are", "\"X\""],
    );
    assert_refused(read_vector(&path, None), &["a vector is expected"]);
    let parse = |bytes: &[u8]| parse_matrix(bytes, Format::Npz, "x.npz");
    let whole = bytes_of("npz/dense.npz");
    assert_refused(parse(b""), &["x.npz: the file is empty"]);
    assert_refused(parse(b"PK, but no archive"), &["not an .npz archive"]);
    assert_refused(parse(&whole[..whole.len() / 2]), &["not an .npz archive"]);
    // A flipped byte inside an array fails its checksum.
    let mut corrupt = whole;
    let at = corrupt.windows(6).position(|w| w == b"\x93NUMPY").unwrap() + 140;
    corrupt[at] ^= 1;
    assert_refused(parse(&corrupt), &["x.npz [X]", "cannot be decompressed"]);
}

#[test]
fn libsvm_rows() {
    let data = read_dataset(&corpus("libsvm/rows.svm"), &ReadOptions::default()).unwrap();
    let rows = vec![
        vec![(0, 0.5), (2, -20.0)],
        vec![(1, 1.0)],
        Vec::new(),
        vec![(0, 1.0), (1, 2.0), (2, 3.0)],
    ];
    assert_eq!(sparse(&data.matrix), (4, rows));
    assert_eq!(numbers(&data, 0), [1.0, -1.0, 1.0, -1.0]);
    assert_eq!(data.feature_names, ["x1", "x2", "x3", "x4"]);
}

#[test]
fn libsvm_errors_name_the_line() {
    let bad = [
        ("1 0:1", "index 0", "count from 1"),
        ("1 2:1 1:1", "index 1 follows 2", "sort"),
        ("1 2:1 2:1", "index 2 occurs twice", "once"),
        ("1,3 1:1", "more than one label", "one label per line"),
        ("1:1 2:1", "where its label should be", "any number"),
        ("cat 1:1", "label \"cat\"", "number the classes"),
        ("nan 1:1", "label is NaN", "finite"),
        ("1 1:nan", "index 1 is NaN", "missing and infinite"),
        ("1 1:inf", "index 1 is inf", "missing and infinite"),
        ("1 1", "\"1\" is not index:value", "colon"),
        ("1 1:x", "\"1:x\" is not index:value", "colon"),
        ("1 -1:1", "\"-1:1\" is not index:value", "colon"),
        ("1 1: 2", "\"1:\" is not index:value", "without spaces"),
        ("1 99999999999:1", "too large", "renumber"),
    ];
    for (line, what, remedy) in bad {
        let text = format!("1 1:1\n\n{line}\n");
        assert_refused(libsvm(&text), &["data.svm, line 3", what, remedy]);
    }
    assert_refused(
        libsvm("1 4000000000:1\n"),
        &["4000000000 columns for 1", "renumber"],
    );
    assert_refused(libsvm("# nothing\n\n"), &["no rows"]);
    assert_refused(libsvm("1\n-1\n"), &["no row has a feature"]);
    assert_refused(
        parse_dataset(b"1 1:1\n", Format::Libsvm, "data.svm", &targets(&["a"])),
        &["one target", "--y"],
    );
}

#[test]
fn idx_types() {
    let images = [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11.];
    for name in ["idx/images.idx", "idx/images.gz"] {
        let path = corpus(name);
        assert_eq!(Format::from_path(&path).unwrap(), Format::Idx);
        let data = read_pair(&path, &corpus("idx/labels.idx"), &ReadOptions::default()).unwrap();
        assert_eq!(dense(&data.matrix), (3, 4, images.as_slice()));
        assert_eq!(data.feature_names, ["pixel0", "pixel1", "pixel2", "pixel3"]);
        assert_eq!(numbers(&data, 0), [7.0, 0.0, 7.0]);
    }
    let matrix = |name: &str| dense(&read_matrix(&corpus(name), None).unwrap()).2.to_vec();
    assert_eq!(matrix("idx/i8.idx"), [-1.0, 2.0]);
    assert_eq!(matrix("idx/i16.idx"), [-1.0, 2.0, -300.0, 4.0]);
    assert_eq!(matrix("idx/i32.idx"), [-1.0, 70000.0]);
    assert_eq!(matrix("idx/f32.idx"), [1.5, -2.0]);
    assert_eq!(matrix("idx/f64.idx"), [1.5, -2.0, 3.0, 1e300]);
}

#[test]
fn idx_errors() {
    assert_refused(
        read_dataset(&corpus("idx/images.idx"), &ReadOptions::default()),
        &["images or labels, not both", "--x and --y"],
    );
    let parse = |bytes: &[u8]| parse_matrix(bytes, Format::Idx, "x.idx");
    let whole = bytes_of("idx/images.idx");
    assert_refused(parse(b""), &["x.idx: the file is empty"]);
    assert_refused(parse(b"\x01\x02\x03\x04"), &["magic number"]);
    assert_refused(parse(b"\0\0\x0a\x01\0\0\0\0"), &["no type 0x0a"]);
    assert_refused(parse(b"\0\0\x08\0"), &["no dimensions"]);
    assert_refused(parse(&whole[..10]), &["ends inside its header"]);
    assert_refused(
        parse(&whole[..20]),
        &["20 bytes, fewer than the 28", "cut off"],
    );
    assert_refused(parse(&[&whole[..], b"x"].concat()), &["more than the 28"]);
    assert_refused(parse(b"\0\0\x08\x01\0\0\0\0"), &["empty"]);
    assert_refused(parse(&bytes_of("idx/huge.idx")), &["fewer than the 184467"]);
    // Four million bytes behind a header of a hundred: not decompressed past what is declared.
    assert_refused(
        parse(&bytes_of("idx/bomb.gz")),
        &["more than the 108 that its header declares"],
    );
    let compressed = bytes_of("idx/images.gz");
    assert_refused(
        parse(&compressed[..compressed.len() - 9]),
        &["gzip stream", "copy the file again"],
    );
    let mut nan = bytes_of("idx/f64.idx");
    nan[12 + 8..12 + 16].copy_from_slice(&f64::NAN.to_be_bytes());
    assert_refused(parse(&nan), &["x.idx, column 2: row 1 is NaN"]);
}

#[test]
fn pairs_of_files() {
    let x = (&b"a,b,w\n1,2,3\n4,5,6\n"[..], Format::Csv, "x.csv");
    let y = (&b"u,v\n1,p\n2,q\n"[..], Format::Csv, "y.csv");
    let options = ReadOptions {
        weights_column: Some("w".into()),
        ..ReadOptions::default()
    };
    let data = parse_pair(x, y, &options).unwrap();
    assert_eq!(data.feature_names, ["a", "b"]);
    assert_eq!(data.weights.as_deref(), Some(&[3.0, 6.0][..]));
    assert_eq!(target_names(&data), ["u", "v"]);
    assert_eq!(
        (numbers(&data, 0), texts(&data, 1)[1].as_str()),
        (&[1.0, 2.0][..], "q")
    );
    assert_eq!(data.source, "x.csv, y.csv");
    let one = parse_pair(x, y, &targets(&["v"])).unwrap();
    assert_eq!(target_names(&one), ["v"]);

    let svm = (&b"1 1:1\n-1 2:1\n"[..], Format::Libsvm, "x.svm");
    let labels = parse_pair(svm, y, &ReadOptions::default()).unwrap();
    assert_eq!(target_names(&labels), ["u", "v"]);
    let own = parse_pair(svm, svm, &ReadOptions::default()).unwrap();
    assert_eq!(numbers(&own, 0), [1.0, -1.0]);

    let text = bytes_of("npy/text.npy");
    let x3 = (&b"1\n2\n3\n"[..], Format::Csv, "x.csv");
    let named = parse_pair(x3, (&text, Format::Npy, "y.npy"), &ReadOptions::default()).unwrap();
    assert_eq!(texts(&named, 0), ["cat", "dög", "cat"]);

    assert_refused(
        parse_pair(x3, y, &ReadOptions::default()),
        &[
            "x.csv, y.csv: target \"u\"",
            "3 values",
            "found 2",
            "same rows",
        ],
    );
    let nowhere = ReadOptions {
        weights_column: Some("weight".into()),
        ..ReadOptions::default()
    };
    assert_refused(parse_pair(x, y, &nowhere), &["no column \"weight\""]);
}

#[test]
fn vectors() {
    let parse = |text: &str| parse_vector(text.as_bytes(), Format::Csv, "v.csv");
    assert_eq!(parse("1\n2\n3\n").unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!(parse("strength\n1\n2\n").unwrap(), [1.0, 2.0]);
    assert_eq!(parse("1,2,3\n").unwrap(), [1.0, 2.0, 3.0]);
    assert_refused(parse("1,2\n3,4\n"), &["v.csv", "2 × 2", "one column"]);
    let text = bytes_of("npy/text.npy");
    assert_refused(
        parse_vector(&text, Format::Npy, "v.npy"),
        &["text where numbers are needed"],
    );
}

#[test]
fn features_of_a_model() {
    let model: Vec<String> = vec!["a".into(), "b".into()];
    let parse = |text: &str, options: &ReadOptions| {
        parse_features(text.as_bytes(), Format::Csv, "new.csv", &model, options)
    };
    let default = ReadOptions::default();
    let data = parse("name,b,a\nx,2,1\ny,4,3\n", &default).unwrap();
    assert_eq!(data.feature_names, model);
    assert_eq!(dense(&data.matrix).2, [1.0, 2.0, 3.0, 4.0]);
    assert!(data.targets.is_empty());
    let data = parse("name,b,a\nx,2,1\ny,4,3\n", &targets(&["name", "gone"])).unwrap();
    assert_eq!(texts(&data, 0), ["x", "y"]);
    let data = parse("1,2\n3,4\n", &default).unwrap();
    assert_eq!(dense(&data.matrix).2, [1.0, 2.0, 3.0, 4.0]);
    let data = parse("1,9,2\n3,8,4\n", &targets(&["1"])).unwrap();
    assert_eq!(
        (dense(&data.matrix).2, numbers(&data, 0)),
        (&[1., 2., 3., 4.][..], &[9., 8.][..])
    );

    assert_refused(
        parse("a,c\n1,2\n", &default),
        &["new.csv", "feature \"b\"", "\"a\", \"b\""],
    );
    assert_refused(
        parse("1,2,3\n4,5,6\n", &default),
        &["2 feature columns as in training", "found 3", "--target"],
    );
    let sparse_rows = b"0 1:1\n0 1:2\n";
    let data = parse_features(sparse_rows, Format::Libsvm, "new.svm", &model, &default).unwrap();
    assert_eq!(data.matrix.columns(), 2);
    let wide = parse_features(b"0 3:1\n", Format::Libsvm, "new.svm", &model, &default);
    assert_refused(wide, &["new.svm", "2 features as in training", "found 3"]);
    let npy = read_features(&corpus("npy/f4_fortran.npy"), &model, &default);
    assert_refused(npy, &["2 feature columns", "found 3"]);
}

#[test]
fn formats_by_extension_and_magic_number() {
    for (text, format) in [
        ("csv", Format::Csv),
        ("NPY", Format::Npy),
        ("npz", Format::Npz),
        ("svm", Format::Libsvm),
        ("libsvm", Format::Libsvm),
        ("svmlight", Format::Libsvm),
        ("idx", Format::Idx),
    ] {
        assert_eq!(text.parse::<Format>().unwrap(), format);
        assert_eq!(
            Format::from_path(Path::new(&format!("data.{text}"))).unwrap(),
            format
        );
    }
    assert_refused("xls".parse::<Format>(), &["\"xls\"", "csv, npy, npz"]);

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let labels = write("train-labels-idx1-ubyte", &bytes_of("idx/labels.idx"));
    assert_eq!(read_vector(&labels, None).unwrap(), [7.0, 0.0, 7.0]);
    let table = write("table.data", b"1,2\n3,4\n");
    assert_refused(Format::from_path(&table), &["table.data", "--data-format"]);
    let options = ReadOptions {
        format: Some(Format::Csv),
        ..ReadOptions::default()
    };
    assert_eq!(
        numbers(&read_dataset(&table, &options).unwrap(), 0),
        [2.0, 4.0]
    );
    let zipped = write("table.csv.gz", &bytes_of("idx/images.gz")[..8]);
    assert_refused(Format::from_path(&zipped), &["decompress the file first"]);
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let missing = read_dataset(&folder.path().join("no.csv"), &ReadOptions::default());
    assert!(matches!(missing, Err(Error::Io { .. })));
    assert_refused(missing, &["no.csv", "check the path"]);
    assert_refused(
        read_matrix(folder.path(), Some(Format::Npy)),
        &["not a directory"],
    );
}

#[test]
fn rows_are_selected_with_targets_and_weights() {
    let options = ReadOptions {
        weights_column: Some("w".into()),
        ..targets(&["y", "label"])
    };
    let text = "a,w,y,label\n1,10,5,p\n2,20,6,q\n3,30,7,r\n";
    let data = csv_with(text, &options).unwrap().select_rows(&[2, 0]);
    assert_eq!(dense(&data.matrix).2, [3.0, 1.0]);
    assert_eq!(data.weights.as_deref(), Some(&[30.0, 10.0][..]));
    assert_eq!(
        (numbers(&data, 0), texts(&data, 1)),
        (&[7.0, 5.0][..], &["r".to_string(), "p".into()][..])
    );
}
