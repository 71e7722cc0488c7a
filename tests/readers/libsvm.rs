//! Sparse text.

use super::*;

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
        assert_refused(read_libsvm(&text), &["data.svm, line 3", what, remedy]);
    }
    assert_refused(
        read_libsvm("1 4000000000:1\n"),
        &["4000000000 columns for 1", "renumber"],
    );
    assert_refused(read_libsvm("# nothing\n\n"), &["no rows"]);
    assert_refused(read_libsvm("1\n-1\n"), &["no row has a feature"]);
    assert_refused(
        parse_dataset(b"1 1:1\n", Format::Libsvm, "data.svm", &targets(&["a"])),
        &["one target", "--y"],
    );
}
