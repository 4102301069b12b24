//! The manners every program of the family shares: reading its arguments the way Go does, exit
//! codes, the configuration file, the environment, accounts, signals, the log file, panics.
//! It never knows what the program does with them.

pub mod accounts;
pub mod argv;
pub mod command_line;
pub mod config;
pub mod environment;
pub mod exit;
pub mod host;
pub mod log;
pub mod panics;
pub mod pipe;
pub mod profiling;
pub mod signals;
