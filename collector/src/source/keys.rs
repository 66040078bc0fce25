//! Flat keys, as archives and object stores have them, as files of a run.

use tg_model::layout::{
    ARCHIVE_FILE, DATASET_DIR, DATASET_FILE, EVENTS_FILE, MACHINE_FILE, NOTES_FILE, RULES_FILE, RUN_FILE,
};
use tg_model::{GroupName, InstanceId, RunId};

use super::{Entry, Listing, Owner, SourceNote, names};

/// The files of a run itself.
const OWN: [&str; 5] = [RUN_FILE, EVENTS_FILE, MACHINE_FILE, NOTES_FILE, RULES_FILE];

/// A key of a flat place.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) key: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) locator: String,
    pub(crate) version: Option<String>,
}

/// Adds every key that belongs to the run; says whether there was any.
///
/// Both layouts are known: `<run>/<group>/<n>/…`, and with the plan in front. What was noted when an archive of ours
/// was made is noted again.
pub(crate) fn sort_out(run: &RunId, found: impl IntoIterator<Item = Found>, listing: &mut Listing) -> bool {
    let mut any = false;
    for Found { key, size, locator, version } in found {
        let Some(below) = below_run(&key, run.as_str().as_bytes()) else { continue };
        any = true;
        let parts: Vec<&[u8]> = below.splitn(3, |&b| b == b'/').collect();
        let text = |part: &[u8]| str::from_utf8(part).ok().map(str::to_owned);
        let owner_and_name = match parts.as_slice() {
            [own] if OWN.iter().any(|name| name.as_bytes() == *own) => text(own).map(|name| (Owner::Run, name)),
            [group, index, file] if !file.is_empty() => text(group)
                .zip(text(index))
                .and_then(|(group, index)| format!("{group}/{index}").parse::<InstanceId>().ok().map(|id| (id, index)))
                .filter(|(id, index)| id.index.to_string() == *index)
                .map(|(id, _)| (Owner::Instance(id), names::safe(file))),
            _ => None,
        };
        let Some((owner, name)) = owner_and_name else {
            if is_collected(&parts) {
                continue;
            }
            let mut text = format!("`{}` belongs to no instance of the run", names::safe(&key));
            if let Some(Err(bad)) =
                parts.first().and_then(|group| str::from_utf8(group).ok()).map(str::parse::<GroupName>)
                && parts.len() == 3
            {
                text = format!("{text}: {bad}");
            }
            listing.notes.push(SourceNote::new("", "not-an-instance", text));
            continue;
        };
        let entry = Entry { owner, name, size, locator, version };
        if parts.get(2).is_some_and(|file| entry.name.as_bytes() != *file) {
            listing.notes.push(SourceNote::new(&entry.path(), "renamed", "its own name is not safe everywhere"));
        }
        listing.entries.push(entry);
    }
    any
}

/// Whether a key is of what an earlier collect put beside the outputs: an archive, or a file of a dataset.
fn is_collected(parts: &[&[u8]]) -> bool {
    match parts {
        [one] => *one == ARCHIVE_FILE.as_bytes(),
        [dir, file] => *dir == DATASET_DIR.as_bytes() && *file == DATASET_FILE.as_bytes(),
        [dir, _, file] => *dir == DATASET_DIR.as_bytes() && file.starts_with(b"part-") && file.ends_with(b".parquet"),
        _ => false,
    }
}

/// What follows the run in a key: the run comes first, or after the plan.
pub(super) fn below_run<'a>(key: &'a [u8], run: &[u8]) -> Option<&'a [u8]> {
    let strip = |key: &'a [u8]| key.strip_prefix(run)?.strip_prefix(b"/");
    strip(key).or_else(|| {
        let slash = memchr::memchr(b'/', key)?;
        strip(&key[slash + 1..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_known_and_strangers_are_noted() {
        let keys = [
            "r1/run.json",
            "dht/r1/g/0/run.out",
            "r1/g/1/a/b.txt",
            "r2/g/0/x",
            "r1/g/01/x",
            "r1/readme",
            "r1/g/2/../x",
        ];
        let found = keys.iter().map(|key| Found {
            key: key.as_bytes().to_vec(),
            size: 1,
            locator: (*key).to_owned(),
            version: None,
        });
        let mut listing = Listing::default();
        assert!(sort_out(&"r1".parse().expect("an id"), found, &mut listing));
        let paths: Vec<String> = listing.entries.iter().map(Entry::path).collect();
        assert_eq!(paths, ["run.json", "g/0/run.out", "g/1/a/b.txt", "g/2/%2E%2E/x"]);
        let reasons: Vec<&str> = listing.notes.iter().map(|note| note.reason.as_str()).collect();
        assert_eq!(reasons, ["not-an-instance", "not-an-instance", "renamed"]);
    }
}
