//! Text tables.

use super::*;

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
    let data = read_csv(&text).unwrap();
    assert_eq!(texts(&data, 0), ["setosa", "setosa", "virginica"]);
    let options = ReadOptions {
        header: Some(true),
        ..ReadOptions::default()
    };
    let data = read_csv_with(&text, &options).unwrap();
    assert_eq!(data.feature_names, ["5.1", "3.5"]);
    assert_eq!(data.rows(), 2);
    // Numbers as names of columns are a header where the rows below differ in kind.
    let data = read_csv("2001,2002,country\n1,2,3\n").unwrap();
    assert_eq!(data.feature_names, ["2001", "2002"]);
    let options = ReadOptions {
        header: Some(false),
        ..ReadOptions::default()
    };
    let data = read_csv_with("1,2,a\n3,4,5\n", &options).unwrap();
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
    let quoted = read_csv("\"a;b\",c,y\n\"1\", 2 ,3\n").unwrap();
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
    let data = read_csv_with(text, &options).unwrap();
    // "0" is the name of the last column, which wins over the first column's index; "3" is no name.
    assert_eq!(data.feature_names, ["1"]);
    assert_eq!(target_names(&data), ["b", "0"]);
    assert_eq!(
        (numbers(&data, 0), numbers(&data, 1)),
        (&[3.0, 6.0][..], &[4.0, 7.0][..])
    );
    assert_eq!(data.weights.as_deref(), Some(&[1.0, 2.0][..]));

    let by_index = read_csv_with("1,2,3\n4,5,6\n", &targets(&["0"])).unwrap();
    assert_eq!(numbers(&by_index, 0), [1.0, 4.0]);
    assert_eq!(dense(&by_index.matrix).2, [2.0, 3.0, 5.0, 6.0]);

    let twice = ReadOptions {
        weights_column: Some("a".into()),
        ..targets(&["a"])
    };
    assert_refused(
        read_csv_with("a,b\n1,2\n", &twice),
        &["data.csv", "column 1 (\"a\")", "two uses", "name it once"],
    );
    assert_refused(
        read_csv_with("a,b\n1,2\n", &targets(&["c"])),
        &["\"c\"", "target", "\"a\", \"b\"", "0 to 1"],
    );
    assert_refused(
        read_csv_with("1,2\n3,4\n", &targets(&["2"])),
        &["\"2\"", "names no columns", "0 to 1"],
    );
    assert_refused(
        read_csv("a\n1\n"),
        &["no column is left for a feature", "--x"],
    );
}

#[test]
fn csv_errors_name_line_column_and_remedy() {
    for missing in ["", "NA", "NaN", "nan", "?", "N/A", "null"] {
        assert_refused(
            read_csv(&format!("name,age,y\n1,2,3\n\n4,{missing},6\n")),
            &[
                "data.csv, line 4, column 2 (\"age\")",
                "missing",
                "fill it in",
            ],
        );
    }
    assert_refused(
        read_csv("1,2,3\n4,5,NA\n"),
        &["line 2, column 3: the value is missing", "remove the row"],
    );
    assert_refused(
        read_csv("age,sex,y\n1,male,3\n"),
        &[
            "line 2, column 2 (\"sex\")",
            "\"male\" is not a number",
            "encode",
        ],
    );
    assert_refused(
        read_csv("a,b,y\n1,\"1,5\",3\n"),
        &["line 2, column 2", "decimals with a point"],
    );
    for infinite in ["inf", "-inf", "1e999"] {
        assert_refused(
            read_csv(&format!("a,b,y\n1,{infinite},3\n")),
            &["line 2, column 2 (\"b\")", "infinite", "finite number"],
        );
        assert_refused(
            read_csv(&format!("a,b,y\n1,2,{infinite}\n")),
            &["line 2, column 3 (\"y\")", "infinite"],
        );
    }
    for ragged in ["1,2", "1,2,3,4"] {
        assert_refused(
            read_csv(&format!("a,b,y\n1,2,3\n{ragged}\n")),
            &["line 3", "fields where the first has 3", "same columns"],
        );
    }
    assert_refused(
        read_csv("a,b,a\n1,2,3\n"),
        &[
            "line 1, column 3 (\"a\")",
            "column 1 has the same name",
            "name of its own",
        ],
    );
    // A quoted line break counts.
    assert_refused(
        read_csv("a,\"b\nc\",y\n1,2,3\n4,x,6\n"),
        &["line 4, column 2", "\"x\" is not a number"],
    );
    assert_refused(
        read_csv("a,b,y\r\n1,2,3\r\n4,x,6\r\n"),
        &["line 3, column 2", "\"x\" is not a number"],
    );
    assert_refused(
        read_csv("\r\na,b,y\r\n\r\n1,2,3\r\n4,x,6\r\n"),
        &["line 5, column 2"],
    );
    assert_refused(read_csv("a,b,y\r1,2,3\r4,x,6\r"), &["line 3, column 2"]);
    // A quote without an end swallows the rest of the file, but not the message.
    let open = format!("a,b,y\n1,2,3\n4,\"{}", "5,6\n".repeat(1000));
    let message = read_csv(&open).unwrap_err().to_string();
    assert!(message.contains("line 3") && message.contains("close the quote"));
    let open = format!("a,b\n1,2\n4,5\n6,x\"\n\"{}", "5,6\n".repeat(1000));
    assert!(
        read_csv_with(&open, &targets(&["a"]))
            .unwrap_err()
            .to_string()
            .len()
            < 300
    );
}

#[test]
fn csv_without_data_or_in_another_encoding() {
    for text in ["", "\n\n", "\u{feff}\r\n"] {
        assert_refused(read_csv(text), &["data.csv", "empty", "at least one row"]);
    }
    assert_refused(
        read_csv("a,b,y\n"),
        &["header and no row", "below the header"],
    );
    let parse =
        |bytes: &[u8]| parse_dataset(bytes, Format::Csv, "data.csv", &ReadOptions::default());
    assert_refused(
        parse(b"a,b,y\n1,2,3\n1,\xe9,3\n"),
        &["line 3, column 2 (\"b\")", "UTF-8"],
    );
    assert_refused(parse(b"\xff\xfea\0,\0b\0"), &["UTF-16", "save it as UTF-8"]);
}
