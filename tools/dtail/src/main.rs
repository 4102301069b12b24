//! dtail: being written.
fn main() {}
