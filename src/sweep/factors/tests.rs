//! Sums of squares in place of rows: the sums, files, and what is no part.

use super::*;

fn rows(n: usize, seed: u64) -> Rows {
    let mut state = seed;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
    };
    // The third column does not vary, and the others are far from zero.
    let row = |next: &mut dyn FnMut() -> f64| [next() + 100.0, 3.0 * next(), 7.25];
    let values: Vec<f64> = (0..n).flat_map(|_| row(&mut next)).collect();
    Rows {
        matrix: Matrix::Dense(Dense {
            rows: n,
            columns: 3,
            values,
        }),
        targets: vec![(0..n).map(|_| next()).collect()],
        weights: Some((0..n).map(|i| (i % 3) as f64).collect()),
        offset: None,
    }
}

fn names() -> (Vec<String>, Vec<String>) {
    (["a", "b", "c"].map(String::from).into(), vec!["y".into()])
}

fn factors(n: usize, seed: u64) -> Factors {
    let (features, targets) = names();
    let folds: Vec<i64> = (0..n as i64).map(|i| i % 4 - 1).collect();
    Factors::of(features, targets, &rows(n, seed), &folds).unwrap()
}

/// Σ s (1, x, y)(1, x, y)ᵀ.
fn sums(rows: &Rows, is_own: impl Fn(usize) -> bool) -> Vec<f64> {
    let Matrix::Dense(matrix) = &rows.matrix else {
        panic!("dense");
    };
    let mut sums = vec![0.0; 25];
    for i in (0..matrix.rows).filter(|&i| is_own(i)) {
        let x = matrix.row(i);
        let row = [1.0, x[0], x[1], x[2], rows.targets[0][i]];
        let weight = rows.weights.as_ref().unwrap()[i];
        for a in 0..5 {
            for b in 0..5 {
                sums[5 * a + b] += weight * row[a] * row[b];
            }
        }
    }
    sums
}

#[test]
fn few_rows_have_the_sums_of_all() {
    for n in [400, 9] {
        let all = rows(n, 5);
        for fold in &factors(n, 5).folds {
            let expected = sums(&all, |i| (i % 4) as i64 - 1 == fold.number);
            let found = sums(&fold.few, |_| true);
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0));
            }
            let Matrix::Dense(few) = &fold.few.matrix else {
                panic!("dense");
            };
            assert!(few.rows <= 5 && (0..few.rows).all(|i| few.row(i)[2] == 7.25));
        }
    }
}

#[test]
fn files_are_read_back_and_joined() {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = ["1", "2"].map(|name| folder.path().join(name)).into();
    factors(40, 1).write(&paths[0]).unwrap();
    factors(60, 2).write(&paths[1]).unwrap();
    assert_eq!(Factors::read(&paths[0]).unwrap(), factors(40, 1));
    let joined = Joined::read(&paths).unwrap();
    assert_eq!((joined.rows, joined.few.matrix.rows()), (100, 40));
    let (first, second) = (rows(40, 1), rows(60, 2));
    let expected = sums(&first, |_| true);
    let expected = expected
        .iter()
        .zip(sums(&second, |_| true))
        .map(|(a, b)| a + b);
    for (found, expected) in sums(&joined.few, |_| true).iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0));
    }
}

#[test]
fn what_is_no_part_of_the_same_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [first, other] = ["1", "2"].map(|name| folder.path().join(name));
    let good = factors(40, 1);
    good.write(&first).unwrap();
    let mut columns = good.clone();
    columns.features[1] = "z".into();
    let mut folds = factors(40, 2);
    folds.folds.pop();
    let bytes = good.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let newer = text.replace("factors 1\n", "factors 2\n").into_bytes();
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (bytes, message) in [
        (columns.to_bytes(), "it has \"z\" where"),
        (folds.to_bytes(), "its folds are [0, 1]"),
        (bytes.clone(), "the same rows as"),
        (newer, "another version"),
        (flipped, "damaged"),
        (bytes[..bytes.len() - 8].to_vec(), "damaged"),
        (bytes[..30].to_vec(), "damaged"),
        (b"a,b,c\n1,2,3\n".to_vec(), "no sufficient statistics"),
        (Vec::new(), "no sufficient statistics"),
    ] {
        std::fs::write(&other, bytes).unwrap();
        let paths = [first.clone(), other.clone()];
        let error = Joined::read(&paths).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    assert!(Joined::read(&[]).is_err());
    assert!(Joined::read(&[folder.path().join("none")]).is_err());
}

#[test]
fn any_damage_is_refused() {
    let mut good = factors(40, 1);
    good.features[2] = "d".into();
    let bytes = good.to_bytes();
    assert_eq!(Factors::of_bytes(&bytes).as_ref(), Ok(&good));
    let refused = |bytes: &[u8], what: &str| {
        let error = Factors::of_bytes(bytes).unwrap_err();
        assert_eq!(error.0, "it is damaged or cut off", "{what}");
    };
    let ends: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] == b'\n').collect();
    let (start, end) = (ends[0] + 1, ends[1]);
    let text = std::str::from_utf8(&bytes[start..end]).unwrap();
    let with = |header: &str, numbers: &[u8]| {
        let head = [&bytes[..start], header.as_bytes(), b"\n"].concat();
        [&head, numbers].concat()
    };
    let numbers = &bytes[end + 1..];
    // The digest stays.
    for (from, to) in [
        (r#""kept":5"#, r#""kept":4"#),
        (r#""number":1"#, r#""number":7"#),
        (r#""rows":10"#, r#""rows":11"#),
        (r#"["a","b","d"]"#, r#"["b","a","d"]"#),
        (r#"["y"]"#, r#"["z"]"#),
        (r#""digest":""#, r#""digest":"0"#),
        (r#""digest""#, r#""other""#),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        refused(&with(&text.replacen(from, to, 1), numbers), from);
    }
    for at in [0, numbers.len() / 2, numbers.len() - 1] {
        let mut flipped = numbers.to_vec();
        flipped[at] ^= 1;
        refused(&with(text, &flipped), "a bit");
    }
    // The digest is right, and what it is of does not fit together.
    let header: Value = serde_json::from_str(text).unwrap();
    let anew = |change: &dyn Fn(&mut Value), numbers: &[u8]| {
        let mut header = header.clone();
        header.as_object_mut().unwrap().remove(DIGEST);
        change(&mut header);
        header[DIGEST] = digest(&header, numbers).into();
        with(&header.to_string(), numbers)
    };
    assert_eq!(anew(&|_| {}, numbers), bytes);
    let more = |count: usize| [numbers, &vec![0; count]].concat();
    refused(&anew(&|_| {}, &more(8)), "a number more");
    refused(&anew(&|_| {}, &more(3)), "bytes more");
    refused(&anew(&|_| {}, &numbers[..numbers.len() - 8]), "one less");
    for (fold, number) in [(1, -1), (2, 0), (0, 3)] {
        let change = |header: &mut Value| header["folds"][fold]["number"] = number.into();
        refused(&anew(&change, numbers), "the order of folds");
    }
}
