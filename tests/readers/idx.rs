//! MNIST's format.

use super::*;

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
    let matrix = |name: &str| {
        dense(&read_matrix(&corpus(name), &ReadOptions::default()).unwrap())
            .2
            .to_vec()
    };
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
