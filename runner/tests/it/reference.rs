//! The reference page says what the code does.

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path))
        .expect("a file of the repository")
}

/// The rows of the first table whose head begins so.
fn rows<'a>(text: &'a str, head: &str) -> Vec<&'a str> {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches("///").trim());
    lines.skip_while(|line| !line.starts_with(head)).skip(2).take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn the_table_of_evidence_is_that_of_the_code() {
    let (page, code) = (read("docs/src/reference/outcomes.md"), read("sdk/model/src/outcome.rs"));
    let wanted = rows(&code, "| evidence |");
    assert_eq!(wanted.len(), 16);
    assert_eq!(rows(&page, "| evidence |"), wanted);
}

#[test]
fn every_note_that_the_runner_makes_is_on_the_page() {
    let page = read("docs/src/reference/outcomes.md");
    let told: BTreeSet<&str> = rows(&page, "| reason |").iter().filter_map(|row| row.split('`').nth(1)).collect();
    let mut made = BTreeSet::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).expect("the sources") {
        let path = entry.expect("an entry").path();
        if !path.is_file() {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for opening in ["Note(", "note(", "notes.push(("] {
            for (at, _) in code.match_indices(opening) {
                // The reason is the first argument, a literal, perhaps on the next line.
                let rest = code[at + opening.len()..].trim_start();
                if let Some(reason) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                    made.insert(reason.to_owned());
                }
            }
        }
    }
    assert_eq!(made.iter().map(String::as_str).collect::<BTreeSet<_>>(), told);
}
