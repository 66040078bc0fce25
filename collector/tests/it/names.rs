//! Names that instances chose: whatever they are, what leaves the archive stays in its folder, and nothing is lost
//! without a note.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use proptest::prelude::*;
use tg_collector::{CollectOptions, Folder, Source, TarFile, ZipFile};

use crate::accounting::{open, prove};
use crate::home::{Home, RUN, collect};

/// Parts of paths that somebody might choose, with or without thinking.
const PARTS: &[&str] = &[
    "",
    ".",
    "..",
    "...",
    "a",
    "A",
    "a ",
    "a.",
    "b",
    "run.out",
    "Run.out",
    "stdout.log",
    "nul",
    "NUL.txt",
    "con .log",
    "aux",
    "c:",
    "c:\\x",
    "..\\..\\x",
    "\\\\host\\share",
    "~",
    "%2E%2E",
    "%",
    "a~2",
    "k\u{fc}hl",
    "ku\u{308}hl",
    "gro\u{df}",
    "GROSS",
    "\u{202e}txt.exe",
    "tab\there",
    "line\nbreak",
    "run.json",
    "notes.ndjson",
    "\u{1f600}",
    "COM\u{b9}",
];

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => proptest::sample::select(PARTS).prop_map(str::to_owned),
        1 => "[^/\0]{1,12}",
        1 => "[a-z]{190,230}",
        1 => (198_usize..203, "[.~ ]{0,2}").prop_map(|(long, end)| "x".repeat(long) + &end),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => proptest::collection::vec(part(), 1..5),
        1 => proptest::collection::vec(part(), 30..50),
    ]
    .prop_map(|parts| parts.join("/"))
}

/// What the archive has below the run's folder.
fn archived(archive: &Path) -> BTreeMap<String, String> {
    let mut zip = zip::ZipArchive::new(fs::File::open(archive).expect("an archive")).expect("an archive");
    let mut files = BTreeMap::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).expect("an entry");
        let inside = file.enclosed_name().expect("it stays inside");
        let name = file.name().expect("UTF-8").into_owned();
        assert_eq!(inside, Path::new(&name), "nothing about it is to be read in another way");
        let mut content = Vec::new();
        file.read_to_end(&mut content).expect("an entry");
        let name = name.strip_prefix(&format!("{RUN}/")).expect("it is the run's").to_owned();
        assert_eq!(files.insert(name, String::from_utf8_lossy(&content).into_owned()), None, "a name is given once");
    }
    files
}

/// No name means anything but a file below the folder, on any system.
fn assert_safe(names: &BTreeSet<&String>) {
    let folded: BTreeSet<String> = names.iter().map(|name| name.to_uppercase()).collect();
    assert_eq!(folded.len(), names.len(), "{names:?}");
    for name in names {
        assert!(name.len() < 2_000 && !name.contains(['\\', ':']) && !name.contains(char::is_control), "{name:?}");
        for part in name.split('/') {
            assert!(!matches!(part, "" | "." | "..") && part.len() <= 210 && !part.ends_with(['.', ' ']), "{name:?}");
            let stem = part.split('.').next().unwrap_or_default().trim_end().to_lowercase();
            assert!(!matches!(stem.as_str(), "nul" | "con" | "aux" | "com\u{b9}"), "{name:?}");
        }
        for (slash, _) in name.match_indices('/') {
            assert!(!folded.contains(&name[..slash].to_uppercase()), "`{name}` lies in a file");
        }
    }
}

/// Collects it, and holds what came of it against the names that were given: each has its own content.
async fn hold(source: &dyn Source, home: &Home, into: &str, given: &[String]) {
    let into = home.path(into);
    let collected = collect(source, &into, &CollectOptions::default()).await.expect("it can be collected");
    let files = archived(&into.join("outputs.zip"));
    let of_instance: BTreeSet<&String> = files.keys().filter(|name| name.starts_with("g/0/")).collect();
    assert_safe(&of_instance);
    let tables = open(&into.join("dataset"));
    let notes = tables.get("notes").map(|notes| notes.show(&["path", "reason"])).unwrap_or_default();
    let mut renamed = 0;
    for (number, name) in given.iter().enumerate() {
        let content = content(number);
        let kept = files.iter().find(|(_, kept)| **kept == content).map(|(kept, _)| kept);
        match kept {
            Some(kept) if *kept == format!("g/0/{name}") => {}
            Some(kept) => {
                renamed += 1;
                assert!(notes.contains(&format!("{kept} renamed")), "{name:?} became {kept:?}: {notes:?}");
            }
            None => panic!("{name:?} is lost: {files:?}"),
        }
    }
    assert!(collected.notes.get("renamed").copied().unwrap_or(0) >= renamed);
    prove(&into, RUN);
    // An unpacker that knows of no danger.
    let out = home.path("unpacked").join(into.file_name().expect("a name"));
    for (name, content) in &files {
        let path = out.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be unpacked");
        fs::write(&path, content).expect("it can be unpacked");
    }
    let mut unpacked = 0;
    let mut todo = vec![out];
    while let Some(dir) = todo.pop() {
        for child in fs::read_dir(dir).expect("a folder") {
            let path = child.expect("a folder").path();
            if path.is_dir() { todo.push(path) } else { unpacked += 1 }
        }
    }
    assert_eq!(unpacked, files.len());
    // What came out of the archive goes through it again as it is.
    let again = into.with_extension("again");
    collect(&ZipFile::new(into.join("outputs.zip")), &again, &CollectOptions::default()).await.expect("it can be read");
    let mut twice = archived(&again.join("outputs.zip"));
    twice.retain(|name, _| name.starts_with("g/0/"));
    assert!(twice.keys().eq(of_instance.iter().copied()), "{twice:?}");
}

fn content(number: usize) -> String {
    format!("the words of file {number}\n")
}

fn zip_of(path: &Path, names: &[String]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (number, name) in names.iter().enumerate() {
        zip.start_file(format!("{RUN}/g/0/{name}"), options).expect("an entry");
        zip.write_all(content(number).as_bytes()).expect("an entry");
    }
    zip.finish().expect("an archive");
}

fn tar_of(path: &Path, names: &[String]) {
    let mut tar = tar::Builder::new(fs::File::create(path).expect("a file"));
    for (number, name) in names.iter().enumerate() {
        let (name, content) = (format!("{RUN}/g/0/{name}"), content(number));
        // By hand: the library does not write what it would not read.
        let mut long = tar::Header::new_gnu();
        long.set_entry_type(tar::EntryType::GNULongName);
        long.set_size(name.len() as u64 + 1);
        long.set_cksum();
        tar.append(&long, [name.as_bytes(), b"\0"].concat().as_slice()).expect("an entry");
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, content.as_bytes()).expect("an entry");
    }
    tar.finish().expect("a tar");
}

/// Which of the names a file system takes: those that it refuses cannot come from a folder.
fn write_all(dir: &Path, names: &[String]) -> Vec<String> {
    let mut written = Vec::new();
    for name in names {
        let plain = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let path = dir.join(name);
        let made = plain
            && !path.exists()
            && fs::create_dir_all(path.parent().expect("a folder")).is_ok()
            && fs::write(&path, content(written.len())).is_ok();
        if made {
            written.push(name.clone());
        }
    }
    written
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_instances_call_their_files_nothing_leaves_and_nothing_is_lost(
        names in proptest::collection::btree_set(name(), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        // A name that ends in a slash is a folder's, in a zip.
        let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty() && !name.ends_with('/')).collect();
        prop_assume!(!names.is_empty());
        let home = Home::foreign();
        let (zip, tar) = (home.path("hostile.zip"), home.path("hostile.tar"));
        zip_of(&zip, &names);
        tar_of(&tar, &names);
        runtime.block_on(hold(&ZipFile::new(&zip), &home, "from-zip", &names));
        runtime.block_on(hold(&TarFile::new(&tar, home.path("spool")), &home, "from-tar", &names));
        let written = write_all(&home.run_dir().join("outputs/g/0"), &names);
        if !written.is_empty() {
            runtime.block_on(hold(&Folder::new(home.run_dir()), &home, "from-folder", &written));
        }
        let beside: BTreeSet<String> = fs::read_dir(home.path("")).expect("a folder")
            .map(|child| child.expect("a folder").file_name().to_string_lossy().into_owned())
            .collect();
        let known = ["from-", "hostile", "spool", "unpacked", RUN];
        prop_assert!(beside.iter().all(|name| known.iter().any(|known| name.starts_with(known))), "{:?}", beside);
    }
}
