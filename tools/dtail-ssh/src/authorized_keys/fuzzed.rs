//! What the fuzz target calls. Never used by programs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, UNIX_EPOCH};

use super::{Judgement, Offered, parse};
use crate::Certificate;

/// Lines of a file whose keys or certificates are offered.
const MOST_OFFERS: usize = 16;

/// Takes any bytes for a file, offers it its own keys and whatever certificates are in it, and
/// panics if a judgement is not what the lines say.
pub fn fuzzed(data: &[u8]) {
    let keys = parse(data);
    let lines: Vec<usize> = keys.entries.iter().map(|entry| entry.line).collect();
    assert!(lines.is_sorted_by(|before, after| before < after));
    let peers = [IpAddr::from([10, 0, 0, 1]), Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()];
    let certificates: Vec<Certificate> = data
        .split(|byte| *byte == b'\n')
        .filter_map(|line| Certificate::from_openssh(str::from_utf8(line).ok()?).ok())
        .take(MOST_OFFERS)
        .collect();
    for peer in peers.into_iter().chain([Ipv6Addr::LOCALHOST.into()]) {
        // Now and in a thousand years.
        for seconds in [1_795_262_400, 33_000_000_000] {
            let now = UNIX_EPOCH + Duration::from_secs(seconds);
            for entry in keys.entries.iter().take(MOST_OFFERS) {
                let judgement = keys.judge("ann", Offered::Key(&entry.key), peer, now);
                if let Judgement::Accepted { line, expires, .. } = judgement {
                    let is_it = |it: &&super::Entry| it.line == line;
                    let by = keys.entries.iter().find(is_it).expect("it is a line of the file");
                    assert!(by.key == entry.key && expires.is_none_or(|moment| moment > now));
                    assert!(by.options.as_ref().is_ok_and(|options| !options.is_authority));
                }
            }
            for certificate in &certificates {
                let judgement = keys.judge("ann", Offered::Certificate(certificate), peer, now);
                if let Judgement::Accepted { line, .. } = judgement {
                    let by = keys.entries.iter().find(|it| it.line == line);
                    assert!(by.is_some_and(|by| certificate.is_signed_by(&by.key)));
                    assert!(keys.has_authority());
                }
            }
        }
    }
}
