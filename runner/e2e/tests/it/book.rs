//! The book's commands, run as they stand: runs are made or, where they take minutes, resolved; questions are asked of
//! runs that stand in for the reader's.

use std::fs;
use std::path::Path;

use tg_e2e::Home;

use crate::routing;

/// Codes that say that a question was understood: an answer, not enough data, a broken assertion, not comparable.
const UNDERSTOOD: [i32; 4] = [0, 30, 31, 32];

fn page(name: &str) -> String {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src");
    fs::read_to_string(book.join(name)).expect("a page of the book")
}

/// What stands in a page's blocks of this kind, block by block, continued lines joined.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let (mut out, mut inside) = (Vec::<String>::new(), None);
    for line in page.replace("\\\n", " ").lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(found), None) => {
                inside = Some(found == kind);
                out.extend((found == kind).then(String::new));
            }
            (Some(_), Some(_)) => inside = None,
            (None, Some(true)) => {
                let block = out.last_mut().expect("a block that was begun");
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    out
}

/// Every command of tg in the book's pages for its readers.
fn commands() -> Vec<(&'static str, String)> {
    const PAGES: [&str; 18] = [
        "guide/analyze.md",
        "guide/bench.md",
        "guide/break-on-schedule.md",
        "guide/compare-in-ci.md",
        "guide/dht-go.md",
        "guide/dht.md",
        "guide/draw.md",
        "guide/gossip.md",
        "guide/kubernetes.md",
        "guide/notebooks.md",
        "guide/object-stores.md",
        "guide/secure-channel.md",
        "guide/shape-the-network.md",
        "concepts/belief.md",
        "concepts/hosts.md",
        "reference/comparison.md",
        "reference/rules.md",
        "reference/statistics.md",
    ];
    let mut out = Vec::new();
    for name in PAGES {
        for line in blocks(&page(name), "sh").iter().flat_map(|block| block.lines()) {
            if let Some(command) = line.strip_prefix("tg ") {
                out.push((name, command.to_owned()));
            }
        }
    }
    out
}

/// Has a shell run a command of the book, so that its quotes, comments and pipes mean what they mean to a reader.
fn shell(home: &Home, folder: &Path, command: &str) -> std::process::Output {
    let tg = home.command([""; 0]);
    let script = format!("tg() {{ '{}' \"$@\"; }}\nset -o pipefail\ntg {command}", tg.get_program().display());
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", &script]).env("TG_HOME", home.path()).env("NO_COLOR", "1").current_dir(folder);
    bash.output().expect("bash starts")
}

#[test]
fn every_plan_and_composition_of_the_book_resolves() {
    let home = Home::new();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut seen, mut wrong) = (0, Vec::new());
    for (page, command) in commands() {
        // What the reader writes as the page goes on is resolved in the tests of its page.
        let own = ["base.toml", "new.toml", "pings.toml"].iter().any(|file| command.contains(file));
        if !command.starts_with("run ") || own {
            continue;
        }
        seen += 1;
        let (bare, comment) = command.split_once('#').unwrap_or((&command, ""));
        let done = shell(&home, &checkout, &format!("{bare} --dry-run #{comment}"));
        if !done.status.success() {
            wrong.push(format!("{page}: tg {command}\n{}", String::from_utf8_lossy(&done.stderr)));
        }
    }
    assert!(seen > 20, "only {seen} runs were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(home.runs().is_empty(), "nothing was run");
}

/// A command with runs of ours in place of the reader's.
fn stood_in(command: &str, sides: &[String; 2]) -> String {
    let has = |words: &[&str]| words.iter().any(|word| command.contains(word));
    // Nothing stands in for traces of pubsub and for connections with times: a run of `mesh` has those.
    let latest = if has(&["--at ", "'rtt*'", "--all ", "analyze compare", "'rtt'", "@ clients"]) {
        sides[1].clone()
    } else if has(&["analyze lookup", "--k ", "--filter", "params.k", "queries", "tags."]) {
        "./look".to_owned()
    } else {
        "./run".to_owned()
    };
    let both = format!("{} {}", sides[0], sides[1]);
    let mut out = command.replace("latest", &latest);
    for (name, runs) in [
        ("BASE+", &sides[0]),
        ("RUST+", &sides[0]),
        ("NEAR+", &sides[0]),
        ("BASE…", &sides[0]),
        ("BASE", &sides[0]),
        ("NEW+", &sides[1]),
        ("GO+", &sides[1]),
        ("FAR+", &sides[1]),
        ("NEW…", &sides[1]),
        ("NEW", &sides[1]),
        ("3f+", &sides[0]),
        ("'20261126-*'", &both),
        ("'nightly-1*'", &sides[0]),
        ("'nightly-2*'", &sides[1]),
        ("'nightly-*'", &both),
    ] {
        out = out.replace(name, runs);
    }
    // Tags and parameters of plans that are not run here, and times that no short run reaches.
    for (name, ours) in [
        ("tags.direction", "tags.kind"),
        ("tags.percent", "tags.index"),
        ("params.channel,tags.size", "params.degree"),
        ("--at 90s", "--at 0.1s"),
    ] {
        out = out.replace(name, ours);
    }
    out
}

#[test]
fn every_question_of_the_book_is_understood() {
    let home = Home::new();
    routing::collected(&home);
    let lookups = format!("zip:{}/fixtures/dht-lookups.zip", env!("CARGO_MANIFEST_DIR"));
    home.tg(["collect", "simlookups", "--source", &lookups, "-o", "look"]).expect(0);
    for _side in 0..2 {
        home.tg(["run", "mesh", "--case", "mesh", "-n", "4", "--collect"]).expect(0);
    }
    let ids: Vec<String> = home.runs().iter().map(|run| run.file.run.to_string()).collect();
    let sides = ids.try_into().expect("two runs");
    let folder = home.path().parent().expect("the scratch folder").to_owned();
    let (mut seen, mut wrong) = (0, Vec::new());
    for (page, command) in commands() {
        let elsewhere = ["s3://", "config.k", "--by commit"].iter().any(|part| command.contains(part));
        if !command.starts_with("analyze ") || elsewhere {
            continue;
        }
        seen += 1;
        let asked = stood_in(&command, &sides);
        let done = shell(&home, &folder, &asked);
        if !done.status.code().is_some_and(|code| UNDERSTOOD.contains(&code)) {
            let told = String::from_utf8_lossy(&done.stderr);
            wrong.push(format!("{page}: tg {command}\n  as: tg {asked}\n  {:?}: {told}", done.status.code()));
        }
    }
    assert!(seen > 40, "only {seen} questions were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A line without what differs from run to run: numbers, and how many blanks line them up.
fn shape(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        match c {
            '0'..='9' if out.ends_with('0') => {}
            '0'..='9' => out.push('0'),
            ' ' if out.ends_with(' ') => {}
            c => out.push(c),
        }
    }
    out
}

#[test]
fn the_first_run_goes_as_the_book_tells_it() {
    let home = Home::new();
    let folder = home.path().parent().expect("the scratch folder").to_owned();
    let sessions = blocks(&page("guide/first-run.md"), "console");
    let mut commands = 0;
    for session in sessions {
        for part in session.split("$ ").filter(|part| !part.trim().is_empty()) {
            let (command, told) = part.split_once('\n').expect("a command and what it prints");
            let command = command.strip_prefix("tg ").expect("a command of tg");
            commands += 1;
            let done = shell(&home, &folder, &format!("{command} 2>&1"));
            let printed = String::from_utf8_lossy(&done.stdout).into_owned();
            assert!(done.status.success(), "tg {command}\n{printed}");
            // Run ids end in letters that are drawn, and lines of three instances come in any order.
            let clean = |text: &str| {
                let mut lines: Vec<String> =
                    text.lines().map(|line| shape(&named(line))).filter(|line| !line.trim().is_empty()).collect();
                lines.sort();
                lines.dedup();
                lines
            };
            let printed = clean(&printed);
            for line in clean(told).iter().filter(|line| line.trim() != "…") {
                assert!(
                    printed.contains(line),
                    "tg {command}: `{line}` is in the book and not among\n{}",
                    printed.join("\n")
                );
            }
        }
    }
    assert!(commands >= 3, "{commands} commands in the first run");
}

/// A line without the four letters at the end of a run's id.
fn named(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for word in &mut words {
        let parts: Vec<&str> = word.trim_end_matches([':', ',']).split('-').collect();
        if parts.len() == 3
            && parts[0].len() == 8
            && parts[1].len() == 9
            && parts[0].bytes().all(|b| b.is_ascii_digit())
        {
            "RUN".clone_into(word);
        }
    }
    words.join(" ")
}
