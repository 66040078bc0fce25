//! Names of files that instances chose, made safe once at the edge.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;

use super::{Entry, Listing, SourceNote};

/// A part of a path is no longer than this; a longer one is cut and marked.
const LONGEST_PART: usize = 200;
/// A path has no more parts than this.
const MOST_PARTS: usize = 32;
/// A path that is longer than this gets no further part.
const LONGEST_PATH: usize = 1_000;

/// The path as a safe one: what could leave a folder, name a device or not be shown is percent-encoded.
pub(crate) fn safe(path: &[u8]) -> String {
    let mut out = String::new();
    let mut parts = path.split(|&b| b == b'/').enumerate();
    for (number, part) in parts.by_ref() {
        if number > 0 {
            out.push('/');
        }
        out.push_str(&safe_part(part));
        if number + 1 == MOST_PARTS || out.len() > LONGEST_PATH {
            break;
        }
    }
    // What is left becomes a part of the last one.
    let rest: Vec<&[u8]> = parts.map(|(_, part)| part).collect();
    if !rest.is_empty() {
        let last = out.split_off(out.rfind('/').map_or(0, |slash| slash + 1));
        out.push_str(&shortened(last + "%2F" + &safe_part(&rest.join(&b'_'))));
    }
    out
}

fn encode(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push('%');
        for digit in [byte >> 4, byte & 15] {
            out.extend(char::from_digit(u32::from(digit), 16).map(|digit| digit.to_ascii_uppercase()));
        }
    }
}

fn safe_part(part: &[u8]) -> String {
    let mut out = String::with_capacity(part.len());
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
    if out.is_empty() {
        return "%".to_owned();
    }
    // Some systems drop dots and spaces at the end, so that the name would be another one there.
    let end = out.split_off(out.trim_end_matches(['.', ' ']).len());
    encode(&mut out, end.as_bytes());
    if tg_model::ids::is_device(&out) {
        let rest = out.split_off(1);
        let first = std::mem::take(&mut out);
        encode(&mut out, first.as_bytes());
        out.push_str(&rest);
    }
    shortened(out)
}

fn shortened(mut part: String) -> String {
    if part.len() > LONGEST_PART {
        part.truncate(part.floor_char_boundary(LONGEST_PART - 1));
        part.push('~');
    }
    part
}

/// The one spelling of all that some system takes for the same name: capitals and small letters, and letters that are
/// one sign or several.
fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfd().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfd().collect()
}

/// Sorts the entries and makes their paths unique wherever they are unpacked; what had to be renamed is noted.
pub(crate) fn settle(listing: &mut Listing) {
    listing.entries.sort_by(|a, b| a.key().cmp(&b.key()).then_with(|| a.locator.cmp(&b.locator)));
    let wanted: Vec<String> = listing.entries.iter().map(|entry| owner_prefix(entry) + &folded(&entry.name)).collect();
    // A store may have a file `a` beside a file `a/b`; no folder can.
    let folders: BTreeSet<&str> =
        wanted.iter().flat_map(|path| path.match_indices('/').map(|(slash, _)| &path[..slash])).collect();
    // The names that tg knows are written small: nobody takes one from whoever writes it so.
    let (small, others): (Vec<usize>, Vec<usize>) =
        (0..wanted.len()).partition(|&at| wanted[at] == listing.entries[at].path());
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for at in small.into_iter().chain(others) {
        let (entry, wanted) = (&mut listing.entries[at], &wanted[at]);
        let name = entry.name.clone();
        let mut path = wanted.clone();
        let mut again = 1_u32;
        while folders.contains(path.as_str()) || !taken.insert(path) {
            again += 1;
            entry.name = numbered(&name, again);
            path = owner_prefix(entry) + &folded(&entry.name);
        }
        if again > 1 {
            let text = format!(
                "another file or folder is called `{}{name}` as well, on some system at least; this file is kept as `{}`",
                owner_prefix(entry),
                entry.path()
            );
            listing.notes.push(SourceNote::new(&entry.path(), "renamed", text));
        }
    }
    listing.entries.sort_by(|a, b| a.key().cmp(&b.key()));
    listing.notes.sort();
}

/// The name with a number at its end. It is no longer than names are, so that nothing is cut when the archive is read.
fn numbered(name: &str, number: u32) -> String {
    let end = format!("~{number}");
    let most = name.rfind('/').map_or(0, |slash| slash + 1) + LONGEST_PART - end.len();
    format!("{}{end}", &name[..name.floor_char_boundary(most)])
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
        let cases: [(&[u8], &str); 15] = [
            (b"a/b.txt", "a/b.txt"),
            (b"../x", "%2E%2E/x"),
            (b"./x", "%2E/x"),
            (b"/etc/passwd", "%/etc/passwd"),
            (b"a\\..\\b", "a%5C..%5Cb"),
            (b"c:x", "c%3Ax"),
            (b"NUL.txt", "%4EUL.txt"),
            (b"nul .txt", "%6Eul .txt"),
            ("COM\u{b9}".as_bytes(), "%43OM\u{b9}"),
            (b"aux.", "aux%2E"),
            (b"...", "%2E%2E%2E"),
            (b"a. /b", "a%2E%20/b"),
            (b"null", "null"),
            (b"a\nb\xff", "a%0Ab%FF"),
            ("größe".as_bytes(), "größe"),
        ];
        for (name, want) in cases {
            assert_eq!(safe(name), want);
        }
        assert!(safe(&[b'x'; 5000]).len() <= LONGEST_PART);
        assert!(safe(&b"d/".repeat(3000)).len() < 1000);
    }

    fn entry(name: &str, locator: &str) -> Entry {
        Entry {
            owner: Owner::Instance("g/0".parse().expect("an id")),
            name: name.to_owned(),
            size: 0,
            locator: locator.to_owned(),
            version: None,
        }
    }

    #[test]
    fn a_name_is_given_once() {
        let cases: [(&[&str], &[&str]); 6] = [
            (&["stdout.log", "stdout.log"], &["stdout.log", "stdout.log~2"]),
            // What tg knows by its name keeps it.
            (&["RUN.OUT", "Run.out", "run.out"], &["RUN.OUT~2", "Run.out~3", "run.out"]),
            (&["gro\u{df}", "gro\u{df}~2", "GROSS"], &["GROSS", "gro\u{df}~2", "gro\u{df}~2~2"]),
            (&["k\u{fc}hl", "ku\u{308}hl"], &["ku\u{308}hl", "k\u{fc}hl~2"]),
            (&["a", "a/b", "A/b", "a/B/c"], &["A/b~3", "a/B/c", "a/b~2", "a~2"]),
            (&["d", "d~2/x", "d/x"], &["d/x", "d~2/x", "d~3"]),
        ];
        for (given, wanted) in cases {
            let entries = given.iter().enumerate().map(|(at, name)| entry(name, &at.to_string())).collect();
            let mut listing = Listing { entries, notes: Vec::new() };
            settle(&mut listing);
            let names: Vec<&str> = listing.entries.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(names, wanted);
            assert!(listing.notes.iter().all(|note| note.reason == "renamed"));
            let renamed = listing.entries.iter().filter(|entry| !given.contains(&entry.name.as_str())).count();
            assert!(listing.notes.len() >= renamed && !listing.notes.is_empty(), "{:?}", listing.notes);
        }
        let long = format!("d/{}", "x".repeat(LONGEST_PART));
        let mut listing = Listing { entries: vec![entry(&long, "a"), entry(&long, "b")], notes: Vec::new() };
        settle(&mut listing);
        for kept in &listing.entries {
            assert_eq!(safe(kept.name.as_bytes()), kept.name, "a name in an archive stays as it is");
        }
        let mut listing = Listing { entries: vec![entry("x", "b"), entry("x", "a")], notes: Vec::new() };
        settle(&mut listing);
        let found: Vec<&str> = listing.entries.iter().map(|entry| entry.locator.as_str()).collect();
        assert_eq!(found, ["a", "b"], "the first place at the source keeps its name");
    }
}
