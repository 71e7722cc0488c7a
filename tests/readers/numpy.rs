//! NumPy arrays and archives of them.

use super::*;

#[test]
fn npy_types_and_orders() {
    let default = ReadOptions::default();
    let data = read_dataset(&corpus("npy/f8_c.npy"), &default).unwrap();
    assert_eq!(dense(&data.matrix).2, [0.0, 2.0, 4.0]);
    assert_eq!(numbers(&data, 0), [1.0, 3.0, 5.0]);
    let matrix = |name: &str| read_matrix(&corpus(name), &ReadOptions::default()).unwrap();
    let fortran = matrix("npy/f4_fortran.npy");
    assert_eq!(dense(&fortran), (2, 3, [0., 1., 2., 3., 4., 5.].as_slice()));
    assert_eq!(
        dense(&matrix("npy/bool.npy")),
        (2, 2, [1., 0., 0., 1.].as_slice())
    );
    assert_eq!(dense(&matrix("npy/version_2.npy")).2, [0.0, 1.0, 2.0, 3.0]);
    let vector = |name: &str| read_vector(&corpus(name), &ReadOptions::default()).unwrap();
    assert_eq!(vector("npy/i8_vector.npy"), [-2.0, -1.0, 0.0, 1.0, 2.0]);
    assert_eq!(vector("npy/u2_big_endian.npy"), [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(vector("npy/scalar.npy"), [2.5]);
}

#[test]
fn npy_errors() {
    let refused = |name: &str, parts: &[&str]| {
        assert_refused(
            read_matrix(&corpus(&format!("npy/{name}.npy")), &ReadOptions::default()),
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
        let matrix = read_matrix(&corpus(name), &ReadOptions::default()).unwrap();
        assert_eq!(sparse(&matrix), expected, "{name}");
    }
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
    assert_refused(
        read_vector(&path, &ReadOptions::default()),
        &["a vector is expected"],
    );
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
