//! What an object store has already of a run that is published, so that it is not sent again.
//!
//! An object is taken for a file if it has its size and its MD5: the tag of what was sent by one request is the MD5 of
//! the content, of what was sent in parts the MD5 of the MD5s of the parts, with their number behind it. Stores that
//! encrypt with keys of a service, and some that are not AWS's, tag otherwise; there everything is sent.

use std::collections::HashMap;

use md5::{Digest as _, Md5};

use crate::read::lines::hex;
use crate::source::keys::Found;

/// Sizes and tags by key.
#[derive(Debug, Default)]
pub(super) struct There(HashMap<String, (u64, String)>);

impl There {
    pub(super) fn new(found: Vec<Found>) -> Self {
        let tag = |found: &Found| found.version.as_deref().unwrap_or_default().trim_matches('"').to_owned();
        Self(found.into_iter().map(|found| (found.locator.clone(), (found.size, tag(&found)))).collect())
    }

    /// The tag of an object of this size, if it has the form that the sum of so many parts has.
    pub(super) fn tag(&self, key: &str, size: u64, parts: Option<u64>) -> Option<&str> {
        let (_, tag) = self.0.get(key).filter(|(of, _)| *of == size)?;
        let sum = match (tag.split_once('-'), parts) {
            (None, None) => tag,
            (Some((sum, number)), Some(parts)) if number == parts.to_string() => sum,
            _ => return None,
        };
        (sum.len() == 32 && sum.bytes().all(|b| b.is_ascii_hexdigit())).then_some(tag)
    }
}

/// The tag of a content that is sent by one request.
pub(super) fn tag_of(content: &[u8]) -> String {
    hex(&Md5::digest(content))
}

/// The tag of a content that is sent in parts, from its parts.
#[derive(Default)]
pub(super) struct TagOfParts {
    sums: Md5,
    count: u64,
}

impl TagOfParts {
    pub(super) fn part(&mut self, content: &[u8]) {
        self.sums.update(Md5::digest(content));
        self.count += 1;
    }

    pub(super) fn end(self) -> String {
        format!("{}-{}", hex(&self.sums.finalize()), self.count)
    }
}
