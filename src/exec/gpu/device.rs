//! Adapters and the opened device: what it can do, its compiled programs, and its failures.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::counters::Clock;
use super::program::{Storage, Sums};
use super::{AdapterSummary, GpuOptions};
use crate::control::lock;
use crate::error::{DeviceFault, Error, Result};

/// An opened device.
#[derive(Debug)]
pub struct Gpu {
    /// Its description.
    pub summary: AdapterSummary,
    /// The options of executors on it.
    pub options: GpuOptions,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) limits: wgpu::Limits,
    /// The largest subgroup.
    pub(super) subgroup_size: u32,
    /// The smallest subgroup.
    pub(super) least_subgroup_size: u32,
    features: wgpu::Features,
    programs: Mutex<HashMap<String, Arc<wgpu::ComputePipeline>>>,
    pub(super) pool: Mutex<Vec<wgpu::Buffer>>,
    pub(super) clock: Clock,
    fault: Arc<Mutex<Option<(DeviceFault, String)>>>,
}

/// The features that kernels can make use of.
const WANTED: [(wgpu::Features, &str); 3] = [
    (wgpu::Features::SHADER_F16, "f16"),
    (wgpu::Features::SUBGROUP, "subgroups"),
    (wgpu::Features::TIMESTAMP_QUERY, "timestamps"),
];

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
}

fn adapters() -> Vec<wgpu::Adapter> {
    let mut adapters = pollster::block_on(instance().enumerate_adapters(wgpu::Backends::PRIMARY));
    // Hardware first, so that index 0 is the best; otherwise as the system lists them.
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

/// The demands of cooperative products on a device.
const COOPERATIVE: wgpu::Features = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::SUBGROUP);

/// Bytes of workgroup memory of `shaders/cooperative_product.wgsl`.
const COOPERATIVE_STORAGE: u32 = 2 * (2048 + 2048) + 4 * 4096 + 4;

/// True where 16 × 16 matrices of f16 are multiplied into sums in f32.
fn has_cooperative_products(adapter: &wgpu::Adapter) -> bool {
    use wgpu::wgt::CooperativeScalarType::{F16, F32};
    adapter.features().contains(COOPERATIVE)
        && adapter.limits().max_compute_workgroup_storage_size >= COOPERATIVE_STORAGE
        && adapter.cooperative_matrix_properties().iter().any(|shape| {
            let sizes = [shape.m_size, shape.n_size, shape.k_size];
            sizes == [16; 3] && (shape.ab_type, shape.cr_type) == (F16, F32)
        })
}

fn summarize(index: usize, adapter: &wgpu::Adapter) -> AdapterSummary {
    let (info, limits) = (adapter.get_info(), adapter.limits());
    let features = adapter.features();
    AdapterSummary {
        index,
        name: info.name,
        backend: info.backend.to_string(),
        driver: format!("{} {}", info.driver, info.driver_info)
            .trim()
            .to_owned(),
        software: info.device_type == wgpu::DeviceType::Cpu,
        max_buffer: limits.max_buffer_size,
        max_binding: limits.max_storage_buffer_binding_size,
        features: WANTED
            .iter()
            .filter(|(feature, _)| features.contains(*feature))
            .map(|&(_, name)| name)
            .chain(has_cooperative_products(adapter).then_some("cooperative-matrix"))
            .collect(),
    }
}

/// All adapters of this machine, hardware first.
#[must_use]
pub fn list_adapters() -> Vec<AdapterSummary> {
    adapters()
        .iter()
        .enumerate()
        .map(|(index, adapter)| summarize(index, adapter))
        .collect()
}

fn missing(what: impl Into<String>) -> Error {
    Error::device(
        DeviceFault::Missing,
        what,
        "list the devices with `proxdiff devices`, install a Vulkan driver, or use --device cpu",
    )
}

impl Gpu {
    /// Opens the adapter with this place in [`list_adapters`].
    ///
    /// # Errors
    /// [`DeviceFault::Missing`] where there is none, or it cannot be opened.
    pub fn open(index: usize, options: GpuOptions) -> Result<Arc<Self>> {
        let adapters = adapters();
        let Some(adapter) = adapters.get(index) else {
            return Err(missing(if adapters.is_empty() {
                "no GPU adapter was found".to_owned()
            } else {
                format!("there is no adapter {index}: {} were found", adapters.len())
            }));
        };
        Self::open_adapter(adapter, summarize(index, adapter), options)
    }

    /// Opens the device once more, after it was lost.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub fn reopen(&self) -> Result<Arc<Self>> {
        Self::open(self.summary.index, self.options)
    }

    /// A device of wgpu's noop backend: it checks every call and computes nothing.
    ///
    /// # Errors
    /// When the backend is not compiled in.
    pub fn noop(options: GpuOptions) -> Result<Arc<Self>> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::NOOP;
        descriptor.backend_options.noop = wgpu::NoopBackendOptions {
            enable: true,
            ..Default::default()
        };
        let instance = wgpu::Instance::new(descriptor);
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::NOOP));
        let adapter = adapters
            .first()
            .ok_or_else(|| missing("the noop backend is not in this build"))?;
        Self::open_adapter(adapter, summarize(0, adapter), options)
    }

    fn open_adapter(
        adapter: &wgpu::Adapter,
        summary: AdapterSummary,
        options: GpuOptions,
    ) -> Result<Arc<Self>> {
        let usable =
            wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY;
        let mut features = adapter.features() & usable;
        let mut experimental_features = wgpu::ExperimentalFeatures::disabled();
        if options.cooperative_products {
            if !has_cooperative_products(adapter) {
                return Err(Error::unsupported(
                    format!(
                        "products in f16 on {}: it has no matrix units for them",
                        summary.name
                    ),
                    "leave products in f32, or choose a device that `proxdiff devices` lists with \
                     cooperative-matrix",
                ));
            }
            features |= COOPERATIVE;
            // SAFETY: the one experimental feature is cooperative matrices, whose single user,
            // shaders/cooperative_product.wgsl, loads and stores whole matrices inside arrays of
            // workgroup memory that hold them, in control flow that is uniform in a subgroup.
            experimental_features = unsafe { wgpu::ExperimentalFeatures::enabled() };
        }
        let limits = adapter.limits();
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("proxdiff"),
            required_features: features,
            required_limits: limits.clone(),
            experimental_features,
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        }))
        .map_err(|error| missing(format!("{} cannot be opened: {error}", summary.name)))?;
        let fault: Arc<Mutex<Option<(DeviceFault, String)>>> = Arc::default();
        let note = |fault: &Arc<Mutex<Option<(DeviceFault, String)>>>, kind, what: String| {
            log::debug!("device: {what}");
            fault
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert((kind, what));
        };
        let seen = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let kind = match &error {
                wgpu::Error::OutOfMemory { .. } => DeviceFault::OutOfMemory,
                _ => DeviceFault::Invalid,
            };
            note(&seen, kind, error.to_string());
        }));
        let seen = Arc::clone(&fault);
        device.set_device_lost_callback(move |reason, what| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                note(&seen, DeviceFault::Lost, what);
            }
        });
        let layout = bind_group_layout(&device);
        Ok(Arc::new(Self {
            summary,
            options,
            device,
            queue,
            layout,
            limits,
            subgroup_size: adapter.get_info().subgroup_max_size,
            least_subgroup_size: adapter.get_info().subgroup_min_size,
            features,
            programs: Mutex::default(),
            pool: Mutex::default(),
            clock: Clock::default(),
            fault,
        }))
    }

    /// Loses the device on purpose: for tests of what happens then.
    #[doc(hidden)]
    pub fn lose(&self) {
        self.device.destroy();
        self.note_fault(DeviceFault::Lost, "the device was destroyed");
    }

    fn note_fault(&self, kind: DeviceFault, what: &str) {
        lock(&self.fault).get_or_insert((kind, what.to_owned()));
    }

    /// The failure that was seen since the last call, as an error.
    ///
    /// # Errors
    /// The fault; out-of-memory is forgotten once told, a lost device stays lost.
    pub fn check(&self) -> Result<()> {
        let mut fault = lock(&self.fault);
        let Some((kind, what)) = fault.clone() else {
            return Ok(());
        };
        if kind != DeviceFault::Lost {
            *fault = None;
        }
        Err(self.fault_error(kind, &what))
    }

    pub(super) fn fault_error(&self, kind: DeviceFault, what: &str) -> Error {
        let name = &self.summary.name;
        let remedy = match kind {
            DeviceFault::Lost => {
                "run it again; if it happens again, update the driver, give it less at once \
                 (fewer points), or use --device cpu"
            }
            DeviceFault::OutOfMemory => {
                "free memory of the device, give it less at once, or use --device cpu"
            }
            DeviceFault::Invalid => "update the driver, or use --device cpu",
            DeviceFault::Missing => "use --device cpu",
        };
        let what = match kind {
            DeviceFault::Lost => format!("{name} was lost: {what}"),
            DeviceFault::OutOfMemory => format!("{name} is out of memory: {what}"),
            DeviceFault::Invalid => format!("{name} refused a kernel or a call: {what}"),
            DeviceFault::Missing => format!("{name}: {what}"),
        };
        Error::device(kind, what, remedy)
    }

    /// The way entries of a design are stored under these options.
    #[must_use]
    pub fn storage(&self) -> Storage {
        let native =
            self.features.contains(wgpu::Features::SHADER_F16) && !self.options.without_native_f16;
        match (self.options.half_design, native) {
            (false, _) => Storage::F32,
            (true, true) => Storage::NativeF16,
            (true, false) => Storage::PackedF16,
        }
    }

    /// The way teams add up under these options.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let subgroups = self.features.contains(wgpu::Features::SUBGROUP);
        if subgroups && !self.options.without_subgroups {
            Sums::Subgroup
        } else {
            Sums::Workgroup
        }
    }

    /// True where passes can be timed on the device.
    #[must_use]
    pub fn has_timestamps(&self) -> bool {
        self.features.contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// The most bytes that one buffer, bound whole, may have.
    #[must_use]
    pub fn buffer_limit(&self) -> u64 {
        let limit = self
            .limits
            .max_storage_buffer_binding_size
            .min(self.limits.max_buffer_size);
        match self.options.buffer_limit {
            0 => limit,
            asked => asked.min(limit),
        }
    }

    /// The most trips through loops that one invocation may take in a dispatch: a software driver
    /// stops counting at 65 535, and a watchdog wants an end too.
    #[must_use]
    pub fn trip_limit(&self) -> usize {
        if self.summary.software {
            60_000
        } else {
            4_000_000
        }
    }

    /// A compiled program; compiled at its first use, with `constants` for its overrides.
    ///
    /// # Errors
    /// [`DeviceFault::Invalid`] with what the compiler says.
    pub(super) fn program(
        &self,
        name: &str,
        constants: &[(&str, f64)],
        text: impl FnOnce() -> String,
    ) -> Result<Arc<wgpu::ComputePipeline>> {
        self.kept(format!("{name} {constants:?}"), name, text, |module| {
            let layout = self
                .device
                .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: Some(name),
                    bind_group_layouts: &[Some(&self.layout)],
                    immediate_size: 0,
                });
            self.create(name, module, Some(&layout), constants)
        })
    }

    /// A program with bindings of its own, in the layout that is given, or else as its module says.
    pub(super) fn program_of_its_own(
        &self,
        name: &str,
        layout: Option<&wgpu::PipelineLayout>,
        text: impl FnOnce() -> String,
    ) -> Result<Arc<wgpu::ComputePipeline>> {
        self.kept(name.to_owned(), name, text, |module| {
            self.create(name, module, layout, &[])
        })
    }

    /// The program that is kept under a key; where there is none, one that is made of a module of this text.
    fn kept(
        &self,
        key: String,
        name: &str,
        text: impl FnOnce() -> String,
        create: impl FnOnce(&wgpu::ShaderModule) -> wgpu::ComputePipeline,
    ) -> Result<Arc<wgpu::ComputePipeline>> {
        if let Some(program) = lock(&self.programs).get(&key) {
            return Ok(Arc::clone(program));
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let module = self
            .device
            .create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(text().into()),
            });
        let program = create(&module);
        self.finish_program(scope, name)?;
        let program = Arc::new(program);
        lock(&self.programs).insert(key, Arc::clone(&program));
        Ok(program)
    }

    fn create(
        &self,
        name: &str,
        module: &wgpu::ShaderModule,
        layout: Option<&wgpu::PipelineLayout>,
        constants: &[(&str, f64)],
    ) -> wgpu::ComputePipeline {
        self.device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(name),
                layout,
                module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants,
                    // Every kernel writes workgroup memory before it reads it.
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            })
    }

    fn finish_program(&self, scope: wgpu::ErrorScopeGuard, name: &str) -> Result<()> {
        match pollster::block_on(scope.pop()) {
            None => self.check(),
            Some(error) => {
                let what = format!("the program `{name}` does not compile: {error}");
                Err(self.fault_error(DeviceFault::Invalid, &what))
            }
        }
    }
}

/// The bindings of `shaders/lib/layout.wgsl`.
fn bind_group_layout(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let entry = |binding, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset,
            min_binding_size: None,
        },
        count: None,
    };
    let storage = |binding, read_only| {
        entry(
            binding,
            wgpu::BufferBindingType::Storage { read_only },
            false,
        )
    };
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("arenas, design and job"),
        entries: &[
            storage(0, false),
            storage(1, false),
            storage(2, true),
            storage(3, true),
            storage(4, true),
            entry(5, wgpu::BufferBindingType::Uniform, true),
        ],
    })
}
