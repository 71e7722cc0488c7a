//! Files that are no data: each message says what the file is.

use super::*;

fn refused(name: &str, bytes: &[u8], parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    assert_refused(
        read_dataset(&path, &ReadOptions::default()),
        &[&[name], parts].concat(),
    );
}

#[test]
fn what_is_no_table_is_named() {
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
    let page = b"\n<!DOCTYPE html>\n<html><head><title>a, b</title></head>\n";
    let gzip = bytes_of("idx/images.gz");
    let utf16: Vec<u8> = "a,b,y\n1,2,3\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let workbook = [
        b"PK\x03\x04".as_slice(),
        &[0; 26],
        b"[Content_Types].xml",
        &[1; 40],
    ]
    .concat();
    let parquet = [b"PAR1\x15\x04".as_slice(), &[0; 40]].concat();
    let pickle = b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05numpy".as_slice();
    for name in ["d.csv", "d.svm", "d.npy", "d.npz", "d"] {
        refused(name, lfs, &["Git LFS", "git lfs pull"]);
        refused(name, page, &["HTML", "download the file itself"]);
        refused(name, &workbook, &["workbook", "CSV"]);
        refused(name, pickle, &["pickle", "CSV"]);
        refused(name, &utf16, &["UTF-16", "UTF-8"]);
        refused(name, b"SQLite format 3\0\x10\0\x01", &["SQLite"]);
        refused(name, b"{\"a\": [1, 2], \"y\": [3, 4]}", &["JSON"]);
    }
    for name in ["d.xlsx", "d.parquet", "d.pkl"] {
        refused(name, &workbook, &["workbook"]);
    }
    for name in ["d.csv", "d.svm", "d.npy", "d.npz"] {
        refused(name, &parquet, &["Parquet", "--data-format parquet"]);
    }
    let zstd = b"\x28\xb5\x2f\xfd\x24\x0b".as_slice();
    for name in ["d.npy", "d.npz"] {
        refused(
            name,
            &gzip,
            &["compressed by gzip", "decompress the file first"],
        );
        refused(name, zstd, &["compressed by Zstandard"]);
    }
    for name in ["d.csv", "d.svm"] {
        refused(name, &gzip, &["IDX file", "--data-format idx"]);
        refused(name, zstd, &["Zstandard stream", "copy the file again"]);
    }
    for name in ["d.csv", "d.svm"] {
        refused(
            name,
            &bytes_of("npy/f8_c.npy"),
            &["NumPy array", "--data-format npy"],
        );
        refused(
            name,
            &bytes_of("npz/dense.npz"),
            &["archive of NumPy", "--data-format npz"],
        );
        refused(name, b"1\x002\x00\x01", &["binary"]);
    }
    // Words at the start of a header are no magic numbers.
    let data = read_csv("PAR1,BZh,y\n1,2,3\n").unwrap();
    assert_eq!(data.feature_names, ["PAR1", "BZh"]);
}

#[test]
fn what_is_around_a_table_is_left_out_or_named() {
    let rows = "1.5,2,3\n4,5,6\n7,8,9\n";
    let expected = read_csv(&format!("a,b,y\n{rows}")).unwrap();
    for text in [
        format!("Sales of 2024\na,b,y\n{rows}"),
        format!("Sales of 2024\n\nin euros\na,b,y\n{rows}"),
        format!("# exported\na,b,y\n{rows}"),
        format!("# exported, in 2024\n# by hand\n\na,b,y\n{rows}"),
        format!("sep=;\na;b;y\n{}", rows.replace(',', ";")),
        format!("sep=|\r\na|b|y\r\n{}", rows.replace(',', "|")),
        format!("a|b|y\n{}", rows.replace(',', "|")),
        format!("a  b   y\n{}", rows.replace(',', "  ")),
        format!("  a b y\n{}", rows.replace(',', " ")),
        format!("a;b;y\n{}", rows.replace(',', ";").replace('.', ",")),
        format!("a\tb\ty\n{}", rows.replace(',', "\t").replace('.', ",")),
    ] {
        let data = read_csv(&text).unwrap();
        assert_eq!(data.feature_names, ["a", "b"], "{text}");
        assert_eq!(data.targets, expected.targets, "{text}");
        assert_eq!(data.matrix, expected.matrix, "{text}");
    }
    // Without names too; the line numbers are those of the file.
    let data = read_csv(&rows.replace(',', ";").replace('.', ",")).unwrap();
    assert_eq!(dense(&data.matrix), (3, 2, &[1.5, 2., 4., 5., 7., 8.][..]));
    let decimals = [1.5, 2.5, 2.5, 1.5, 0.5, -1.25];
    let headless = "1,5;2,5;3,5\n2,5;1,5;4,5\n0,5;-1,25;5,5\n";
    let some_whole = "7;2;3\n1,5;2,5;3\n2,5;7,5;4\n";
    for separator in [";", "\t"] {
        let data = read_csv(&headless.replace(';', separator)).unwrap();
        assert_eq!(dense(&data.matrix), (3, 2, &decimals[..]));
        assert_eq!(numbers(&data, 0), [3.5, 4.5, 5.5]);
        let data = read_csv(&some_whole.replace(';', separator)).unwrap();
        assert_eq!(dense(&data.matrix).2, [7., 2., 1.5, 2.5, 2.5, 7.5]);
    }
    // Commas in texts, and semicolons in some, separate as before.
    let data = read_csv("1,2,a;b,3\n4,5,c;d,6\n").unwrap_err().to_string();
    assert!(data.contains("column 3"), "{data}");
    assert_refused(
        read_csv(&format!("Sales\n\na,b,y\n{rows}x,1,2\n")),
        &["line 7, column 1", "\"x\" is not a number"],
    );
    assert_refused(
        read_csv(&format!("Sales, by month\na,b,y\n{rows}")),
        &["line 1", "title", "2 field(s)", "have 3"],
    );
    assert_refused(
        read_csv(&format!("\n\r\nSales, by month\na,b,y\n{rows}")),
        &["line 3", "\"Sales, by month\"", "title"],
    );
    // A header may begin with the mark of a comment.
    let data = read_csv("#a,b,y\n1,2,3\n4,5,6\n").unwrap();
    assert_eq!(data.feature_names, ["#a", "b"]);
    // What may be thousands is not guessed, nor what has both marks.
    for text in ["a;y\n1,234;1\n2,345;2\n", "a;y\n1,5;1\n2.5;2\n"] {
        assert_refused(read_csv(text), &["line 2, column 1", "--decimal"]);
    }
    let comma = ReadOptions {
        decimal: Some(Decimal::Comma),
        ..ReadOptions::default()
    };
    let data = read_csv_with("a;y\n1,234;1\n2,345;2\n", &comma).unwrap();
    assert_eq!(dense(&data.matrix).2, [1.234, 2.345]);
    let data = read_csv_with("a,y\n\"1,25\",1\n\"2,5\",2\n", &comma).unwrap();
    assert_eq!(dense(&data.matrix).2, [1.25, 2.5]);
    for separator in [";", "\t", "|", "  "] {
        let data = read_csv_with(&headless.replace(';', separator), &comma).unwrap();
        assert_eq!(dense(&data.matrix), (3, 2, &decimals[..]), "{separator:?}");
    }
    let data = read_csv_with("\"1,5\",2,\"3,5\"\n\"2,5\",1,\"4,5\"\n", &comma).unwrap();
    assert_eq!(dense(&data.matrix).2, [1.5, 2., 2.5, 1.]);
    // Columns that are in use tell what a comma is, and two in a number separate thousands.
    let text = "id;a;y\n1,5;1,234;1\n2,5;2,345;2\n";
    let data = read_csv(text).unwrap();
    assert_eq!(dense(&data.matrix).2, [1.5, 1.234, 2.5, 2.345]);
    let without_id = ReadOptions {
        ignore: vec!["id".into()],
        ..ReadOptions::default()
    };
    assert_refused(
        read_csv_with(text, &without_id),
        &["line 2, column 2", "\"1,234\"", "--decimal"],
    );
    let text = "id;a;y\n1.5;1,25;1\n2.5;2,5;2\n";
    assert_refused(read_csv(text), &["line 2, column 2", "\"1,25\""]);
    let data = read_csv_with(text, &without_id).unwrap();
    assert_eq!(dense(&data.matrix).2, [1.25, 2.5]);
    assert_refused(
        read_csv("a;b;y\n1,5;1,234,567;1\n2,5;2,345,678;2\n"),
        &["line 2, column 1", "\"1,5\"", "--decimal"],
    );
    let column = parse_vector(b"1\n2\n", Format::Csv, "y.csv").unwrap();
    assert_eq!(column, [1., 2.]);
    let slashes = ReadOptions {
        delimiter: Some(b'/'),
        ..ReadOptions::default()
    };
    let data = read_csv_with("a/y\n1/1\n2/2\n", &slashes).unwrap();
    assert_eq!(data.feature_names, ["a"]);
    let message = read_csv("a,y\n\"1,234,567.5\",1\n")
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("without separators of thousands"),
        "{message}"
    );
    // Labels of several words are one column.
    let x = (b"a\n1\n2\n3\n".as_slice(), Format::Csv, "x.csv");
    let y = (
        b"city\nNew York\nLos Angeles|L.A.\nSan Jose\n".as_slice(),
        Format::Csv,
        "y.csv",
    );
    let data = parse_pair(x, y, &ReadOptions::default()).unwrap();
    assert_eq!(texts(&data, 0)[1], "Los Angeles|L.A.");
}

#[test]
fn sparse_matrices_of_other_forms_are_named() {
    assert_refused(
        read_matrix(&corpus("npz/coo.npz"), &ReadOptions::default()),
        &["coordinates (COO)", "tocsr()"],
    );
}

#[test]
fn a_file_larger_than_memory_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }";
    let mut start = [
        b"\x93NUMPY\x01\0".as_slice(),
        &(header.len() as u16).to_le_bytes(),
    ]
    .concat();
    start.extend_from_slice(header.as_bytes());
    for name in ["huge.npy", "huge.csv", "huge.svm"] {
        let path = folder.path().join(name);
        std::fs::write(&path, &start).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        // A file of 8 TB that takes no place; where the disk refuses it there is nothing to test.
        if file.set_len(start.len() as u64 + 8_000_000_000_000).is_ok() {
            let refused = read_dataset(&path, &ReadOptions::default());
            assert_refused(refused, &[name, "memory", "fewer rows or columns"]);
        }
    }
}

#[test]
fn extents_whose_product_overflows_are_an_error() {
    // No entries, since one extent is zero, and others of any size.
    let mut bytes = vec![0, 0, 0x08, 7];
    for extent in [0u32, 1 << 31, 1 << 31, 1 << 31, 1 << 31, 1 << 31, 1 << 31] {
        bytes.extend(extent.to_be_bytes());
    }
    let parse = |bytes: &[u8]| parse_matrix(bytes, Format::Idx, "d.idx");
    assert_refused(parse(&bytes), &["d.idx", "the array is empty"]);
    bytes[4..8].copy_from_slice(&(1u32 << 31).to_be_bytes());
    assert_refused(parse(&bytes), &["larger than any memory"]);
}
