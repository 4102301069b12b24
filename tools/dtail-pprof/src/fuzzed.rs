//! What the fuzz target calls: it takes any bytes and panics if the crate breaks one of its
//! promises. Never used by programs.

use crate::Profile;

/// Reads the bytes as a profile. What is one stays the same when it is written and read again.
pub fn profiles(data: &[u8]) {
    let Ok(profile) = Profile::decode(data) else { return };
    let mut written = Vec::new();
    profile.encode(&mut written).expect("what was decoded has no reference to nowhere");
    assert_eq!(Profile::decode(&written).as_ref(), Ok(&profile));
}
