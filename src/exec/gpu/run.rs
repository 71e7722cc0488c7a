//! A plan on the device: its jobs, its bindings, its submissions.

use rayon::prelude::*;

use super::page::PageRef;
use super::plan::{Plan, Step};
use super::{GpuExecutor, job};
use crate::error::Result;

/// Dispatches in one submission: enough to hide its cost, few enough that the device starts early.
const SUBMITTED: usize = 256;

impl GpuExecutor {
    /// Runs the dispatches of a plan `times` times.
    pub(super) fn run_plan(&mut self, plan: &Plan, times: usize) -> Result<()> {
        let bytes = plan.job_bytes();
        let enough = self
            .jobs
            .as_ref()
            .is_some_and(|b| b.size() >= bytes.len() as u64);
        if !enough {
            self.jobs = Some(self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("jobs"),
                size: (bytes.len() as u64).next_power_of_two(),
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }));
            self.bind_groups.clear();
        }
        if let Some(jobs) = &self.jobs {
            self.gpu.queue.write_buffer(jobs, 0, &bytes);
        }
        // The rows that the ring's minibatches name, once for all steps of the block.
        let mut ring = None;
        if let Some((design, rows)) = &plan.ring {
            let words = self.uploaded_words.get(rows).cloned().unwrap_or_default();
            let rows = words.par_iter().map(|&row| row as usize);
            ring = Some(self.designs[*design].stream(&self.gpu, rows)?.clone());
        }
        let mut batch: Vec<(&Step, wgpu::BindGroup)> = Vec::new();
        for _ in 0..times {
            for step in &plan.steps {
                let group = match step.page {
                    PageRef::Rows {
                        design,
                        start,
                        rows,
                    } => {
                        // Earlier recordings must see the buffers as they were then.
                        self.submit(&mut batch);
                        let rows = (start..start + rows).into_par_iter();
                        let page = self.designs[design].stream(&self.gpu, rows)?.clone();
                        self.bind(Some(&page), step.resident)
                    }
                    PageRef::Ring(_) => self.bind(ring.as_ref(), step.resident),
                    page => {
                        let key = (page, step.resident);
                        match self.bind_groups.get(&key) {
                            Some(group) => group.clone(),
                            None => {
                                let buffer = match page {
                                    PageRef::Resident { design, page } => {
                                        self.designs[design].pages[page].buffer.clone()
                                    }
                                    _ => None,
                                };
                                let group = self.bind(buffer.as_ref(), step.resident);
                                self.bind_groups.insert(key, group.clone());
                                group
                            }
                        }
                    }
                };
                batch.push((step, group));
                if batch.len() >= SUBMITTED {
                    self.submit(&mut batch);
                }
            }
        }
        self.submit(&mut batch);
        self.gpu.check()
    }

    /// Hands dispatches to the device.
    fn submit(&self, batch: &mut Vec<(&Step, wgpu::BindGroup)>) {
        if batch.is_empty() {
            return;
        }
        let resident = batch.iter().filter(|(step, _)| step.resident).count();
        self.gpu.count_dispatches(batch.len(), resident);
        self.gpu.submit_pass(|pass| {
            for (step, group) in batch.drain(..) {
                pass.set_pipeline(&step.program);
                pass.set_bind_group(0, &group, &[step.job_offset]);
                let [x, y, z] = step.grid;
                pass.dispatch_workgroups(x, y, z);
            }
        });
    }

    /// The bindings of every kernel, with this page of a design.
    fn bind(&self, page: Option<&wgpu::Buffer>, resident: bool) -> wgpu::BindGroup {
        let batch = self.batch();
        let (shared_reals, shared_words) = self.tables();
        let page = page.unwrap_or(shared_reals.buffer());
        let whole = |binding, buffer: &wgpu::Buffer| (binding, buffer.clone());
        let buffers = [
            whole(0, batch.reals.buffer()),
            whole(1, batch.words.buffer()),
            whole(2, shared_reals.buffer()),
            whole(3, shared_words.buffer()),
            whole(4, page),
        ];
        let mut entries: Vec<wgpu::BindGroupEntry<'_>> = buffers
            .iter()
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        if let Some(jobs) = &self.jobs {
            let commands = if resident { job::MAX_COMMANDS } else { 1 };
            entries.push(wgpu::BindGroupEntry {
                binding: 5,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: jobs,
                    offset: 0,
                    size: std::num::NonZeroU64::new((commands * job::JOB_BYTES) as u64),
                }),
            });
        }
        self.gpu
            .device
            .create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &self.gpu.layout,
                entries: &entries,
            })
    }
}
