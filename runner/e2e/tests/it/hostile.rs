//! Plans that misbehave harm their own result at most, and the run says which instance did what.

use std::env;
use std::fs;
use std::io::Read as _;

use tg_e2e::{Home, plan};
use tg_model::outcome::Outcome;

use crate::table::{run_case, run_with};

/// 64 MiB, or what `TG_E2E_FLOOD_BYTES` says.
fn flood_bytes() -> u64 {
    match env::var("TG_E2E_FLOOD_BYTES") {
        Ok(text) => text.parse().expect("TG_E2E_FLOOD_BYTES is a number"),
        Err(_unset) => 64 << 20,
    }
}

#[test]
fn a_flood_of_stdout_is_kept_whole() {
    let home = Home::new();
    let bytes = flood_bytes();
    let (done, run) = run_case(&home, &plan("shell"), "flood", 2, &[&format!("bytes={bytes}")]);
    done.expect(0);
    for instance in ["single/0", "single/1"] {
        let log = fs::metadata(run.log(instance, "stdout.log")).expect("stdout.log");
        // The line with the success comes after the flood.
        assert!(log.len() > bytes && log.len() < bytes + 200, "{} of {bytes} bytes", log.len());
        assert_eq!(run.end(instance).outcome, Outcome::Ok);
    }
    assert!(
        !run.dir.join("outputs/single/0/stdout.log").exists(),
        "what tg keeps lies beside the outputs, not in them"
    );
}

#[test]
fn lines_of_a_mebibyte_are_kept_and_do_not_hide_the_success() {
    let home = Home::new();
    let (done, run) = run_case(&home, &plan("shell"), "long-lines", 1, &[]);
    done.expect(0);
    let mut log = Vec::new();
    fs::File::open(run.log("single/0", "stdout.log")).and_then(|mut file| file.read_to_end(&mut log)).expect("a log");
    assert!(log.len() > 2 << 20, "{} bytes", log.len());
    assert_eq!(log.split(|byte| *byte == b'\n').count(), 4);
}

#[test]
fn odd_bytes_are_kept_as_they_are() {
    let home = Home::new();
    let (done, run) = run_case(&home, &plan("shell"), "invalid-utf8", 1, &[]);
    done.expect(0);
    let log = fs::read(run.log("single/0", "stdout.log")).expect("a log");
    assert!(log.starts_with(b"\xff\xfe \xc3\x28 \0 end\n"), "{:?}", &log[..20.min(log.len())]);

    let (done, run) = run_case(&home, &plan("shell"), "half-line", 1, &[]);
    done.expect(0);
    assert!(fs::read(run.log("single/0", "stdout.log")).expect("a log").ends_with(b"\nand then"));

    let (done, run) = run_case(&home, &plan("shell"), "odd-json", 1, &[]);
    done.expect(0);
    assert_eq!(run.end("single/0").evidence.successes, 1, "an odd line is no success");
}

#[test]
fn a_closed_stdout_is_silence() {
    let home = Home::new();
    for isolation in ["auto", "none"] {
        let (done, run) = run_with(&home, &plan("shell"), "closed-stdout", 1, &["--isolation", isolation]);
        done.expect(10);
        assert_eq!(run.end("single/0").outcome, Outcome::Incomplete);
        let notes = run.notes("single/0");
        assert!(notes.iter().any(|(reason, _)| reason == "closed-stdout"), "{isolation}: {notes:?}");
    }
    let (done, run) = run_case(&home, &plan("shell"), "closed-stdout-exit-3", 1, &[]);
    done.expect(10);
    assert_eq!(run.end("single/0").outcome, Outcome::Failed);
}

#[test]
fn an_instance_that_deletes_its_outputs_harms_only_itself() {
    let home = Home::new();
    let (done, run) = run_case(&home, &plan("shell"), "delete-outputs", 2, &[]);
    done.expect(0);
    assert_eq!(run.file.tally.values().flat_map(|by| by.values()).sum::<u32>(), 2);
}

#[test]
fn a_success_in_the_name_of_another_group_is_nobodys() {
    let home = Home::new();
    let (done, run) = run_case(&home, &plan("shell"), "wrong-group", 1, &["claimed=others"]);
    done.expect(10);
    let notes = run.notes("single/0");
    assert!(notes.iter().any(|(reason, text)| reason == "wrong-group" && text.contains("others")), "{notes:?}");
    // The success was somebody else's, and of its own it told none.
    assert_eq!(run.end("single/0").outcome, Outcome::Incomplete);
    assert_eq!(run.ends().len(), 1);
}
