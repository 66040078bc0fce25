//! The same run from other places.

use std::fs;
use std::io::Write as _;

use tg_collector::{CollectError, CollectOptions, Folder, ZipFile};
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
