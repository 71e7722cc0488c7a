//! The device under test, opened once for each way of using it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use proxdiff::exec::gpu::{Gpu, GpuOptions, list_adapters};

/// True when this machine has an adapter.
pub fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| !list_adapters().is_empty())
}

/// The first adapter with these options.
pub fn open(options: GpuOptions) -> Arc<Gpu> {
    static OPENED: OnceLock<Mutex<HashMap<String, Arc<Gpu>>>> = OnceLock::new();
    let mut opened = OPENED.get_or_init(Mutex::default).lock().unwrap();
    let gpu = opened
        .entry(format!("{options:?}"))
        .or_insert_with(|| Gpu::open(0, options).unwrap());
    Arc::clone(gpu)
}
