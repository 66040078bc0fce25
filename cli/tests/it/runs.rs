//! Runs, and what is left of them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use crate::scratch::Scratch;

#[test]
fn exit_codes_tell_how_it_went() {
    let scratch = Scratch::new();
    let rows: &[(&[&str], i32, &str)] = &[
        (&["run", "shell", "--case", "ok"], 0, ""),
        (&["run", "shell", "--case", "fail"], 10, "ended failed: exit code 3"),
        (&["run", "shell", "--case", "hang", "--deadline", "200ms", "--grace", "100ms"], 12, "met its deadline"),
        (&["run", "shell"], 2, "choose one with `--case`: `ok`, `fail`, `hang`"),
        (&["run", "shell", "--case", "ok", "-p", "rounds=ten"], 2, "is not of type `int`"),
        (&["run", "nosuch"], 2, "there is no plan `nosuch`"),
        (&["run", "nosuch.toml"], 2, "cannot read `nosuch.toml`"),
        (&["run", "shell", "--no-such-flag"], 2, "unexpected argument"),
        (&["analyze", "graph", "latest", "--metrics", "fast,cut"], 2, "no metric `cut`: it is all, fast, or of size, "),
        (&["analyze", "graph", "latest", "--metrics", "fast", "--draw", "x.svg"], 2, "cannot be used with"),
        (&["analyze", "graph", "latest", "--budget", "30"], 2, "a time is a number with a unit"),
        (&["runs", "show", "nosuch"], 20, "no run `nosuch`"),
        (&["runs", "logs", "latest", "--group", "nosuch"], 2, "its groups: `single`"),
        (&["runs", "rm", "latest"], 2, "pass `--yes`"),
    ];
    for (args, code, words) in rows {
        let done = scratch.tg(args);
        assert_eq!(done.code, Some(*code), "{args:?}: {done:?}");
        assert!(done.err.contains(words), "{args:?}: {}", done.err);
    }
}

#[test]
fn a_home_that_cannot_be_written_is_one_clear_error() {
    let scratch = Scratch::new();
    fs::write(scratch.path("file"), "").expect("a file");
    let home = scratch.path("file/home");
    let done = scratch.tg(&["--home", &home.to_string_lossy(), "run", "shell", "--case", "ok"]);
    assert_eq!(done.code, Some(14), "{done:?}");
    assert!(done.err.starts_with("error: cannot write to tg's home") && done.err.contains("\nhint: "), "{}", done.err);
}

#[test]
fn every_problem_of_a_composition_is_told_at_once_and_nothing_starts() {
    let scratch = Scratch::new();
    let text = "[global]\nplan = \"shell\"\ncase = \"okk\"\nbiulder = \"exec:generic\"\nrunner = \"local:exec\"\n\
                [[groups]]\nid = \"a b\"\ninstances = { count = 1000 }\n";
    fs::write(scratch.path("bad.toml"), text).expect("a file");
    let done = scratch.tg(&["run", "bad.toml"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    for words in ["bad.toml:3:", "bad.toml:4:", "bad.toml:7:", "did you mean `builder`?", "did you mean `ok`?"] {
        assert!(done.err.contains(words), "{words}: {}", done.err);
    }
    assert!(!scratch.path("home").exists());
}

#[test]
fn the_summary_says_who_failed_with_its_last_words() {
    let scratch = Scratch::new();
    let done = scratch.tg(&["run", "shell", "--case", "fail", "-n", "12"]);
    assert!(done.out.starts_with("failed: case `fail` of plan `shell`, 12 instances"), "{}", done.out);
    for words in ["single/0 failed: exit code 3", "| last \u{fffd} words", "and 2 more: `tg runs show"] {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
    assert!(!done.out.contains('\u{1b}'), "no colour without a terminal");
}

#[test]
fn a_replay_tells_what_the_run_told() {
    let scratch = Scratch::new();
    let run = scratch.tg(&["run", "shell", "--case", "fail"]);
    let replay = scratch.tg(&["runs", "replay", "latest", "--speed", "max"]);
    assert_eq!(replay.code, Some(0));
    assert_eq!(replay.out, run.out);
    // The build is told with its own clock; how long it took to be told is not to the millisecond.
    let of_run = |text: &str| text[text.find("run 2").expect("the run begins")..].to_owned();
    assert!(replay.err.contains("exec:generic for single"), "{}", replay.err);
    assert_eq!(of_run(&replay.err), of_run(&run.err));
}

#[test]
fn logs_are_merged_and_cannot_move_the_cursor() {
    let scratch = Scratch::new();
    assert_eq!(scratch.tg(&["run", "shell", "--case", "ok"]).code, Some(0));
    let done = scratch.tg(&["runs", "logs", "latest"]);
    for words in ["plain line of 0", "plain line of 1", "success", "22:15:31.500 single/1 err"] {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
    assert!(done.out.contains("oops \\u{1b}[2Jof") && !done.out.contains('\u{1b}'), "{}", done.out);
    let errors = scratch.tg(&["runs", "logs", "latest", "--level", "error"]);
    assert_eq!(errors.out.lines().count(), 2, "{}", errors.out);
    let one = scratch.tg(&["runs", "logs", "latest", "--instance", "single/1", "--grep", "^plain"]);
    assert_eq!(one.out.lines().count(), 1, "{}", one.out);
    let plain = scratch.tg(&["runs", "logs", "latest", "--grep", "^plain", "--since", "2000-01-01T00:00:00Z"]);
    assert_eq!(plain.out, "");
    assert!(plain.err.contains("left out 2 lines with no time before them"), "{}", plain.err);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let scratch = Scratch::new();
    assert_eq!(scratch.tg(&["run", "shell", "--case", "ok", "-n", "50"]).code, Some(0));
    let mut child = scratch
        .command(&["runs", "logs", "latest"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tg starts");
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{err}");
    assert_eq!(err, "");
}

#[test]
fn a_live_run_is_shown_as_such_and_not_removed_and_an_interrupt_ends_it() {
    let scratch = Scratch::new();
    let mut child = scratch
        .command(&["run", "shell", "--case", "hang", "--grace", "100ms", "--progress", "lines"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tg starts");
    let mut err = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let started = err.by_ref().map_while(Result::ok).any(|line| line.contains("2 of 2 instances started"));
    assert!(started);
    assert!(scratch.tg(&["runs", "list"]).out.contains("running"));
    let rm = scratch.tg(&["runs", "rm", "--yes", "latest"]);
    assert_eq!(rm.code, Some(2), "{rm:?}");
    assert!(rm.err.contains("is still going on"), "{}", rm.err);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a process number"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("a signal");
    for line in err.map_while(Result::ok) {
        drop(line);
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(11));
    assert!(scratch.tg(&["runs", "list"]).out.contains("cancelled"));
    assert_eq!(scratch.tg(&["runs", "rm", "--yes", "latest"]).code, Some(0));
    assert_eq!(scratch.runs(), Vec::<String>::new());
}

#[test]
fn a_matrix_with_repeats_is_one_table_and_an_ambiguous_prefix_lists_the_runs() {
    let scratch = Scratch::new();
    let text = "[global]\nplan = \"shell\"\ncase = \"ok\"\nbuilder = \"exec:generic\"\nrunner = \"local:exec\"\nseed = 5\n\
                [matrix]\nrounds = [1, 2]\n[[groups]]\nid = \"all\"\ninstances = { count = 1 }\n";
    fs::write(scratch.path("matrix.toml"), text).expect("a file");
    let plan = scratch.tg(&["run", "matrix.toml", "--repeat", "2", "--dry-run"]);
    assert_eq!(plan.code, Some(0), "{plan:?}");
    assert!(!scratch.path("home").exists(), "a dry run writes nothing");
    let done = scratch.tg(&["run", "matrix.toml", "--repeat", "2", "--format", "json"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let json: serde_json::Value = serde_json::from_str(&done.out).expect("JSON");
    let configs: Vec<&str> =
        json["runs"].as_array().expect("runs").iter().filter_map(|row| row["config"].as_str()).collect();
    assert_eq!(configs, ["rounds=1", "rounds=2", "rounds=1", "rounds=2"]);
    let runs = scratch.runs();
    assert_eq!(runs.len(), 4);
    let ambiguous = scratch.tg(&["runs", "show", "20"]);
    assert_eq!(ambiguous.code, Some(20));
    assert!(runs.iter().all(|run| ambiguous.err.contains(run.as_str())), "{}", ambiguous.err);
}
