//! Every command that the book and the README show is one that this tg takes.

use std::fs;
use std::path::{Path, PathBuf};

fn pages(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder of the book") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            out.push(path);
        }
    }
}

/// The words of a command line as a shell takes them; a comment ends it.
fn words(line: &str) -> Vec<String> {
    let (mut out, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(q)) if c == q => quote = None,
            ('#', None) if word.is_none() => break,
            (' ', None) => out.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    out
}

/// The commands of tg in a page: those in blocks of a shell, or behind a prompt in a session.
fn commands(page: &str) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let mut block = None;
    let joined = page.replace("\\\n", " ");
    for line in joined.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(kind), None) => block = Some(kind),
            (Some(_), Some(_)) => block = None,
            (None, Some("sh")) => out.push(words(line)),
            (None, Some("console")) => out.extend(line.strip_prefix("$ ").map(words)),
            (None, _) => {}
        }
    }
    let of_tg = |words: Vec<String>| {
        // What is piped into tg, or tg into, is another's; and `cargo run -- demo` is `tg demo`.
        let mut words: Vec<String> = words.into_iter().take_while(|word| !matches!(word.as_str(), "|" | ">")).collect();
        if words.iter().take(3).eq(["cargo", "run", "--"].iter()) {
            words.splice(..3, ["tg".to_owned()]);
        }
        (words.first().is_some_and(|word| word == "tg")).then_some(words)
    };
    out.into_iter().filter_map(of_tg).collect()
}

#[test]
fn every_command_of_the_book_is_taken() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut files = vec![root.join("README.md")];
    pages(&root.join("docs/src"), &mut files);
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files {
        for command in commands(&fs::read_to_string(&file).expect("a page")) {
            seen += 1;
            if let Err(error) = tg_cli::command().try_get_matches_from(&command)
                && error.use_stderr()
            {
                wrong.push(format!("{}: {}\n{error}", file.display(), command.join(" ")));
            }
        }
    }
    assert!(seen > 80, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_are_told_from_what_they_print() {
    let page = "```console\n$ tg a 'b c' | jq .\ntg z\n```\ntg y\n```sh\ntg d \\\n  --e \"f\"  # tg g\nls\ncargo run -- h\n```\n";
    assert_eq!(commands(page), [vec!["tg", "a", "b c"], vec!["tg", "d", "--e", "f"], vec!["tg", "h"]]);
}
