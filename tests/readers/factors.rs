//! Columns of text as factors.

use super::*;

const TEXT: &str = "age,city,member,y\n1,Wien,True,2\n2,Graz,False,3\n3,Wien,False,5\n";

fn auto() -> ReadOptions {
    ReadOptions {
        categorical: Categorical::Auto,
        ..ReadOptions::default()
    }
}

fn named(names: &[&str]) -> ReadOptions {
    ReadOptions {
        categorical: Categorical::Named(names.iter().map(ToString::to_string).collect()),
        ..ReadOptions::default()
    }
}

#[test]
fn a_column_of_text_is_a_feature_per_level() {
    let data = read_csv_with(TEXT, &auto()).unwrap();
    assert_eq!(
        data.feature_names,
        ["age", "city=Graz", "city=Wien", "member"]
    );
    let rows = [1., 0., 1., 1., 2., 1., 0., 0., 3., 0., 1., 0.];
    assert_eq!(dense(&data.matrix), (3, 4, &rows[..]));
    let city = Factor {
        name: "city".into(),
        levels: vec!["Graz".into(), "Wien".into()],
    };
    assert_eq!(data.factors, [city]);
    assert_eq!(data.expected().columns(), ["age", "city", "member"]);
    // Numbers are levels where they are named, in the order of numbers; flags are text then.
    let text = "zip,on,y\n900,True,1\n1010,False,2\n900,True,3\n";
    let data = read_csv_with(text, &named(&["zip", "1"])).unwrap();
    assert_eq!(
        data.feature_names,
        ["zip=900", "zip=1010", "on=False", "on=True"]
    );
    // By position.
    let data = read_csv_with("1,a,2\n2,b,3\n3,a,4\n", &auto()).unwrap();
    assert_eq!(data.feature_names, ["x0", "x1=a", "x1=b"]);
    let wide = data.expected();
    let new = b"5,b\n".as_slice();
    let read = parse_features(new, Format::Csv, "new.csv", &wide, &ReadOptions::default());
    assert_eq!(dense(&read.unwrap().matrix).2, [5., 0., 1.]);
}

#[test]
fn other_rows_have_the_levels_of_training() {
    let model = read_csv_with(TEXT, &auto()).unwrap().expected();
    let parse = |text: &str, options: &ReadOptions| {
        parse_features(text.as_bytes(), Format::Csv, "new.csv", &model, options)
    };
    let data = parse(
        "member,city,x,age\nFalse,Graz,abc,7\n",
        &ReadOptions::default(),
    )
    .unwrap();
    assert_eq!(data.feature_names, model.features);
    assert_eq!(dense(&data.matrix), (1, 4, &[7., 1., 0., 0.][..]));
    let unknown = "age,city,member\n1,Wien,True\n1,Linz,True\n";
    assert_refused(
        parse(unknown, &ReadOptions::default()),
        &[
            "new.csv, line 3, column 2 (\"city\")",
            "\"Linz\"",
            "\"Graz\", \"Wien\"",
            "--unknown-levels zeros",
        ],
    );
    let zeros = ReadOptions {
        unknown_levels: UnknownLevels::Zeros,
        ..ReadOptions::default()
    };
    let data = parse(unknown, &zeros).unwrap();
    assert_eq!(dense(&data.matrix).2[4..], [1., 0., 0., 1.]);
    // Numbers of training stay numbers, and every factor must be there.
    assert_refused(
        parse("age,city,member\nold,Wien,True\n", &zeros),
        &["line 2, column 1", "\"old\" is not a number"],
    );
    assert_refused(
        parse("age,member\n1,True\n", &zeros),
        &["feature \"city\" is not among the columns"],
    );
    let options = ReadOptions {
        expected: Some(model.clone()),
        ..auto()
    };
    let data = read_csv_with("city,y,age,member\nGraz,1,2,True\n", &options).unwrap();
    let data = data.align(&model).unwrap();
    assert_eq!(dense(&data.matrix).2, [2., 1., 0., 1.]);
}

#[test]
fn text_that_is_no_factor_is_refused() {
    for (text, parts) in [
        (
            "a,y\n1,2\nred,3\n",
            &[
                "line 3, column 1 (\"a\")",
                "\"red\" is not a number",
                "--drop",
            ][..],
        ),
        (
            "a,b,y\nred,1,2\n7,1,3\n",
            &["line 3, column 1", "\"7\" is a number in a column of text"],
        ),
        ("a,b,y\nred,1,2\n,1,3\n", &["line 3", "missing"]),
        (
            "a,y\n\"1,234\",1\n\"2,345\",2\n",
            &["not a number", "--decimal"],
        ),
    ] {
        assert_refused(read_csv_with(text, &auto()), parts);
    }
    let rows = |level: &dyn Fn(usize) -> String| {
        let rows = (0..120).map(|i| format!("{},{i},{}\n", level(i), i % 7));
        format!("a,b,y\n{}", rows.collect::<String>())
    };
    let many = rows(&|i| format!("level{}", i % 60));
    assert_refused(
        read_csv_with(&many, &auto()),
        &["line 52", "more than 50", "--drop", "--categorical"],
    );
    assert_eq!(
        read_csv_with(&many, &named(&["a"])).unwrap().factors[0]
            .levels
            .len(),
        60
    );
    let few: String = (0..20)
        .map(|i| format!("name{i},{i},{}\n", i % 3))
        .collect();
    assert_refused(
        read_csv_with(&format!("who,b,y\n{few}"), &auto()),
        &["column 1 (\"who\")", "text of its own", "--id"],
    );
    assert_refused(
        read_csv_with(TEXT, &named(&["town"])),
        &["\"town\"", "a factor", "\"city\""],
    );
    assert_refused(
        read_csv_with(TEXT, &named(&["y"])),
        &["column 4 (\"y\")", "no feature"],
    );
    let in_numpy = parse_dataset(
        &bytes_of("npy/f8_c.npy"),
        Format::Npy,
        "d.npy",
        &named(&["0"]),
    );
    assert_refused(in_numpy, &["--categorical", ".csv"]);
    let on_disk = read_dataset(&corpus("npy/f8_c.npy"), &named(&["0"]));
    assert_refused(on_disk, &["f8_c.npy", "--categorical", ".csv"]);
}

#[test]
fn true_and_false_are_numbers_without_factors_too() {
    let data = read_csv("on,b,y\nTrue,1,2\nFALSE,2,3\n").unwrap();
    assert_eq!(dense(&data.matrix).2, [1., 1., 0., 2.]);
    assert!(data.factors.is_empty());
    assert_refused(
        read_csv("on,y\nTrue,2\nmaybe,3\n"),
        &["line 3, column 1", "\"maybe\"", "neither True nor False"],
    );
}

#[test]
fn features_of_one_name_are_refused() {
    let text = "city=Wien,city,y\n1,Wien,2\n3,Graz,4\n";
    assert_refused(
        read_csv_with(text, &auto()),
        &["two features", "\"city=Wien\"", "--drop"],
    );
}

#[test]
fn levels_that_need_more_than_the_memory_are_an_error() {
    // 400 000 rows with a level each are 1.28 TB.
    let rows: String = (0..400_000).map(|i| format!("{i},1,2\n")).collect();
    assert_refused(
        read_csv_with(&format!("id,b,y\n{rows}"), &named(&["id"])),
        &["400000 rows of 400001 features", "memory", "--drop"],
    );
}

#[test]
fn arrays_have_a_column_for_each_level_of_a_model() {
    let model = read_csv_with(TEXT, &auto()).unwrap().expected();
    let rows = [7.0, 1.0, 0.0, 1.0, 8.0, 0.0, 1.0, 0.0];
    let mut array = Vec::new();
    proxdiff::data::readers::write_npy(&mut array, &[2, 4], rows.iter()).unwrap();
    let parse = |bytes: &[u8]| {
        let options = ReadOptions::default();
        parse_features(bytes, Format::Npy, "new.npy", &model, &options)
    };
    let data = parse(&array).unwrap();
    assert_eq!(data.feature_names, model.features);
    assert_eq!(dense(&data.matrix), (2, 4, &rows[..]));
    let mut narrow = Vec::new();
    proxdiff::data::readers::write_npy(&mut narrow, &[1, 3], rows[..3].iter()).unwrap();
    assert_refused(parse(&narrow), &["4 feature columns", "\"city=Graz\""]);
}

#[test]
fn columns_are_left_out_or_chosen() {
    let text = "id,a,b,y\n7,1,2,3\n8,4,5,6\n";
    let only = |names: &[&str]| ReadOptions {
        only: names.iter().map(ToString::to_string).collect(),
        ..ReadOptions::default()
    };
    let data = read_csv_with(text, &only(&["b"])).unwrap();
    assert_eq!(data.feature_names, ["b"]);
    assert_eq!(dense(&data.matrix).2, [2., 5.]);
    assert_refused(read_csv_with(text, &only(&["y"])), &["\"y\"", "two uses"]);
    assert_refused(read_csv_with(text, &only(&["c"])), &["\"c\"", "a feature"]);
    let dropped = ReadOptions {
        ignore: vec!["b".into()],
        ..ReadOptions::default()
    };
    let svm = parse_dataset(b"1 1:2\n", Format::Libsvm, "d.svm", &dropped);
    assert_refused(svm, &["d.svm", "--drop"]);
}

#[test]
fn texts_for_missing_values_may_be_named() {
    let text = "a,y\n1,NA\n2,NA\n3,K\n";
    assert_refused(read_csv(text), &["line 2", "missing", "--na"]);
    let na = |texts: &[&str]| ReadOptions {
        na: Some(texts.iter().map(ToString::to_string).collect()),
        ..ReadOptions::default()
    };
    let data = read_csv_with(text, &na(&["?"])).unwrap();
    assert_eq!(texts(&data, 0), ["NA", "NA", "K"]);
    assert_refused(
        read_csv_with("a,y\n1,2\nunknown,3\n", &na(&["unknown"])),
        &["line 3", "missing (\"unknown\")"],
    );
    assert_refused(read_csv("a,y\n1,2\nNone,3\n"), &["line 3", "missing"]);
}
