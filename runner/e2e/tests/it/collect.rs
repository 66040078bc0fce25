//! `tg collect` as a process that can be killed at any moment, and that runs out of disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tg_e2e::Home;

const RUN: &str = "r1";

/// Outputs of a run of the predecessor: many small files and some of several mebibytes that hardly pack.
fn outputs(home: &Home) -> PathBuf {
    let dir = home.path().with_file_name("outputs").join(RUN);
    let mut state = 1_u64;
    let mut noise = |bytes: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).to_le_bytes()[0]
        };
        (0..bytes).map(|_| next()).collect()
    };
    for index in 0..30 {
        let dir = dir.join(format!("g/{index}"));
        fs::create_dir_all(&dir).expect("a folder");
        let event = r#"{"ts":5,"event":{"success_event":{"group":"g"}}}"#;
        fs::write(dir.join("run.out"), format!("{event}\n")).expect("a file");
        fs::write(dir.join("data.bin"), noise((index % 7) * 300_000)).expect("a file");
        fs::write(dir.join("samples.ndjson"), "{\"ts\":1,\"value\":2.5}\n".repeat(2000)).expect("a file");
    }
    dir.parent().expect("a folder").to_owned()
}

fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(next) = todo.pop() {
        for child in fs::read_dir(&next).expect("a folder") {
            let path = child.expect("a folder").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_none_or(|extension| extension != "journal") {
                let name = path.strip_prefix(dir).expect("it lies below").to_owned();
                files.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

#[test]
fn a_collect_that_is_killed_goes_on_to_the_same_bytes() {
    let home = Home::new();
    let source = format!("dir:{}", outputs(&home).display());
    let collect = |into: &str| home.command(["collect", RUN, "--source", &source, "-o", into, "-j", "2"]);
    tg_e2e::finish(&mut collect("whole")).expect(0);
    let whole = tree(&home.path().with_file_name("whole"));
    let archive = size(&home.path().with_file_name("whole").join("outputs.zip"));

    let into = home.path().with_file_name("killed");
    let (partial, journal) = (into.join("outputs.zip.partial"), into.join("outputs.zip.journal.partial"));
    let deadline = Instant::now() + Duration::from_mins(5);
    let mut kills = 0;
    // Each is killed a little further: as the archive grows, and at last while the dataset is made.
    for step in 0..12 {
        let running = home.start(["collect", RUN, "--source", &source, "-o", "killed", "-j", "2"]);
        let dataset = into.join("dataset.partial");
        // An archive that is complete has left its partial name.
        let reached = || dataset.is_dir() || (step < 10 && size(&partial) > archive * step / 10);
        while !reached() {
            assert!(Instant::now() < deadline, "step {step} does not come");
            std::thread::yield_now();
        }
        running.signal(Signal::SIGKILL);
        assert_eq!(running.wait().code(), -1, "step {step} was not killed");
        // The mark of the next step must be its own.
        drop(fs::remove_dir_all(&dataset));
        kills += 1;
        // Whatever has its final name is complete.
        if let Ok(bytes) = fs::read(into.join("outputs.zip")) {
            assert!(bytes == whole[Path::new("outputs.zip")], "step {step}");
        }
    }
    assert_eq!(kills, 12);
    let kept = fs::read_to_string(&journal).map_or(90, |text| text.matches("\"stored\":{\"stored\"").count());
    let done = tg_e2e::finish(&mut collect("killed"));
    done.expect(0);
    let told = if kept == 90 { "no file was fetched again".to_owned() } else { format!("{kept} of the files") };
    assert!(done.stdout.contains(&told), "{kept}: {}", done.stdout);
    assert!(tree(&into) == whole);
}

#[test]
fn two_collects_of_one_run_do_not_meet() {
    let home = Home::new();
    let source = format!("dir:{}", outputs(&home).display());
    let into = home.path().with_file_name("into");
    fs::create_dir_all(&into).expect("a folder");
    let lock = fs::File::open(&into).expect("the folder");
    lock.lock().expect("it is free");
    home.tg(["collect", RUN, "--source", &source, "-o", "into"]).expect(24).says("another collect of run `r1`");
    drop(lock);
    home.tg(["collect", RUN, "--source", &source, "-o", "into"]).expect(0);
}

#[test]
fn a_part_does_not_take_the_place_of_the_whole() {
    let home = Home::new();
    let source = format!("dir:{}", outputs(&home).display());
    home.tg(["collect", RUN, "--source", &source]).expect(0);
    let run = home.path().join("runs").join(RUN);
    let whole = size(&run.join("outputs.zip"));
    let done = home.tg(["collect", RUN, "--source", &source, "--only", "g/3"]);
    done.expect(0);
    assert!(done.stdout.contains("Next: tg analyze stats") && done.stdout.contains("only/g/3"), "{}", done.stdout);
    assert_eq!(size(&run.join("outputs.zip")), whole);
    home.tg(["analyze", "stats", &run.join("only/g/3").display().to_string()]).expect(0);

    home.tg(["collect", RUN, "--source", &source, "-o", "outputs/mine"]).expect(2).says("lies in the source");
    home.tg(["collect", "latest", "--source", &source]).expect(2).says("give the whole id");
    home.tg(["collect", RUN, "--source", &source, "--no-archive", "--no-dataset"]).expect(2);
    home.tg(["collect", RUN, "--source", "zip:outputs"]).expect(23);
}

/// Mounting needs root, as in a container of CI.
#[test]
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn a_full_disk_is_told_with_what_is_needed_and_what_is_done_is_kept() {
    let home = Home::new();
    let source = format!("dir:{}", outputs(&home).display());
    let disk = home.path().with_file_name("disk");
    fs::create_dir_all(&disk).expect("a folder");
    let mount = |options: &str| {
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", options, "tg-e2e"]).arg(&disk).status()
    };
    if !nix::unistd::geteuid().is_root() || !mount("size=8m").is_ok_and(|status| status.success()) {
        eprintln!("skipped: a small disk cannot be mounted here");
        return;
    }
    let unmount = Unmount(disk.clone());
    let done = home.tg(["collect", RUN, "--source", &source, "-o", "disk"]);
    done.expect(14).says("no space is left").says("MiB are needed, and ").says("goes on where it stopped");
    let journal = fs::read_to_string(disk.join("outputs.zip.journal.partial")).expect("what is done is kept");
    let kept = journal.matches("\"stored\":{\"stored\"").count();
    assert!(kept > 3, "{journal}");
    assert!(mount("remount,size=200m").expect("mount runs").success());
    let done = home.tg(["collect", RUN, "--source", &source, "-o", "disk"]);
    done.expect(0);
    assert!(done.stdout.contains(&format!("{kept} of the files")), "{kept}: {}", done.stdout);
    home.tg(["collect", RUN, "--source", &source, "-o", "whole"]).expect(0);
    assert!(tree(&disk) == tree(&home.path().with_file_name("whole")));
    drop(unmount);
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let status = std::process::Command::new("umount").arg(&self.0).status();
        if !std::thread::panicking() {
            assert!(status.is_ok_and(|status| status.success()), "`{}` cannot be unmounted", self.0.display());
        }
    }
}
