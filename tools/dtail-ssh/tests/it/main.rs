//! The public interface over real loopback connections: both of our ends against each other and
//! each against OpenSSH.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod frozen;
mod hostile;
mod hosts;
mod house;
mod loopback;
mod openssh;
mod pressure;
