//! dmap as its users run it. It never looks inside.

mod bad_input;
mod differential;
mod documented;
mod ends;
mod formats;
mod forms;
mod generated;
mod merging;
mod outfile;
mod results;
mod terminal;

use dtail_testkit::{Program, Scratch};

/// dmap in a scratch folder.
fn dmap(scratch: &Scratch, arguments: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_dmap"), scratch).args(arguments)
}

/// Lines of DTail's own format.
const STATS: &str = "\
INFO|1002-071143|1|stats.go:56|8|13|7|0.21|471h0m21s|MAPREDUCE:STATS|currentConnections=0|host=a
INFO|1002-071147|1|stats.go:56|8|15|7|0.31|471h0m25s|MAPREDUCE:STATS|currentConnections=2|host=b
WARN|1002-071148|1|disk.go:7|disk nearly full
INFO|1002-071149|1|stats.go:56|8|17|7|0.31|471h0m25s|MAPREDUCE:OTHER|currentConnections=9|host=c
INFO|1002-071150|1|stats.go:56|8|20|7|0.31|471h0m25s|MAPREDUCE:STATS|currentConnections=4|host=b
INFO|1002-071151|1|stats.go:56|8|20|7|0.31|471h0m25s|MAPREDUCE:STATS|host=a
";
