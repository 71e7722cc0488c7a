//! What a row and a column are: headers of numbers, row numbers, labels, quotes.

use super::*;

/// Rows of `columns` decimals that no header would be taken for.
fn decimals(rows: usize, columns: usize) -> String {
    let value = |i: usize, j: usize| ((i * 37 + j * 11) % 101) as f64 / 8.0 - 5.0625;
    (0..rows)
        .map(|i| {
            let fields: Vec<String> = (0..columns).map(|j| value(i, j).to_string()).collect();
            fields.join(",") + "\n"
        })
        .collect()
}

fn names(data: &Dataset) -> Vec<&str> {
    let features = data.feature_names.iter().map(String::as_str);
    features.chain(target_names(data)).collect()
}

#[test]
fn numbers_are_names_where_the_rows_below_say_so() {
    for header in [
        "0,1,2,3",
        "2019,2020,2021,2022",
        "1100.0,1102.5,1105.0,1107.5",
        "20240101,20240102,20240105,20240109",
        "1e3,2e3,3e3,4e3",
        "\"7\",\"9\",\"4\",\"y\"",
        "\"0.5\",\"0.25\",\"4\",\"1\"",
        "4000,3998,3996,3994",
    ] {
        let data = read_csv(&format!("{header}\n{}", decimals(30, 4))).unwrap();
        let expected: Vec<&str> = header
            .split(',')
            .map(|name| name.trim_matches('"'))
            .collect();
        assert_eq!(names(&data), expected);
        assert_eq!(data.rows(), 30, "{header}");
        assert!(data.named.features && data.named.targets);
    }
    // Row numbers without a name stand before the names.
    let rows: String = decimals(12, 3)
        .lines()
        .enumerate()
        .map(|(i, line)| format!("{i},{line}\n"))
        .collect();
    let data = read_csv(&format!(",0,1,2\n{rows}")).unwrap();
    assert_eq!((names(&data), data.rows()), (vec!["0", "1", "2"], 12));
    // Whole numbers under 0, 1, 2, 3.
    let data = read_csv("0,1,2,3\n5,1,0,2\n4,4,1,0\n3,2,2,1\n").unwrap();
    assert_eq!((names(&data), data.rows()), (vec!["0", "1", "2", "3"], 3));
}

#[test]
fn rows_of_numbers_are_no_names() {
    let spectra = decimals(30, 4);
    for text in [
        "1,2,3\n4,5,6\n7,8,9.5\n".to_string(),
        "1,2\n3,4\n".to_string(),
        spectra.clone(),
        // Rounded to whole numbers here and there.
        "5,3,1,0\n4,3.1,1.5,0\n5,3,1,1\n5.5,2,1,1\n".to_string(),
        // An outlier in one column, and a row that repeats itself.
        format!("900.5,0.5,1.5,2.5\n{spectra}"),
        format!("0,0,0,0\n{spectra}"),
        // Every row counts on.
        (0..9)
            .map(|i| format!("{},{},{}\n", 3 * i + 1, 3 * i + 2, 3 * i + 3))
            .collect(),
    ] {
        let data = read_csv(&text).unwrap();
        assert_eq!(data.rows(), text.lines().count(), "{text}");
        assert!(!data.named.features);
    }
    let text = "0,1,2,3\n0.5,1.5,2.5,3.5\n";
    let options = ReadOptions {
        header: Some(false),
        ..ReadOptions::default()
    };
    assert_eq!(read_csv_with(text, &options).unwrap().rows(), 2);
}

/// Options for a file that is to match the training data with these columns.
fn like(training: &str) -> ReadOptions {
    ReadOptions {
        expected: Some(read_csv(training).unwrap().expected()),
        ..ReadOptions::default()
    }
}

#[test]
fn validation_targets_are_found_by_name() {
    let training = "a,b,y\n1.5,2,3\n4,5,6\n";
    let read = |text: &str| {
        let options = like(training);
        let data = read_csv_with(text, &options)?;
        data.align(options.expected.as_ref().unwrap())
    };
    for text in [
        "a,b,y\n1,2,3\n",
        "y,b,a\n3,2,1\n",
        "a,b,y,visits\n1,2,3,9\n",
        "note,a,y,b\nfine,1,3,2\n",
        "1,2,3\n",
    ] {
        let data = read(text).unwrap();
        assert_eq!(names(&data)[..2], ["a", "b"], "{text}");
        assert_eq!(
            (dense(&data.matrix).2, numbers(&data, 0)),
            (&[1., 2.][..], &[3.][..])
        );
    }
    assert_refused(
        read("a,b,price\n1,2,3\n"),
        &["\"y\"", "target of the training data", "\"price\""],
    );
    assert_refused(read("a,y\n1,3\n"), &["feature \"b\"", "order is free"]);
    // Names that are numbers are the same evidence.
    let options = ReadOptions {
        expected: Some(Expected {
            factors: Vec::new(),
            features: vec!["5".into(), "7".into()],
            targets: vec!["9".into()],
            named: Named {
                features: true,
                targets: true,
            },
        }),
        ..ReadOptions::default()
    };
    let data = read_csv_with("9,7,5\n3,2,1\n4,5,6\n", &options).unwrap();
    assert_eq!((data.rows(), numbers(&data, 0)), (2, &[3.0, 4.0][..]));
}

#[test]
fn several_validation_targets_are_put_in_order() {
    let training = (b"y,z\n1.5,2.5\n".as_slice(), Format::Csv, "y.csv");
    let x = (b"a\n1\n".as_slice(), Format::Csv, "x.csv");
    let expected = parse_pair(x, training, &ReadOptions::default())
        .unwrap()
        .expected();
    let options = ReadOptions {
        expected: Some(expected.clone()),
        ..ReadOptions::default()
    };
    let read = |text: &'static str| {
        let y = (text.as_bytes(), Format::Csv, "yv.csv");
        parse_pair(x, y, &options)?.align(&expected)
    };
    for text in ["z,y\n2,1\n", "z,extra,y\n2,no,1\n", "1,2\n"] {
        let data = read(text).unwrap();
        assert_eq!(target_names(&data), ["y", "z"], "{text}");
        assert_eq!(
            (numbers(&data, 0), numbers(&data, 1)),
            (&[1.0][..], &[2.0][..])
        );
    }
    assert_refused(
        read("z,w\n2,1\n"),
        &["\"y\"", "target of the training data"],
    );
}

#[test]
fn row_numbers_without_a_name_are_left_out() {
    for (name, first) in [("", 0), ("Unnamed: 0", 0), ("\"\"", 1)] {
        let rows: String = (0..20)
            .map(|i| format!("{},{}.5,{}\n", i + first, i % 7, i % 5))
            .collect();
        let text = format!("{name},a,y\n{rows}");
        let data = read_csv(&text).unwrap();
        assert_eq!(names(&data), ["a", "y"]);
        assert_eq!(dense(&data.matrix).2[..3], [0.5, 1.5, 2.5]);
        let kept = ReadOptions {
            keep_index: true,
            ..ReadOptions::default()
        };
        assert_eq!(read_csv_with(&text, &kept).unwrap().feature_names.len(), 2);
        // A column that the options name has its use.
        let named = read_csv_with(&text, &targets(&["0"])).unwrap();
        assert_eq!(numbers(&named, 0)[1], f64::from(1 + first));
    }
    // Of shuffled rows, and of two tables joined.
    for order in [[4, 0, 3, 1, 2, 5], [0, 1, 2, 0, 1, 2]] {
        let rows: String = order.iter().map(|i| format!("{i},1.5,2\n")).collect();
        assert_eq!(
            names(&read_csv(&format!(",a,y\n{rows}")).unwrap()),
            ["a", "y"]
        );
    }
    for column in [
        ["0.5", "1", "2", "3"],
        ["-1", "0", "1", "2"],
        ["1", "1", "1", "1"],
    ] {
        let rows: String = column.iter().map(|v| format!("{v},1.5,2\n")).collect();
        assert_eq!(
            names(&read_csv(&format!(",a,y\n{rows}")).unwrap()),
            ["column1", "a", "y"]
        );
    }
    let y = (b",y\n0,5\n1,6\n2,7\n".as_slice(), Format::Csv, "y.csv");
    let x = (b",a\n0,1\n1,2\n2,3\n".as_slice(), Format::Csv, "x.csv");
    let data = parse_pair(x, y, &ReadOptions::default()).unwrap();
    assert_eq!(
        (names(&data), numbers(&data, 0)),
        (vec!["a", "y"], &[5., 6., 7.][..])
    );
    assert_refused(
        read_csv(",y\n0,5\n1,6\n2,7\n"),
        &["no column is left", "feature"],
    );
}

#[test]
fn labels_that_numbers_would_merge_are_text() {
    let classes = |values: [&str; 3]| {
        let rows: String = values
            .iter()
            .map(|label| format!("1.5,{label}\n"))
            .collect();
        read_csv(&format!("a,label\n{rows}")).unwrap()
    };
    for values in [
        ["1234567890123456781", "1234567890123456782", "5"],
        ["01", "1", "2"],
        ["1e3", "1000", "2"],
    ] {
        assert_eq!(texts(&classes(values), 0), values);
    }
    assert_eq!(numbers(&classes(["1", "1.0", "1.50"]), 0), [1.0, 1.0, 1.5]);
    let svm = read_libsvm("1234567890123456781 1:1\n1234567890123456782 1:2\n").unwrap();
    assert_eq!(
        texts(&svm, 0),
        ["1234567890123456781", "1234567890123456782"]
    );

    // An .npy of int64: two columns, the first one exact in f64.
    let entries: [i64; 4] = [1, 1_234_567_890_123_456_781, 2, 1_234_567_890_123_456_782];
    let header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }";
    let mut bytes = [
        b"\x93NUMPY\x01\0".as_slice(),
        &(header.len() as u16).to_le_bytes(),
    ]
    .concat();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend(entries.iter().flat_map(|entry| entry.to_le_bytes()));
    let data = parse_dataset(&bytes, Format::Npy, "d.npy", &ReadOptions::default()).unwrap();
    assert_eq!(
        texts(&data, 0),
        ["1234567890123456781", "1234567890123456782"]
    );
    assert_eq!(dense(&data.matrix).2, [1.0, 2.0]);
    let data = parse_dataset(&bytes, Format::Npy, "d.npy", &targets(&["0"])).unwrap();
    assert_eq!(numbers(&data, 0), [1.0, 2.0]);
    assert_eq!(
        dense(&data.matrix).2,
        [
            1_234_567_890_123_456_781_i64 as f64,
            1_234_567_890_123_456_782_i64 as f64
        ]
    );
}

#[test]
fn a_quote_without_an_end_is_an_error_where_it_opens() {
    let rows = "1,2,x\n".repeat(40);
    for (text, line, part) in [
        (format!("a,b,label\n1,2,\"x\n{rows}"), 2, "is not closed"),
        (
            format!("a,b,label\n{rows}1,2,\"x\n{rows}3,4,\"y\"\n{rows}"),
            42,
            "inside a field",
        ),
        (
            format!("a,b,label\n{rows}1,2,\"x\n1,2,x\n3,4,y\"\n{rows}"),
            42,
            "whole rows",
        ),
        (format!("a,b,\"label\n{rows}"), 1, "is not closed"),
    ] {
        assert_refused(
            read_csv(&text),
            &[
                &format!("data.csv, line {line}"),
                "a quote opens here",
                part,
            ],
        );
    }
    // Quotes inside fields, doubled quotes and quoted line breaks are text.
    let text =
        "a,note,y\n1,5\"\" pipe,2\n2,\"say \"\"so\"\"\",3\n3,\"two\nlines, \"\"here\"\"\",4\n";
    let options = ReadOptions {
        ignore: vec!["note".into()],
        ..ReadOptions::default()
    };
    assert_eq!(read_csv_with(text, &options).unwrap().rows(), 3);
}

#[test]
fn one_value_per_row_is_told_from_a_header_by_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.csv");
    let read = |text: &str, header: Option<bool>| {
        std::fs::write(&path, text).unwrap();
        read_row_numbers(&path, 3, header)
    };
    for header in [None, Some(true)] {
        assert_eq!(read("0\n1.5\n2\n3\n", header).unwrap(), [1.5, 2.0, 3.0]);
        assert_eq!(read("w\n1\n2\n3\n", header).unwrap(), [1.0, 2.0, 3.0]);
        assert_eq!(
            read(",w\n0,5\n1,6\n2,7\n", header).unwrap(),
            [5.0, 6.0, 7.0]
        );
        assert_eq!(read("1\n2\n3\n", header).unwrap(), [1.0, 2.0, 3.0]);
    }
    assert_eq!(read("7.5\n1\n2\n3\n", Some(true)).unwrap(), [1.0, 2.0, 3.0]);
    // A row too many is no header.
    assert_eq!(read("7.5\n1.25\n2.5\n3.5\n", None).unwrap().len(), 4);
    assert_eq!(read("01\n1e3\n2\n", None).unwrap(), [1.0, 1000.0, 2.0]);
    assert_refused(
        read("1\n2\nx\n", None),
        &["row 3 is \"x\"", "one number per row"],
    );
    let path = folder.path().join("groups.csv");
    std::fs::write(&path, "0\n0\n0\n1\n").unwrap();
    assert_eq!(
        read_labels(&path, 3, &ReadOptions::default()).unwrap(),
        Labels::Numbers(vec![0.0, 0.0, 1.0])
    );
    let labels = read_labels(&path, 4, &ReadOptions::default()).unwrap();
    assert_eq!(labels.len(), 4);
    // Separator, decimal mark and missing values as the options say.
    let options = ReadOptions {
        delimiter: Some(b'/'),
        decimal: Some(Decimal::Comma),
        na: Some(vec!["?".into()]),
        ..ReadOptions::default()
    };
    std::fs::write(&path, "0,5\n1,25\n").unwrap();
    let labels = read_labels(&path, 2, &options).unwrap();
    assert_eq!(labels, Labels::Numbers(vec![0.5, 1.25]));
    std::fs::write(&path, "NA\nK\n").unwrap();
    let labels = read_labels(&path, 2, &options).unwrap();
    assert_eq!(labels, Labels::Text(vec!["NA".into(), "K".into()]));
}

#[test]
fn chosen_columns_are_chosen_in_files_matched_by_position() {
    let only = ReadOptions {
        only: vec!["0".into(), "2".into()],
        ..ReadOptions::default()
    };
    let training = read_csv_with("1.5,8,2,3\n4,9.5,5,6\n7,8.5,1,2\n", &only).unwrap();
    assert_eq!(dense(&training.matrix).2, [1.5, 2., 4., 5., 7., 1.]);
    let options = ReadOptions {
        expected: Some(training.expected()),
        ..only
    };
    let other = read_csv_with("2.5,0,3,1\n3.5,0,4,2\n", &options).unwrap();
    assert_eq!(dense(&other.matrix), (2, 2, &[2.5, 3., 3.5, 4.][..]));
    // A file of the chosen columns alone has no others.
    let other = read_csv_with("2.5,3,1\n3.5,4,2\n", &options).unwrap();
    assert_eq!(dense(&other.matrix), (2, 2, &[2.5, 3., 3.5, 4.][..]));
}

#[test]
fn a_target_under_the_name_0_shows_by_its_rows() {
    let x = decimals(30, 3);
    let x = format!("0,1,2\n{x}");
    let y: String = (0..30).map(|i| format!("{}\n", i % 2)).collect();
    let pair = |y: &str| {
        let x = (x.as_bytes(), Format::Csv, "x.csv");
        parse_pair(
            x,
            (y.as_bytes(), Format::Csv, "y.csv"),
            &ReadOptions::default(),
        )
    };
    let data = pair(&format!("0\n{y}")).unwrap();
    assert_eq!((data.rows(), target_names(&data)), (30, vec!["0"]));
    assert_refused(
        pair(&format!("7\n{y}")),
        &["30 values", "found 31", "--header"],
    );
}

#[test]
fn negative_numbers_are_no_names() {
    for first in ["-3,2,5,7", "3,-1,2,0", "-1,0,1,2"] {
        let data = read_csv(&format!("{first}\n{}", decimals(30, 4))).unwrap();
        assert_eq!(data.rows(), 31, "{first}");
    }
}
