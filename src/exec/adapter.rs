//! Graphics devices as an outsider sees them: what can be said of one, and how it is to be used.

/// The description of an adapter, without opening it.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterSummary {
    /// Its place in the list, which `--device` takes.
    pub index: usize,
    /// The name that its driver gives.
    pub name: String,
    /// Vulkan, Metal, DX12.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// True for a software rasteriser.
    pub software: bool,
    /// The largest buffer, in bytes.
    pub max_buffer: u64,
    /// The largest binding, in bytes.
    pub max_binding: u64,
    /// Features that kernels can use: `f16`, `subgroups`, `timestamps`, `cooperative-matrix`.
    pub features: Vec<&'static str>,
}

/// Options of an executor on a device; the default lets it choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GpuOptions {
    /// The storage of the dense design.
    pub half_design: bool,
    /// Matrix or resident regime.
    pub regime: Regime,
    /// Products with the dense design by the device's matrix units (tensor cores), in the matrix
    /// regime: both factors are rounded to f16, 2⁻¹¹ of every entry, and entries past 65 504 become
    /// infinite; sums are f32. Too coarse for a fixed point to 1e-5: with refinement only, and never
    /// the default.
    pub cooperative_products: bool,
    /// The largest tile of the product at every size: for tests of it.
    pub large_tiles: bool,
    /// Never use subgroup operations.
    pub without_subgroups: bool,
    /// Never use the device's own f16.
    pub without_native_f16: bool,
    /// Bytes that one buffer may have; 0 for the device's limit.
    pub buffer_limit: u64,
    /// Bytes of a page of the dense design; 0: as large as a binding may be.
    pub page_limit: u64,
    /// Bytes of a dense design that stay on the device; a larger one is streamed from the host. 0: as
    /// many as fit.
    pub design_limit: u64,
    /// A guard row after every buffer, checked by
    /// `GpuExecutor::check_guards`.
    pub guards: bool,
}

/// The two ways of running a recording on a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Regime {
    /// By the planner's rule.
    #[default]
    Auto,
    /// A dispatch per command, products of the dense design over the whole batch.
    Matrix,
    /// A workgroup keeps its problems and replays the whole recording.
    Resident,
}
