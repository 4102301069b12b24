//! dcat: being written.
fn main() {}
