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

/// Something odd that an instance left: what is done to its folder, and the reason of the note.
type Odd = (fn(&Path), &'static str);

#[test]
fn strict_fails_for_any_note_and_for_nothing_else() {
    let home = Home::new();
    let outputs = home.path().with_file_name("outputs");
    let source = format!("dir:{}", outputs.display());
    let event = "{\"ts\":5,\"event\":{\"success_event\":{\"group\":\"g\"}}}\n";
    let odd: [Odd; 7] = [
        (|dir| fs::write(dir.join("run.out"), "no json\n").expect("a file"), "not-json"),
        (|dir| fs::write(dir.join("run.out"), "{\"ts\":5,\"ev").expect("a file"), "half-line"),
        (|dir| fs::write(dir.join("run.out"), "{\"ts\":5,\"event\":{\"what\":1}}\n").expect("a file"), "unknown-event"),
        (|dir| std::os::unix::fs::symlink("/etc/passwd", dir.join("link")).expect("a link"), "not-collected"),
        (|dir| fs::write(dir.join("NUL.txt"), "words\n").expect("a file"), "renamed"),
        (|dir| fs::create_dir(dir.with_file_name("first")).expect("a folder"), "not-an-instance"),
        (|dir| fs::write(dir.join("../../readme"), "words\n").expect("a file"), "not-a-group"),
    ];
    for (number, (spoil, reason)) in odd.into_iter().enumerate() {
        let run = format!("r{number}");
        for index in 0..2 {
            let dir = outputs.join(&run).join(format!("g/{index}"));
            fs::create_dir_all(&dir).expect("a folder");
            fs::write(dir.join("run.out"), event).expect("a file");
            fs::write(dir.join("words.txt"), "words\n").expect("a file");
        }
        let collect = |more: &[&str]| {
            let args = ["collect", run.as_str(), "--source", source.as_str()];
            home.tg(args.iter().chain(more).copied())
        };
        collect(&["--strict"]).expect(0);
        spoil(&outputs.join(&run).join("g/0"));
        let done = collect(&["--strict"]);
        done.expect(22).says("1 note, and `--strict` was given");
        // It fails with everything made and told.
        assert!(done.stdout.contains(reason) && done.stdout.contains("Next: tg analyze"), "{reason}: {}", done.stdout);
        collect(&[]).expect(0);
        // What is odd about one instance is no matter of another.
        let of_none = reason.starts_with("not-a");
        assert!(of_none || done.stdout.contains("first in g/0/"), "{reason}: {}", done.stdout);
        collect(&["--strict", "--only", "g/1"]).expect(if of_none { 22 } else { 0 });
    }
}

#[test]
fn mistakes_in_flags_and_rules_are_told_by_flag_or_line() {
    let home = Home::new();
    let source = format!("dir:{}", outputs(&home).display());
    let file = home.file("file", "words");
    let (file, below) = (file.display().to_string(), file.join("below").display().to_string());
    let rule = |more: &str| format!("version = 1\n[[rule]]\nfiles = \"*.x\"\ntable = \"x_y\"\n{more}");
    let rules = [
        ("unreadable.toml", "version = 1\n[[rule]\n".to_owned(), "unreadable.toml:2: "),
        ("version.toml", "version = 9\n".to_owned(), "version.toml:1: `version` is 9"),
        ("key.toml", rule("tabel = 1\n"), "key.toml:5: unknown field `tabel`"),
        ("glob.toml", rule("[rule.columns]\n").replace("*.x", "[a"), "glob.toml:3: `files` is no pattern"),
        ("table.toml", rule("[rule.columns]\n").replace("x_y", "nothing"), "table.toml:4: `table` is `nothing`"),
        (
            "pointer.toml",
            rule("[rule.columns]\na = { at = \"b\", type = \"i64\" }\n"),
            "pointer.toml:6: `a`: `b` is no",
        ),
        ("escape.toml", rule("[rule.columns]\na = { at = \"/b~2\", type = \"i64\" }\n"), "escape.toml:6: `a`: `/b~2`"),
        ("type.toml", rule("[rule.columns]\na = { at = \"/b\", type = \"int\" }\n"), "type.toml:6: column `a`: `type`"),
    ];
    let mut cases: Vec<(Vec<String>, &str)> = vec![
        (
            vec!["--only".into(), "nobody".into()],
            "`--only nobody` matches no instance of run `r1`, which has `g/0` to `g/29`",
        ),
        (vec!["--only".into(), "g/30".into()], "`--only g/30` matches no instance"),
        (vec!["--only".into(), "g/x".into()], "for '--only <GROUP[/N]>'"),
        (vec!["-o".into(), file], "is no folder"),
        (vec!["-o".into(), below], "is no folder"),
        (vec!["--no-archive".into(), "--no-dataset".into()], "'--no-archive' cannot be used with '--no-dataset'"),
        (vec!["--no-dataset".into(), "--strict".into()], "'--no-dataset' cannot be used with '--strict'"),
        (vec!["--rules".into(), "missing.toml".into()], "cannot read the rules of `--rules missing.toml`"),
    ];
    for (name, text, told) in rules {
        cases.push((vec!["--rules".into(), home.file(name, &text).display().to_string()], told));
    }
    for (args, told) in cases {
        let base = ["collect", "r1", "--source", &source].map(str::to_owned);
        home.tg(base.into_iter().chain(args)).expect(2).says(told);
    }
    let idle = home.file("idle.toml", &rule("[rule.columns]\na = { at = \"/b\", type = \"i64\" }\n"));
    let done = home.tg(["collect", "r1", "--source", &source, "--rules", &idle.display().to_string()]);
    done.expect(0);
    assert!(done.stdout.contains("`*.x` matches no file"), "{}", done.stdout);
}
