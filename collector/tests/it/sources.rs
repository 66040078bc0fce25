//! The same run from other places.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tg_collector::{CollectError, CollectOptions, Folder, TarFile, ZipFile, archive};
use tg_model::Exit;

use crate::accounting::{open, prove};
use crate::home::{Home, RUN, collect, tree};

const EVENT: &str = "{\"ts\":5,\"event\":{\"success_event\":{\"group\":\"g\"}}}\n";

#[tokio::test]
async fn the_predecessors_layouts_are_found_and_an_archive_gives_the_same_dataset() {
    let home = Home::foreign();
    let outputs = home.path("data");
    for index in 0..3 {
        let dir = outputs.join(format!("dht/{RUN}/g/{index}"));
        fs::create_dir_all(&dir).expect("the folder is writable");
        fs::write(dir.join("run.out"), EVENT).expect("the folder is writable");
        fs::write(dir.join("big.txt"), "0123456789abcdef\n".repeat(200_000)).expect("the folder is writable");
    }
    let run = RUN.parse().expect("a good id");
    let options = CollectOptions::default();
    for (place, into) in [(outputs.clone(), "a"), (outputs.join("dht"), "b"), (outputs.join("dht").join(RUN), "c")] {
        let source = Folder::find(place, &run).expect("it is found");
        collect(&source, &home.path(into), &options).await.expect("it can be collected");
    }
    prove(&home.path("a"), RUN);
    assert!(tree(&home.path("a")) == tree(&home.path("b")) && tree(&home.path("a")) == tree(&home.path("c")));

    // Files of more than a block went through zip64; what reads them back is not what wrote them.
    let zip = ZipFile::new(home.path("a/outputs.zip"));
    collect(&zip, &home.path("d"), &options).await.expect("it can be collected");
    assert!(tree(&home.path("a")) == tree(&home.path("d")));

    let error = Folder::find(outputs, &"nobody".parse().expect("a good id")).expect_err("no such run");
    assert!(matches!(error, CollectError::NotFound { .. }));
}

#[tokio::test]
async fn an_archive_of_lies_is_collected_without_them() {
    let home = Home::foreign();
    let path = home.path("bad.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in ["g/0/run.out", "g/0/../../evil", "g/0/broken.txt"] {
        zip.start_file(format!("{RUN}/{name}"), options).expect("an entry");
        zip.write_all(if name.ends_with("run.out") { EVENT.as_bytes() } else { b"MARKER" }).expect("an entry");
    }
    zip.finish().expect("an archive");
    // One byte of the last file is not what its checksum says.
    let mut bytes = fs::read(&path).expect("the archive");
    let at = bytes.windows(6).rposition(|window| window == b"MARKER").expect("it is stored as it is");
    bytes[at] = b'X';
    fs::write(&path, bytes).expect("the archive");

    collect(&ZipFile::new(&path), &home.path("into"), &CollectOptions::default()).await.expect("it can be collected");
    let tables = open(&home.path("into/dataset"));
    assert_eq!(tables["instances"].texts("outcome"), ["ok"]);
    let mut notes = tables["notes"].show(&["path", "reason"]);
    notes.sort();
    assert_eq!(notes, ["g/0/%2E%2E/%2E%2E/evil renamed", "g/0/broken.txt cut-file"]);

    fs::write(&path, "no archive at all").expect("a file");
    let error = collect(&ZipFile::new(&path), &home.path("into"), &CollectOptions::default()).await;
    assert_eq!(error.expect_err("it is none").exit(), Exit::Source);
}

#[tokio::test]
async fn a_second_collect_into_the_same_folder_says_so() {
    let home = Home::new(&[("g", 1)]);
    home.write("outputs/g/0/run.out", EVENT);
    fs::create_dir_all(home.path("into")).expect("the folder is writable");
    let other = fs::File::open(home.path("into")).expect("the folder");
    other.lock().expect("it can be locked");
    let error = home.collect("into", &CollectOptions::default()).await.expect_err("it is locked");
    assert_eq!(error.exit(), Exit::Busy);
    drop(other);
    home.collect("into", &CollectOptions::default()).await.expect("it is free again");
}

/// The predecessor's archive of a run: in the order of names as text, with folders and a link.
fn tgz(path: &Path, files: &[(String, Vec<u8>)]) {
    let gz = flate2::write::GzEncoder::new(fs::File::create(path).expect("a file"), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gz);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("{RUN}/{name}"), content.as_slice()).expect("an entry");
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    tar.append_link(&mut link, format!("{RUN}/g/0/link"), "/etc/passwd").expect("a link");
    tar.into_inner().expect("a tar").finish().expect("a tgz");
}

#[tokio::test]
async fn the_predecessors_tgz_gives_what_its_folder_gives() {
    let home = Home::foreign();
    let long = format!("{}/data.txt", "a-folder-with-a-long-name/".repeat(7).trim_end_matches('/'));
    let mut files = Vec::new();
    for index in [0, 1, 10, 2] {
        files.push((format!("g/{index}/run.out"), EVENT.as_bytes().to_vec()));
        files.push((format!("g/{index}/big.txt"), "0123456789abcdef\n".repeat(90_000).into_bytes()));
        files.push((format!("g/{index}/{long}"), b"deep\n".to_vec()));
        files.push((format!("g/{index}/empty"), Vec::new()));
    }
    for (name, content) in &files {
        home.write(name, content);
    }
    std::os::unix::fs::symlink("/etc/passwd", home.run_dir().join("g/0/link")).expect("a link");
    let path = home.path("r.dat");
    tgz(&path, &files);
    let run = RUN.parse().expect("a good id");
    let options = CollectOptions::default();
    let folder = Folder::find(home.run_dir(), &run).expect("it is found");
    collect(&folder, &home.path("folder"), &options).await.expect("it can be collected");
    // What it is, its content says, whatever it is called.
    let source = archive(&path, &home.path("spool")).expect("it is one");
    collect(source.as_ref(), &home.path("tgz"), &options).await.expect("it can be collected");
    let tables = open(&home.path("tgz/dataset"));
    assert_eq!(tables["notes"].show(&["path", "reason"]), ["g/0/link not-collected"]);
    assert!(tree(&home.path("folder")) == tree(&home.path("tgz")));
    assert!(fs::read_dir(home.path("spool")).expect("a folder").next().is_none());

    // The archive that was made of it is a source as well, and its own copy.
    let zip = archive(&home.path("tgz/outputs.zip"), &home.path("spool")).expect("it is one");
    collect(zip.as_ref(), &home.path("zip"), &options).await.expect("it can be collected");
    assert!(tree(&home.path("zip")) == tree(&home.path("tgz")));
    let again = collect(source.as_ref(), &home.path("tgz"), &options).await.expect("it can be collected");
    assert!(again.unchanged);
}

#[tokio::test]
async fn what_is_left_of_a_broken_tgz_is_collected() {
    let home = Home::foreign();
    let noise = |seed: u32| {
        let next = move |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(state.to_be_bytes()[0])
        };
        std::iter::successors(Some(seed), |s| Some(s.wrapping_add(1)))
            .scan(seed, move |state, _| next(state))
            .take(200_000)
            .collect::<Vec<u8>>()
    };
    let files: Vec<_> = (0..4_u32).map(|at| (format!("g/{at}/data.bin"), noise(at))).collect();
    let path = home.path("r.tgz");
    tgz(&path, &files);
    let whole = fs::read(&path).expect("the archive");
    fs::write(&path, &whole[..whole.len() / 2]).expect("the archive");
    let source = TarFile::new(&path, home.path("spool"));
    collect(&source, &home.path("into"), &CollectOptions::default()).await.expect("it can be collected");
    let tables = open(&home.path("into/dataset"));
    assert_eq!(tables["files"].texts("path"), ["notes.ndjson", "g/0/data.bin", "g/1/data.bin"]);
    let mut notes = tables["notes"].texts("reason");
    notes.sort();
    assert_eq!(notes, ["cut-archive", "cut-file"]);

    // A name of a mebibyte, and nothing but noise.
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(1 << 20);
    header.set_cksum();
    tar.append(&header, vec![b'x'; 1 << 20].as_slice()).expect("an entry");
    fs::write(&path, tar.into_inner().expect("a tar")).expect("the archive");
    for bad in [fs::read(&path).expect("the archive"), whole[..40].to_vec(), noise(9), Vec::new()] {
        fs::write(&path, bad).expect("the archive");
        let source = TarFile::new(&path, home.path("spool"));
        let error = collect(&source, &home.path("into"), &CollectOptions::default()).await.expect_err("it is none");
        assert_eq!(error.exit(), Exit::Source, "{error}");
    }
}

#[tokio::test]
async fn a_bomb_of_files_that_share_their_bytes_is_noted() {
    let home = Home::foreign();
    let path = home.path("bomb.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in ["g/0/run.out", "g/0/one", "g/0/two"] {
        zip.start_file(format!("{RUN}/{name}"), options).expect("an entry");
        zip.write_all(if name.ends_with("run.out") { EVENT.as_bytes() } else { b"MARKER" }).expect("an entry");
    }
    zip.finish().expect("an archive");
    // The directory says that the last file begins where the one before it does.
    let mut bytes = fs::read(&path).expect("the archive");
    let starts: Vec<usize> = memchr::memmem::find_iter(&bytes, b"PK\x03\x04").collect();
    let entries: Vec<usize> = memchr::memmem::find_iter(&bytes, b"PK\x01\x02").collect();
    let at = u32::try_from(starts[1]).expect("small").to_le_bytes();
    bytes[entries[2] + 42..entries[2] + 46].copy_from_slice(&at);
    fs::write(&path, bytes).expect("the archive");
    collect(&ZipFile::new(&path), &home.path("into"), &CollectOptions::default()).await.expect("it can be collected");
    let tables = open(&home.path("into/dataset"));
    assert_eq!(tables["files"].texts("path"), ["notes.ndjson", "g/0/run.out"]);
    let mut notes = tables["notes"].texts("reason");
    notes.sort();
    assert_eq!(notes, ["unreadable", "unreadable"]);
}
