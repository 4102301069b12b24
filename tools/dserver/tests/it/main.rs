//! Tests of dserver as it runs: real processes on the loopback address, OpenSSH's own client as
//! somebody who is not of the family.

mod authentication;
mod bad_input;
mod clients;
mod documented;
mod ends;
mod jobs;
mod legacy;
mod limits;
mod old_client;
mod probes;
mod profiles;
mod searches;
mod subsystem;
mod usage;
