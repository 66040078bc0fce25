//! A source with the user's rules beside the run's files, so that the archive has them.

use std::io::Cursor;

use sha2::{Digest as _, Sha256};
use tg_model::RunId;
use tg_model::layout::RULES_FILE;

use super::Rules;
use crate::read::lines::hex;
use crate::source::{Body, Entry, Listing, Owner, Source, Task};

/// A source, and rules for what it has. They replace those that it has itself.
pub(crate) struct WithRules<'a> {
    pub(crate) inner: &'a dyn Source,
    pub(crate) rules: &'a Rules,
}

fn is_rules(entry: &Entry) -> bool {
    entry.owner == Owner::Run && entry.name == RULES_FILE
}

impl Source for WithRules<'_> {
    fn place(&self) -> String {
        self.inner.place()
    }

    fn list<'a>(&'a self, run: &'a RunId) -> Task<'a, Listing> {
        Box::pin(async move {
            let mut listing = self.inner.list(run).await?;
            listing.entries.retain(|entry| !is_rules(entry));
            listing.entries.push(Entry {
                owner: Owner::Run,
                name: RULES_FILE.to_owned(),
                size: self.rules.text().len() as u64,
                locator: String::new(),
                version: Some(hex(&Sha256::digest(self.rules.text()))),
            });
            listing.entries.sort_by(|a, b| a.key().cmp(&b.key()));
            Ok(listing)
        })
    }

    fn open<'a>(&'a self, entry: &'a Entry) -> Task<'a, Body> {
        if is_rules(entry) {
            let text = self.rules.text().to_owned();
            return Box::pin(async move { Ok(Box::new(Cursor::new(text)) as Body) });
        }
        self.inner.open(entry)
    }

    fn ahead(&self) -> usize {
        self.inner.ahead()
    }
}
