//! Which algorithms are offered, in which order, and their names in options. Never negotiates.

use std::borrow::Cow;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Preferred, cipher, compression, kex, mac};

/// Ciphers that options may name, in our order of preference: AES-128-GCM is the fastest by far
/// where the processor knows AES, ChaCha20 where it does not.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
];

const MACS: &[mac::Name] =
    &[mac::HMAC_SHA256_ETM, mac::HMAC_SHA512_ETM, mac::HMAC_SHA256, mac::HMAC_SHA512];

const KEY_EXCHANGES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
];

/// Not key exchanges but flags in their list: extension information (RFC 8308) and OpenSSH's strict
/// key exchange (against CVE-2023-48795). Always offered.
const KEY_EXCHANGE_FLAGS: &[kex::Name] = &[
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// Key types for hosts and users. RSA only with SHA-2: SHA-1 signatures are forgeable.
const KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// What is offered when no option says otherwise. No compression: log streams are compressed
/// better, if at all, by who makes them.
pub(crate) fn preferred() -> Preferred {
    Preferred {
        kex: Cow::Owned([KEY_EXCHANGES, KEY_EXCHANGE_FLAGS].concat()),
        key: Cow::Borrowed(KEYS),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: Cow::Borrowed(CIPHERS),
        mac: Cow::Borrowed(MACS),
        compression: Cow::Borrowed(&[compression::NONE]),
    }
}

/// The same, but with host keys of the types `known` (algorithm names) first: a host is then asked
/// for the key that is on record rather than for a better one that is not.
pub(crate) fn preferred_for_host(known: &[String]) -> Preferred {
    let is_known = |algorithm: &Algorithm| {
        let plain = match algorithm {
            Algorithm::Rsa { .. } => Algorithm::Rsa { hash: None },
            other => other.clone(),
        };
        known.iter().any(|name| name == plain.as_str())
    };
    let (first, rest): (Vec<_>, Vec<_>) = KEYS.iter().cloned().partition(is_known);
    Preferred { key: Cow::Owned([first, rest].concat()), ..preferred() }
}

/// What a server offers whose options name key exchanges, ciphers and message authentication codes;
/// an empty list means the default.
pub(crate) fn chosen(
    key_exchanges: &[String],
    ciphers: &[String],
    macs: &[String],
) -> Result<Preferred, String> {
    let mut preferred = preferred();
    if !key_exchanges.is_empty() {
        let mut chosen = select("key exchange", key_exchanges, KEY_EXCHANGES)?;
        chosen.extend_from_slice(KEY_EXCHANGE_FLAGS);
        preferred.kex = Cow::Owned(chosen);
    }
    if !ciphers.is_empty() {
        preferred.cipher = Cow::Owned(select("cipher", ciphers, CIPHERS)?);
    }
    if !macs.is_empty() {
        preferred.mac = Cow::Owned(select("MAC", macs, MACS)?);
    }
    Ok(preferred)
}

fn select<N: AsRef<str> + Copy>(
    what: &str,
    names: &[String],
    known: &[N],
) -> Result<Vec<N>, String> {
    names
        .iter()
        .map(|name| {
            known.iter().find(|candidate| candidate.as_ref() == name).copied().ok_or_else(|| {
                let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
                format!("unknown {what} {name:?}: use one of {}", known.join(", "))
            })
        })
        .collect()
}
