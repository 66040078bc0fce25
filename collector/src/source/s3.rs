//! Runs in an object store.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::types::EncodingType;
use tg_model::RunId;

use super::keys::{self, Found};
use super::{Body, Entry, Listing, Source, SourceNote, Task, names};
use crate::error::CollectError;
use crate::s3::fetch::Object;
use crate::s3::{FIRST_TRIES, S3, Trouble};

/// Files that are asked for ahead: the store's answer takes a while, and many may be on their way.
const AHEAD: usize = 192;

/// Runs in an object store: `<prefix>/<run>/…`, or with the plan in front.
#[derive(Debug)]
pub struct Objects {
    s3: S3,
    /// Something was read, so that the store lets us in general.
    read_any: AtomicBool,
}

/// What one request lists.
#[derive(Default)]
struct Page {
    found: Vec<Found>,
    folders: Vec<Vec<u8>>,
    next: Option<String>,
    notes: Vec<SourceNote>,
}

impl Objects {
    /// The runs in this part of a store.
    pub fn new(s3: S3) -> Self {
        Self { s3, read_any: AtomicBool::new(false) }
    }

    /// The prefix below which runs lie, with a slash behind it unless it is empty. A place that ends in the run's own
    /// id names the run itself.
    fn base(&self, run: &RunId) -> String {
        let prefix = self.s3.place.prefix.as_str();
        let above = match prefix.strip_suffix(run.as_str()) {
            Some(above) if above.is_empty() || above.ends_with('/') => above.trim_end_matches('/'),
            _ => prefix,
        };
        if above.is_empty() { String::new() } else { format!("{above}/") }
    }

    /// Everything below a prefix.
    pub(crate) async fn below(&self, prefix: &str) -> Result<Vec<Found>, Trouble> {
        Ok(self.listed(prefix, prefix, false).await?.found)
    }

    /// Everything below a prefix; with `folders` only what lies directly in it.
    async fn all(&self, base: &str, prefix: &str, folders: bool) -> Result<Page, CollectError> {
        let listed = self.listed(base, prefix, folders).await;
        listed.map_err(|trouble| self.s3.failed("list the run's files", trouble))
    }

    async fn listed(&self, base: &str, prefix: &str, folders: bool) -> Result<Page, Trouble> {
        let mut all = Page::default();
        let mut token = None;
        let mut tries = FIRST_TRIES;
        loop {
            let page = self.s3.ask_at_most(tries, || self.page(base, prefix, folders, token.clone())).await?;
            tries = 2 * FIRST_TRIES;
            all.found.extend(page.found);
            all.folders.extend(page.folders);
            all.notes.extend(page.notes);
            match page.next {
                Some(next) => token = Some(next),
                None => return Ok(all),
            }
        }
    }

    async fn page(&self, base: &str, prefix: &str, folders: bool, token: Option<String>) -> Result<Page, Trouble> {
        let answer = self
            .s3
            .client
            .list_objects_v2()
            .bucket(&self.s3.place.bucket)
            .prefix(prefix)
            .encoding_type(EncodingType::Url)
            .set_delimiter(folders.then(|| "/".to_owned()))
            .set_continuation_token(token)
            .send()
            .await?;
        let encoded = answer.encoding_type() == Some(&EncodingType::Url);
        let decode = |text: &str| if encoded { unescape(text) } else { text.as_bytes().to_vec() };
        let mut page = Page::default();
        for object in answer.contents() {
            let key = decode(object.key().unwrap_or_default());
            let below = key.strip_prefix(base.as_bytes()).unwrap_or(&key);
            let path = names::safe(key.strip_prefix(prefix.as_bytes()).unwrap_or(&key));
            // Some tools make objects that stand for folders.
            if key.ends_with(b"/") {
                if object.size().is_some_and(|size| size > 0) {
                    let text = "it is called as a folder is, and has content";
                    page.notes.push(SourceNote::new(&path, "not-collected", text));
                }
                continue;
            }
            let Ok(locator) = String::from_utf8(key.clone()) else {
                page.notes.push(SourceNote::new(&path, "bad-name", "its name is not UTF-8"));
                continue;
            };
            page.found.push(Found {
                key: below.to_vec(),
                size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                locator,
                version: object.e_tag().map(str::to_owned),
            });
        }
        page.folders = answer.common_prefixes().iter().filter_map(|folder| Some(decode(folder.prefix()?))).collect();
        page.next = answer.next_continuation_token().filter(|_| answer.is_truncated() == Some(true)).map(str::to_owned);
        Ok(page)
    }

    async fn scan(&self, run: &RunId) -> Result<Listing, CollectError> {
        let base = self.base(run);
        let mut all = self.all(&base, &format!("{base}{run}/"), false).await?;
        if all.found.is_empty() {
            // With the plan in front.
            for folder in self.all(&base, &base, true).await?.folders {
                let Ok(folder) = String::from_utf8(folder) else { continue };
                let below = self.all(&base, &format!("{folder}{run}/"), false).await?;
                all.found.extend(below.found);
                all.notes.extend(below.notes);
            }
        }
        let mut listing = Listing { notes: all.notes, ..Listing::default() };
        if !keys::sort_out(run, all.found, &mut listing) {
            return Err(CollectError::NotFound { run: run.to_string(), place: self.place() });
        }
        names::settle(&mut listing);
        Ok(listing)
    }
}

impl Source for Objects {
    fn place(&self) -> String {
        self.s3.place()
    }

    fn list<'a>(&'a self, run: &'a RunId) -> Task<'a, Listing> {
        Box::pin(self.scan(run))
    }

    fn open<'a>(&'a self, entry: &'a Entry) -> Task<'a, Body> {
        Box::pin(async move {
            let object = Object { key: entry.locator.clone(), size: entry.size, etag: entry.version.clone() };
            match self.s3.open_object(object).await {
                Ok(body) => {
                    self.read_any.store(true, Ordering::Relaxed);
                    Ok(body)
                }
                Err(trouble) if trouble.is_of_one() || self.is_denied_alone(&trouble) => {
                    let path = PathBuf::from(&entry.locator);
                    Err(CollectError::Read { path, source: std::io::Error::other(trouble) })
                }
                Err(trouble) => Err(self.s3.failed(&format!("read `{}`", entry.locator), trouble)),
            }
        })
    }

    fn ahead(&self) -> usize {
        AHEAD
    }
}

impl Objects {
    /// One object may belong to somebody else; where none could be read, we are not let in at all.
    fn is_denied_alone(&self, trouble: &Trouble) -> bool {
        matches!(trouble, Trouble::Denied(_)) && self.read_any.load(Ordering::Relaxed)
    }
}

/// A key as listings encode it: percent signs, and plus signs for spaces.
fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |at: usize| bytes.get(at).and_then(|&b| char::from(b).to_digit(16));
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn keys_are_unescaped() {
        for (text, bytes) in
            [("a/b.txt", &b"a/b.txt"[..]), ("a+b%2Bc%20d", b"a b+c d"), ("%E2%82%AC%ff%zz%2", b"\xe2\x82\xac\xff%zz%2")]
        {
            assert_eq!(unescape(text), bytes, "{text}");
        }
    }
}
