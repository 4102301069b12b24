//! dgrep: being written.
fn main() {}
