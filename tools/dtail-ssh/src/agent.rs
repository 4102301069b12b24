//! The protocol of an SSH agent (draft-ietf-sshm-ssh-agent), as far as a client needs it: which
//! keys it holds, and signatures. Blocking. Never holds a private key.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use russh::keys::HashAlg;

/// The longest answer that is read; OpenSSH's limit as well.
const ANSWER_LIMIT: usize = 256 << 10;

/// An agent may ask its user for every signature.
const SIGNATURE_TIME: Duration = Duration::from_secs(120);
const LIST_TIME: Duration = Duration::from_secs(10);

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// Where an agent listens.
#[derive(Clone, Debug)]
pub(crate) struct AgentSocket(PathBuf);

impl AgentSocket {
    pub(crate) fn new(path: &Path) -> AgentSocket {
        AgentSocket(path.to_owned())
    }

    /// The keys and certificates that it holds, as SSH blobs.
    pub(crate) fn list(&self) -> io::Result<Vec<Vec<u8>>> {
        let answer = self.ask(&[REQUEST_IDENTITIES], IDENTITIES_ANSWER, LIST_TIME)?;
        let mut rest = answer.as_slice();
        let count = take_u32(&mut rest)?;
        let mut blobs = Vec::new();
        for _ in 0..count {
            blobs.push(take_string(&mut rest)?.to_vec());
            let _comment = take_string(&mut rest)?;
        }
        Ok(blobs)
    }

    /// A signature of `data` by the key `blob`, in SSH's encoding. `hash` is for RSA.
    pub(crate) fn sign(
        &self,
        blob: &[u8],
        data: &[u8],
        hash: Option<HashAlg>,
    ) -> io::Result<Vec<u8>> {
        let flags = match hash {
            Some(HashAlg::Sha256) => RSA_SHA2_256,
            Some(_) => RSA_SHA2_512,
            None => 0,
        };
        let mut request = vec![SIGN_REQUEST];
        put_string(&mut request, blob);
        put_string(&mut request, data);
        request.extend_from_slice(&flags.to_be_bytes());
        let answer = self.ask(&request, SIGN_RESPONSE, SIGNATURE_TIME)?;
        Ok(take_string(&mut answer.as_slice())?.to_vec())
    }

    fn ask(&self, request: &[u8], expected: u8, time: Duration) -> io::Result<Vec<u8>> {
        let mut stream = UnixStream::connect(&self.0)?;
        stream.set_read_timeout(Some(time))?;
        stream.set_write_timeout(Some(LIST_TIME))?;
        let mut message = Vec::with_capacity(request.len() + 4);
        put_string(&mut message, request);
        stream.write_all(&message)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 || length > ANSWER_LIMIT {
            return Err(malformed());
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        if answer.remove(0) == expected {
            Ok(answer)
        } else {
            Err(io::Error::other("the agent refused"))
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the agent's answer is malformed")
}

fn take_u32(rest: &mut &[u8]) -> io::Result<u32> {
    let (number, after) = rest.split_first_chunk().ok_or_else(malformed)?;
    *rest = after;
    Ok(u32::from_be_bytes(*number))
}

fn take_string<'a>(rest: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let length = take_u32(rest)? as usize;
    let (string, after) = rest.split_at_checked(length).ok_or_else(malformed)?;
    *rest = after;
    Ok(string)
}

/// SSH's `string`: length and bytes. Only for what is far below 4 GiB.
pub(crate) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("keys and sessions to sign are short");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
