//! The global allocator: mimalloc, which counts for a thread that asks it to.
//!
//! A wrapper that always counts, in atomics that all threads share, would cost most where most is allocated and so bend
//! the very ratios that are measured. `mockalloc` counts for one thread between two calls and asks every other
//! thread for one look at a thread-local flag; reallocations pass through to mimalloc. It is small, has no dependencies
//! and has not changed for years; `stats_alloc`, `allocation-counter` and `dhat` count always, count for the
//! system allocator only, or take a lock. This module is the one place that knows it.

use mimalloc::MiMalloc;
use mockalloc::Mockalloc;

#[global_allocator]
static GLOBAL: Mockalloc<MiMalloc> = Mockalloc(MiMalloc);

/// What a piece of work did to the heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    /// Allocations, a reallocation being one.
    pub(crate) allocations: u64,
    /// Bytes asked for, a reallocation asking for its whole new size.
    pub(crate) allocated: u64,
    /// Bytes given back.
    pub(crate) freed: u64,
}

impl Count {
    /// Bytes that outlived the work; none if it gave back more than it took.
    pub(crate) fn live(&self) -> u64 {
        self.allocated.saturating_sub(self.freed)
    }
}

/// Counts what `work` does on this thread.
///
/// Work on other threads does not count, so asynchronous work belongs on a runtime of this thread alone.
pub(crate) fn count(work: impl FnOnce()) -> Count {
    let info = mockalloc::record_allocs(work);
    Count { allocations: info.num_allocs(), allocated: info.mem_allocated(), freed: info.mem_freed() }
}
