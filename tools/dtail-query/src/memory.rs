//! What an allocation costs, roughly. Never asks the allocator.

/// What allocators take for themselves or round up to, per allocation.
const OVERHEAD: usize = 16;

/// Bytes that an allocation of this capacity takes.
pub(crate) fn heap_of(capacity: usize) -> usize {
    if capacity == 0 { 0 } else { capacity + OVERHEAD }
}
