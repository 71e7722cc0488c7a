//! A saved model is loaded; a file that is no model, or not one model, is refused.

use super::*;

fn model(targets: usize, classes: usize) -> Model {
    let names: Vec<String> = (0..classes).map(|k| format!("c{k}")).collect();
    let target = |at: usize| TargetModel {
        name: format!("t{at}"),
        classes: (classes > 1).then(|| names.clone()),
        l1: 0.1,
        l2: 0.01,
        relax: None,
        intercept: vec![0.25; classes],
        objective: Some(1.0 / 3.0),
        support: 2,
        residual: Some(1e-15),
        duality_gap: None,
        status: "converged".into(),
    };
    let entry = |at: usize| 0.1 * (at as f64 + 1.0) / 3.0;
    Model {
        schema: Model::SCHEMA,
        version: "test".into(),
        source: "memory".into(),
        loss: "squared".into(),
        huber_delta: None,
        tweedie_power: None,
        penalty: "elastic-net".into(),
        intercept: true,
        standardize: true,
        rows: 5,
        feature_names: vec!["a".into(), "b".into(), "c".into()],
        offset: None,
        missing: None,
        factors: Vec::new(),
        features_are_named: Some(true),
        coefficients_digest: None,
        targets: (0..targets).map(target).collect(),
        coefficients: vec![(0..3 * classes).map(entry).collect(); targets],
    }
}

#[test]
fn what_is_saved_is_loaded_to_the_bit() {
    for (targets, classes) in [(1, 1), (2, 1), (1, 3), (2, 2)] {
        let directory = tempfile::tempdir().unwrap();
        let model = model(targets, classes);
        model.save(directory.path(), "--out").unwrap();
        let model = Model {
            coefficients_digest: Some(digest(model.coefficients.iter().flatten())),
            ..model
        };
        assert_eq!(Model::load(directory.path()).unwrap(), model);
        assert_eq!(Model::load(&directory.path().join(HEAD)).unwrap(), model);
    }
}

/// Coefficients as NumPy writes an array in Fortran order, under the name that they belong to.
fn write_in_fortran_order(path: &Path, shape: &[u64], values: &[f64]) {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut array = options
        .order(npyz::Order::Fortran)
        .writer(&mut bytes)
        .begin_nd()
        .unwrap();
    array.extend(values).unwrap();
    array.finish().unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn the_order_of_an_array_is_read_and_its_shape_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let [head, path] = Model::files(directory.path());
    // Two targets, three features, two classes: the values count in C order.
    let mut model = model(2, 2);
    model.coefficients = vec![
        (0..6).map(f64::from).collect(),
        (6..12).map(f64::from).collect(),
    ];
    model.save(directory.path(), "--out").unwrap();
    // As numpy.arange(12).reshape(2, 3, 2).flatten(order="F").
    let turned = [0., 6., 2., 8., 4., 10., 1., 7., 3., 9., 5., 11.];
    let text = std::fs::read_to_string(&head).unwrap();
    let digest = text
        .lines()
        .find(|line| line.contains("coefficients_digest"));
    for text in [text.clone(), text.replace(digest.unwrap(), "")] {
        std::fs::write(&head, text).unwrap();
        write_in_fortran_order(&path, &[2, 3, 2], &turned);
        let found = Model::load(directory.path()).unwrap().coefficients;
        assert_eq!(found, model.coefficients);
        for shape in [&[2, 2, 3][..], &[3, 4], &[12], &[2, 6]] {
            let mut bytes = Vec::new();
            write_npy(&mut bytes, shape, model.coefficients.iter().flatten()).unwrap();
            std::fs::write(&path, bytes).unwrap();
            let message = Model::load(directory.path()).unwrap_err().to_string();
            assert!(message.contains("its shape is"), "{message}");
        }
    }
}

#[test]
fn a_head_goes_with_its_own_coefficients_alone() {
    let directory = tempfile::tempdir().unwrap();
    let [head, path] = Model::files(directory.path());
    let (old, mut new) = (model(1, 1), model(1, 1));
    new.coefficients[0][1] += 1e-12;
    new.targets[0].intercept = vec![7.0];
    old.save(directory.path(), "--out").unwrap();
    let old_coefficients = std::fs::read(&path).unwrap();
    new.save(directory.path(), "--out").unwrap();
    let new_coefficients = std::fs::read(&path).unwrap();
    std::fs::write(&path, &old_coefficients).unwrap();
    let message = Model::load(directory.path()).unwrap_err().to_string();
    assert!(
        message.contains("not the file that model.json was written with"),
        "{message}"
    );

    // Where a process was ended between the names of the two files, the new ones lie beside it.
    let left = directory.path().join(".coefficients.npy.99-0.unfinished");
    std::fs::write(&left, &new_coefficients).unwrap();
    let loaded = Model::load(directory.path()).unwrap();
    assert_eq!(loaded.coefficients, new.coefficients);
    assert_eq!(loaded.targets, new.targets);
    new.save(directory.path(), "--out").unwrap();
    assert!(!left.exists());

    // Models saved before there were digests are read as they are.
    let text = std::fs::read_to_string(&head).unwrap();
    let digest = text
        .lines()
        .find(|line| line.contains("coefficients_digest"));
    std::fs::write(&head, text.replace(digest.unwrap(), "")).unwrap();
    Model::load(directory.path()).unwrap();
}

#[test]
fn a_model_that_cannot_be_replaced_stays() {
    let directory = tempfile::tempdir().unwrap();
    let [head, path] = Model::files(directory.path());
    let old = model(1, 1);
    old.save(directory.path(), "--out").unwrap();
    let text = std::fs::read_to_string(&head).unwrap();
    // A folder in the place of the coefficients cannot be replaced by a file.
    let kept = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir_all(path.join("full")).unwrap();
    let mut new = old.clone();
    new.targets[0].intercept = vec![7.0];
    assert!(new.save(directory.path(), "--out").is_err());
    assert_eq!(std::fs::read_to_string(&head).unwrap(), text);
    std::fs::remove_dir_all(&path).unwrap();
    std::fs::write(&path, kept).unwrap();
    let loaded = Model::load(directory.path()).unwrap();
    assert_eq!(loaded.targets, old.targets);
}

#[test]
fn damaged_and_newer_models_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let head = directory.path().join(HEAD);
    let refused = |part: &str| {
        let message = Model::load(directory.path()).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    refused("name the directory of a saved model");

    model(1, 1).save(directory.path(), "--out").unwrap();
    let text = std::fs::read_to_string(&head).unwrap();
    std::fs::write(&head, text.replace("\"schema\": 1", "\"schema\": 4")).unwrap();
    refused("model schema 4");
    std::fs::write(&head, "{}").unwrap();
    refused("no schema number");
    std::fs::write(&head, "{").unwrap();
    refused("not a model of proxdiff");
    std::fs::write(&head, text.replace("0.25", "0.25, 0.5")).unwrap();
    refused("2 intercepts");
    let three = text.replace("\"classes\": null", r#""classes": ["a", "b", "c"]"#);
    std::fs::write(&head, three).unwrap();
    refused("the classes of target 't0'");
    std::fs::write(&head, text.replace("\"a\",", "")).unwrap();
    refused("3 values for 1 target(s) of 2 features");
    std::fs::write(&head, &text).unwrap();

    let coefficients = directory.path().join(COEFFICIENTS);
    let bytes = std::fs::read(&coefficients).unwrap();
    std::fs::write(&coefficients, &bytes[..bytes.len() - 1]).unwrap();
    refused("coefficients.npy");
    std::fs::write(&coefficients, b"junk").unwrap();
    refused("coefficients.npy");
    std::fs::remove_file(&coefficients).unwrap();
    refused("restore the file");
}

#[cfg(unix)]
#[test]
fn a_reader_waits_while_the_files_get_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let [_, path] = Model::files(directory.path());
    let model = model(1, 1);
    model.save(directory.path(), "--out").unwrap();
    let whole = std::fs::read(&path).unwrap();
    let writer = File::open(directory.path()).unwrap();
    writer.lock().unwrap();
    std::fs::remove_file(&path).unwrap();
    let loaded = std::thread::scope(|scope| {
        let reader = scope.spawn(|| Model::load(directory.path()));
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::fs::write(&path, whole).unwrap();
        writer.unlock().unwrap();
        reader.join().unwrap()
    });
    assert_eq!(loaded.unwrap().coefficients, model.coefficients);
}
