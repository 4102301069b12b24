//! SSH, both ends: keys, agent, known hosts, authorized keys, channels as byte streams. The only
//! crate that names russh. It never knows what the bytes mean.

mod agent;
mod algorithms;
pub mod authorized_keys;
mod channels;
mod client;
mod endpoint;
mod files;
mod host_key;
mod identities;
mod keys;
mod known_hosts;
mod server;
mod stream;
mod transport;
mod wildcard;

pub use client::{
    ChannelError, ClientOptions, ConnectError, ConnectErrorKind, Connection, Trust, UnknownHost,
    connect,
};
pub use endpoint::Endpoint;
pub use host_key::{HostKey, KeyFileError, generate_key_pair};
pub use identities::{Agent, Identities, IdentityOptions};
pub use keys::{BadKey, Certificate, PublicKey};
pub use known_hosts::{HostTrust, KnownHosts};
pub use server::{
    Attempt, ChannelKind, Credential, Judge, Login, LoginError, LoginErrorKind, Server,
    ServerChannel, ServerOptions,
};
pub use stream::{ByteReader, ByteStream, ByteWriter};
