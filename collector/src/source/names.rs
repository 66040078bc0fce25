//! Names of files that instances chose, made safe once at the edge.

use std::collections::BTreeSet;

use super::{Entry, Listing, SourceNote};

/// A part of a path is no longer than this; a longer one is cut and marked.
const LONGEST_PART: usize = 200;
/// A path has no more parts than this.
const MOST_PARTS: usize = 32;

/// Names that some systems take for devices, whatever follows the first dot.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The path as a safe one: what could leave a folder, name a device or not be shown is percent-encoded.
pub(crate) fn safe(path: &[u8]) -> String {
    let parts: Vec<&[u8]> = path.split(|&b| b == b'/').collect();
    let (keep, rest) = parts.split_at(parts.len().min(MOST_PARTS));
    let mut out: Vec<String> = keep.iter().map(|part| safe_part(part)).collect();
    if let Some(last) = out.last_mut()
        && !rest.is_empty()
    {
        last.push_str("%2F");
        last.push_str(&safe_part(&rest.join(&b'_')));
        last.truncate(last.floor_char_boundary(LONGEST_PART));
    }
    out.join("/")
}

fn safe_part(part: &[u8]) -> String {
    let mut out = String::with_capacity(part.len());
    let encode = |out: &mut String, bytes: &[u8]| {
        for byte in bytes {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    };
    for chunk in part.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || matches!(c, '\\' | ':' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
                encode(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                out.push(c);
            }
        }
        encode(&mut out, chunk.invalid());
    }
    let stem = out.split('.').next().unwrap_or_default().to_ascii_lowercase();
    if out.is_empty() {
        return "%".to_owned();
    }
    if out == "." || out == ".." || DEVICES.contains(&stem.as_str()) {
        let first = out.remove(0);
        let mut encoded = String::new();
        encode(&mut encoded, first.encode_utf8(&mut [0; 4]).as_bytes());
        out.insert_str(0, &encoded);
        if out == "%2E." {
            "%2E%2E".clone_into(&mut out);
        }
    }
    if out.len() > LONGEST_PART {
        out.truncate(out.floor_char_boundary(LONGEST_PART - 1));
        out.push('~');
    }
    out
}

/// Sorts the entries and makes their paths unique; what had to be renamed is noted.
pub(crate) fn settle(listing: &mut Listing) {
    listing.entries.sort_by(|a, b| a.key().cmp(&b.key()).then_with(|| a.locator.cmp(&b.locator)));
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for entry in &mut listing.entries {
        let wanted = entry.path();
        let mut again = 1;
        while !taken.insert(entry.path()) {
            again += 1;
            entry.name = format!("{}~{again}", wanted.strip_prefix(&owner_prefix(entry)).unwrap_or(&wanted));
        }
        if again > 1 {
            let text = format!("another file is called `{wanted}` as well; this one is kept as `{}`", entry.path());
            listing.notes.push(SourceNote::new(&entry.path(), "renamed", text));
        }
    }
    listing.entries.sort_by(|a, b| a.key().cmp(&b.key()));
    listing.notes.sort();
}

fn owner_prefix(entry: &Entry) -> String {
    match &entry.owner {
        super::Owner::Run => String::new(),
        super::Owner::Instance(id) => format!("{id}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Owner;

    #[test]
    fn names_cannot_leave_their_folder() {
        let cases: [(&[u8], &str); 9] = [
            (b"a/b.txt", "a/b.txt"),
            (b"../x", "%2E%2E/x"),
            (b"./x", "%2E/x"),
            (b"/etc/passwd", "%/etc/passwd"),
            (b"a\\..\\b", "a%5C..%5Cb"),
            (b"c:x", "c%3Ax"),
            (b"NUL.txt", "%4EUL.txt"),
            (b"a\nb\xff", "a%0Ab%FF"),
            ("größe".as_bytes(), "größe"),
        ];
        for (name, want) in cases {
            assert_eq!(safe(name), want);
        }
        assert!(safe(&[b'x'; 5000]).len() <= LONGEST_PART);
        assert!(safe(&b"d/".repeat(3000)).len() < 1000);
    }

    #[test]
    fn a_name_is_given_once() {
        let entry = |locator: &str| Entry {
            owner: Owner::Instance("g/0".parse().expect("an id")),
            name: "stdout.log".to_owned(),
            size: 0,
            locator: locator.to_owned(),
            version: None,
        };
        let mut listing = Listing { entries: vec![entry("b"), entry("a")], notes: Vec::new() };
        settle(&mut listing);
        let names: Vec<_> = listing.entries.iter().map(|e| (e.name.as_str(), e.locator.as_str())).collect();
        assert_eq!(names, [("stdout.log", "a"), ("stdout.log~2", "b")]);
        assert_eq!(listing.notes[0].reason, "renamed");
    }
}
