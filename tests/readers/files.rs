//! Pairs of files, vectors, features of a model, and what a path says.

use super::*;

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
    // Text alone looks like a header, and the remedy says so.
    let labels = (&b"cat\ndog\n"[..], Format::Csv, "y.csv");
    let x2 = (&b"1\n2\n"[..], Format::Csv, "x.csv");
    assert_refused(
        parse_pair(x2, labels, &ReadOptions::default()),
        &["2 values", "found 1", "first row of a CSV file is a header"],
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
    let model = Expected {
        factors: Vec::new(),
        features: vec!["a".into(), "b".into()],
        named: Named {
            features: true,
            targets: false,
        },
        ..Expected::default()
    };
    let parse = |text: &str, options: &ReadOptions| {
        parse_features(text.as_bytes(), Format::Csv, "new.csv", &model, options)
    };
    let default = ReadOptions::default();
    let data = parse("name,b,a\nx,2,1\ny,4,3\n", &default).unwrap();
    assert_eq!(data.feature_names, model.features);
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
        &["2 feature columns as in training", "found 3", "no others"],
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
    assert_eq!(
        read_vector(&labels, &ReadOptions::default()).unwrap(),
        [7.0, 0.0, 7.0]
    );
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
    let zipped = write("table.npy.gz", &bytes_of("idx/images.gz")[..8]);
    assert_refused(Format::from_path(&zipped), &["decompress the file first"]);
}

#[test]
fn compressed_text_is_read_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let text = "a,y\n1,2\n3,4\n5,7\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstandard = ruzstd::encoding::compress_to_vec(
        text.as_bytes(),
        ruzstd::encoding::CompressionLevel::Uncompressed,
    );
    let expected = read_csv(text).unwrap();
    for (name, bytes) in [
        ("d.csv.gz", &gzip),
        ("d.tsv.gz", &gzip),
        ("d.csv", &gzip),
        ("d.csv.zst", &zstandard),
        ("d.txt", &zstandard),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let data = read_dataset(&path, &ReadOptions::default()).unwrap();
        assert_eq!(data.matrix, expected.matrix, "{name}");
        assert_eq!(data.targets, expected.targets, "{name}");
        // A stream that ends too early is damaged, and no shorter table.
        std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        assert_refused(
            read_dataset(&path, &ReadOptions::default()),
            &[name, "cannot be decompressed", "copy the file again"],
        );
    }
}

#[test]
fn frames_of_zstandard_are_checked_and_may_be_without_text() {
    let text = "a,y\n1,2\n3,4\n5,7\n";
    // What `zstd --check` writes: a block as it is, and the checksum in the last four bytes.
    let frame = [
        b"\x28\xb5\x2f\xfd\x04\x58\x81\x00\x00".as_slice(),
        text.as_bytes(),
        b"\x8d\x4d\x7a\xc6",
    ]
    .concat();
    let skippable = b"\x5a\x2a\x4d\x18\x03\0\0\0abc".as_slice();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.csv.zst");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read_dataset(&path, &ReadOptions::default())
    };
    let expected = read_csv(text).unwrap();
    for bytes in [
        frame.clone(),
        [skippable, &frame].concat(),
        [&frame[..], skippable].concat(),
    ] {
        assert_eq!(read(&bytes).unwrap().matrix, expected.matrix);
    }
    let twice = read(
        &[
            &frame[..],
            skippable,
            &frame[..9],
            &b"x,z\n1,2\n3,4\n5,9\n"[..],
        ]
        .concat(),
    );
    assert_refused(twice, &["d.csv.zst", "cannot be decompressed"]);
    // A digit of the text is another one.
    let mut damaged = frame.clone();
    damaged[13] = b'8';
    assert_refused(
        read(&damaged),
        &["d.csv.zst", "checksum", "copy the file again"],
    );
    assert_refused(
        read(&[&frame[..], &skippable[..9]].concat()),
        &["d.csv.zst", "cut off", "copy the file again"],
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let of = |format: Format| ReadOptions {
        format: Some(format),
        ..ReadOptions::default()
    };
    let missing = read_dataset(&folder.path().join("no.csv"), &ReadOptions::default());
    assert!(matches!(missing, Err(Error::Io { .. })));
    assert_refused(missing, &["no.csv", "check the path"]);
    assert_refused(
        read_matrix(folder.path(), &of(Format::Npy)),
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
    let data = read_csv_with(text, &options).unwrap().select_rows(&[2, 0]);
    assert_eq!(dense(&data.matrix).2, [3.0, 1.0]);
    assert_eq!(data.weights.as_deref(), Some(&[30.0, 10.0][..]));
    assert_eq!(
        (numbers(&data, 0), texts(&data, 1)),
        (&[7.0, 5.0][..], &["r".to_string(), "p".into()][..])
    );
}
