//! dmap: being written.
fn main() {}
