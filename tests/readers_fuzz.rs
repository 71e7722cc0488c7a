//! Mutated files must be read or refused with a typed error: no panic, no allocation out of
//! proportion to the file. The seeds are the corpus of the fuzz targets in `tests/fuzz`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use proxdiff::data::readers::{
    parse_dataset, parse_features, parse_matrix, parse_pair, parse_vector,
};
use proxdiff::data::{Expected, Format, Named, ReadOptions};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The system's allocator, noting the largest single request of each thread.
struct Watched;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(size: usize) {
    // The cell is gone while its thread ends; nothing is measured then.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(size)));
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// The widest sparse file that is accepted has 2²⁰ feature names of 24 bytes, and a vector that
/// grows to hold them may double.
const LARGEST_ALLOWED: usize = 64 << 20;
const CASES: usize = 2000;

fn corpus(format: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(format);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 5, "{} has too few seeds", folder.display());
    paths
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes)
        })
        .collect()
}

/// One change: flipped bits, another byte, a cut, a repeated or a removed piece, a foreign token.
fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    const TOKENS: [&[u8]; 14] = [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"99999999999999999999",
        b"-1",
        b"nan",
        b"inf",
        b"1e999",
        b",",
        b"\"",
        b"\n",
        b":",
        b"#",
        b"(",
        b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    ];
    if bytes.is_empty() {
        bytes.push(rng.random());
        return;
    }
    let at = rng.random_range(0..bytes.len());
    match rng.next_u32() % 6 {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => bytes.truncate(at),
        3 => {
            let end = rng.random_range(at..bytes.len()).min(at + 64);
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        4 => {
            let end = rng.random_range(at..bytes.len()).min(at + 16);
            bytes.drain(at..end);
        }
        _ => {
            let token = TOKENS[rng.random_range(0..TOKENS.len())];
            let end = if rng.random() {
                (at + token.len()).min(bytes.len())
            } else {
                at
            };
            bytes.splice(at..end, token.iter().copied());
        }
    }
}

/// Reads the bytes in every way; counts the successes.
fn read_all(bytes: &[u8], format: Format) -> usize {
    let model = Expected {
        factors: Vec::new(),
        features: ["x0", "x1"].map(String::from).to_vec(),
        ..Expected::default()
    };
    let validation = ReadOptions {
        expected: Some(Expected {
            factors: Vec::new(),
            targets: vec!["y".into()],
            named: Named {
                features: true,
                targets: true,
            },
            ..model.clone()
        }),
        ..ReadOptions::default()
    };
    let header = ReadOptions {
        header: Some(true),
        targets: vec!["0".into()],
        weights_column: Some("w".into()),
        ..ReadOptions::default()
    };
    let default = ReadOptions::default();
    let file = (bytes, format, "fuzz");
    [
        parse_dataset(bytes, format, "fuzz", &default).is_ok(),
        parse_dataset(bytes, format, "fuzz", &header).is_ok(),
        parse_pair(file, file, &default).is_ok(),
        parse_matrix(bytes, format, "fuzz").is_ok(),
        parse_vector(bytes, format, "fuzz").is_ok(),
        parse_features(bytes, format, "fuzz", &model, &default).is_ok(),
        parse_dataset(bytes, format, "fuzz", &validation).is_ok(),
    ]
    .into_iter()
    .filter(|&ok| ok)
    .count()
}

fn run(folder: &str, format: Format) {
    run_within(folder, format, LARGEST_ALLOWED);
}

fn run_within(folder: &str, format: Format, largest_allowed: usize) {
    let seeds = corpus(folder);
    let mut rng = ChaCha8Rng::seed_from_u64(format as u64);
    let mut accepted = 0;
    for case in 0..CASES {
        let (path, seed) = &seeds[case % seeds.len()];
        let mut bytes = seed.clone();
        // The first round reads the seeds as they are.
        let changes = if case < seeds.len() { 0 } else { 1 + case % 3 };
        for _ in 0..changes {
            mutate(&mut bytes, &mut rng);
        }
        LARGEST.set(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| read_all(&bytes, format)));
        let largest = LARGEST.get();
        let name = path.file_name().unwrap().display();
        let Ok(count) = outcome else {
            panic!("case {case}, from {name}, panics: {bytes:?}")
        };
        assert!(
            largest <= largest_allowed,
            "case {case}, from {name}, asks for {largest} bytes: {bytes:?}"
        );
        accepted += count;
    }
    assert!(accepted > 0, "no case was ever accepted");
}

#[test]
fn mutated_csv_is_read_or_refused() {
    run("csv", Format::Csv);
}

#[test]
fn mutated_npy_is_read_or_refused() {
    run("npy", Format::Npy);
}

#[test]
fn mutated_npz_is_read_or_refused() {
    run("npz", Format::Npz);
}

#[test]
fn mutated_libsvm_is_read_or_refused() {
    run("libsvm", Format::Libsvm);
}

#[test]
fn mutated_idx_is_read_or_refused() {
    run("idx", Format::Idx);
}

/// A page says its size before it is decompressed, at most 2 GiB, for which the decoder takes addresses: memory is
/// used as bytes come.
#[cfg(feature = "parquet")]
const LARGEST_PAGE: usize = 1 << 31;

#[cfg(feature = "parquet")]
#[test]
fn mutated_parquet_is_read_or_refused() {
    run_within("parquet", Format::Parquet, LARGEST_PAGE);
}

#[test]
fn the_watch_sees_a_large_allocation() {
    LARGEST.set(0);
    drop(std::hint::black_box(vec![1u8; LARGEST_ALLOWED + 1]));
    assert!(LARGEST.get() > LARGEST_ALLOWED);
}
