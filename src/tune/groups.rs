//! Groups of tasks, each of which is kept as a whole.

use std::ops::Range;

/// The fewest tasks of a group, where there are that many: below it looking a group up takes longer than its fits.
const FEWEST: usize = 32;
/// The most groups: as many processes share a batch.
const MOST: usize = 16;

/// Tasks in a row, dealt into groups of nearly one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Groups {
    tasks: usize,
}

impl Groups {
    /// Those of so many tasks.
    pub(super) fn of(tasks: usize) -> Self {
        Self { tasks }
    }

    /// The number of tasks.
    pub(super) fn tasks(self) -> usize {
        self.tasks
    }

    /// The number of groups, which no thread decides.
    pub(super) fn count(self) -> usize {
        (self.tasks / FEWEST).clamp(1, MOST)
    }

    /// The tasks of a group.
    pub(super) fn range(self, group: usize) -> Range<usize> {
        let begin = |group: usize| group * self.tasks / self.count();
        begin(group)..begin(group + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_in_one_group() {
        for tasks in [0, 1, 31, 32, 63, 64, 97, 511, 512, 513, 10_000] {
            let groups = Groups::of(tasks);
            let all = (0..groups.count()).flat_map(|group| groups.range(group));
            assert!(all.eq(0..tasks), "{tasks}");
            assert!(groups.count() <= MOST && groups.count() * FEWEST <= tasks.max(FEWEST));
        }
    }
}
