//! Any bytes as a Parquet file: read or refused, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxdiff::data::readers::{parse_dataset, parse_matrix, parse_pair, parse_vector};
use proxdiff::data::{Format, ReadOptions};

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions::default();
    let file = (bytes, Format::Parquet, "fuzz");
    let _ = parse_dataset(bytes, Format::Parquet, "fuzz", &options);
    let _ = parse_pair(file, file, &options);
    let _ = parse_matrix(bytes, Format::Parquet, "fuzz");
    let _ = parse_vector(bytes, Format::Parquet, "fuzz");
});
