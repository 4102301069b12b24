//! What a certificate must be to let a user in (OpenSSH's PROTOCOL.certkeys). Never asks which
//! authorities are trusted.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::HashAlg;
use russh::keys::ssh_key::certificate::CertType;

use super::NO_TOUCH;
use super::patterns::Network;
use crate::{Certificate, PublicKey};

impl Certificate {
    pub(super) fn is_signed_by(&self, authority: &PublicKey) -> bool {
        self.inner().signature_key() == authority.data()
    }

    /// `names` are those of `principals=`; without them the certificate must name the user.
    pub(super) fn check(
        &self,
        user: &str,
        names: Option<&[String]>,
        needs_no_touch: bool,
        peer: IpAddr,
        now: SystemTime,
    ) -> Result<(), String> {
        let certificate = self.inner();
        let id = certificate.key_id();
        if certificate.cert_type() != CertType::User {
            return Err(format!("the certificate {id:?} is for a host, not for a user"));
        }
        let key = self.public_key().map_err(|bad| format!("the certificate {id:?}: {bad}"))?;
        let no_touch = needs_no_touch || certificate.extensions().contains_key("no-touch-required");
        if key.is_security_key() && !no_touch {
            return Err(NO_TOUCH.to_owned());
        }
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if seconds < certificate.valid_after() {
            return Err(format!("the certificate {id:?} is not valid yet"));
        }
        if seconds >= certificate.valid_before() {
            return Err(format!("the certificate {id:?} has expired"));
        }
        let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
        certificate
            .validate_at(seconds, [&authority])
            .map_err(|_| format!("the signature of the certificate {id:?} is wrong"))?;
        // A certificate without principals once meant all users; nobody means that.
        let principals = certificate.valid_principals();
        let is_named = match names {
            Some(names) => principals.iter().any(|principal| names.contains(principal)),
            None => principals.iter().any(|principal| principal == user),
        };
        if !is_named {
            return Err(format!("the certificate {id:?} does not name {user:?}"));
        }
        self.check_critical_options(peer)
    }

    /// Critical by definition: one that is not understood makes the certificate invalid.
    fn check_critical_options(&self, peer: IpAddr) -> Result<(), String> {
        let id = self.key_id();
        for (name, value) in self.inner().critical_options().iter() {
            match name.as_str() {
                "source-address" => {
                    let networks = value.split(',').map(|text| Network::parse(text.trim()));
                    let mut is_listed = false;
                    for network in networks {
                        let network = network.ok().flatten().ok_or_else(|| {
                            format!("the certificate {id:?} has a malformed source-address")
                        })?;
                        is_listed |= network.contains(peer);
                    }
                    if !is_listed {
                        return Err(format!("the certificate {id:?} is not for {peer}"));
                    }
                }
                other => {
                    return Err(format!(
                        "the certificate {id:?} has the critical option {other:?}, which is not \
                         supported here"
                    ));
                }
            }
        }
        Ok(())
    }
}
