//! Writes a large profile, to measure readers with: `large FILE MEGABYTES`. It looks like a long
//! recording of a server: many stacks that share most of their frames.

use std::error::Error;
use std::fs::File;
use std::io::BufWriter;

use dtail_pprof::{Function, Line, Location, Profile, Sample, ValueType};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("which file?")?;
    let megabytes: usize = arguments.next().ok_or("how many megabytes?")?.parse()?;
    let mut random = fastrand::Rng::with_seed(1);
    let functions = (0..20_000).map(|at| Function {
        name: format!("crate_{}::module_{}::function_{at}", at % 50, at % 700).into(),
        system_name: format!("_R{at}").into(),
        file: format!("src/module_{}.rs", at % 700).into(),
        start_line: 1,
    });
    let locations = (0..60_000).map(|at| Location {
        mapping: None,
        address: 0x40_0000 + 7 * at,
        lines: (0..=at % 3)
            .map(|_| Line { function: random.u32(..20_000), line: random.i64(1..2000) })
            .collect(),
    });
    let mut profile = Profile {
        sample_types: vec![
            ValueType::new("samples", "count"),
            ValueType::new("cpu", "nanoseconds"),
        ],
        functions: functions.collect(),
        locations: locations.collect(),
        period: 10_000_000,
        ..Profile::default()
    };
    // A stack takes about 33 bytes, compressed.
    let mut stack: Vec<u32> = (0..20).map(|_| random.u32(..60_000)).collect();
    for _ in 0..megabytes * 31_000 {
        // The leaf is first, and what changes is near it.
        let changed = random.usize(1..20);
        for place in &mut stack[..changed] {
            *place = random.u32(..60_000).min(random.u32(..60_000)).min(random.u32(..60_000));
        }
        let count = random.i64(1..9);
        let values = vec![count, count * 10_000_000];
        profile.samples.push(Sample { locations: stack.clone(), values, labels: Vec::new() });
    }
    profile.encode(&mut BufWriter::new(File::create(path)?))?;
    Ok(())
}
