//! What a collect has made, on a screen at most.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use tg_collector::Collected;
use tg_model::RunId;

use crate::text::{clean, count};

/// More tables than this are only counted.
const MOST_TABLES: usize = 24;
/// More reasons than this are only counted.
const MOST_REASONS: usize = 5;
/// The columns of a terminal that nobody has widened.
const WIDTH: usize = 78;

/// What a folder is called on a command line, where a bare word would be a run of the home.
pub(super) fn folder(into: &Path) -> String {
    let name = into.display().to_string();
    if name.contains(std::path::is_separator) || name.starts_with('.') { name } else { format!("./{name}") }
}

/// Says what was collected, where it is, and what to type next to look at what has that name.
pub(super) fn write(
    out: &mut dyn Write,
    run: &RunId,
    name: &str,
    collected: &Collected,
    took: Duration,
) -> io::Result<()> {
    let mut first = format!("{} files, {}", HumanCount(collected.files), HumanBytes(collected.bytes));
    if collected.dataset.is_some() {
        first = format!("{first}, {} lines", HumanCount(collected.lines));
    }
    writeln!(out, "Collected {run}: {first}, in {}", crate::text::duration_ns(crate::text::ns(took)))?;
    if collected.unchanged {
        writeln!(out, "  nothing has changed at the source; no file was fetched again")?;
    } else if collected.kept_files > 0 {
        let kept = HumanCount(collected.kept_files);
        writeln!(out, "  {kept} of the files were there from an earlier collect and were not fetched again")?;
    }
    if !collected.outcomes.is_empty() {
        let mut outcomes: Vec<_> = collected.outcomes.iter().collect();
        outcomes.sort_by_key(|(word, _)| (**word != "ok", **word));
        let outcomes: Vec<String> = outcomes.iter().map(|(word, n)| format!("{} {word}", HumanCount(**n))).collect();
        writeln!(out, "  instances  {}", outcomes.join(", "))?;
    }
    if !collected.rows.is_empty() {
        writeln!(out, "  rows")?;
        let cells: Vec<(String, String)> = collected
            .rows
            .iter()
            .take(MOST_TABLES)
            .map(|(table, rows)| (short(table), HumanCount(*rows).to_string()))
            .collect();
        in_columns(out, &cells)?;
        if collected.rows.len() > MOST_TABLES {
            writeln!(out, "    and {}", count((collected.rows.len() - MOST_TABLES) as u64, "other table"))?;
        }
    }
    notes(out, collected)?;
    for pattern in collected.idle_rules.iter().take(MOST_REASONS) {
        writeln!(out, "  rules      `{}` matches no file", short(pattern))?;
    }
    if let Some(archive) = &collected.archive {
        writeln!(out, "  archive    {} ({})", archive.display(), HumanBytes(collected.archive_bytes))?;
    }
    if let Some(dataset) = &collected.dataset {
        writeln!(out, "  dataset    {}", dataset.display())?;
        writeln!(out, "Next: tg analyze stats {name}")?;
    }
    Ok(())
}

/// A table of a plan's own may be called anything.
fn short(table: &str) -> String {
    const MOST: usize = 32;
    let table = clean(table);
    if table.chars().count() <= MOST {
        return table;
    }
    table.chars().take(MOST - 1).chain(['…']).collect()
}

/// The end of a place, which tells more than its beginning.
fn tail(place: &str, most: usize) -> String {
    let place = clean(place);
    let count = place.chars().count();
    if count <= most { place } else { std::iter::once('…').chain(place.chars().skip(count + 1 - most)).collect() }
}

/// Names and numbers, in as many columns as fit, downwards.
fn in_columns(out: &mut dyn Write, cells: &[(String, String)]) -> io::Result<()> {
    let longest = |of: fn(&(String, String)) -> &String| cells.iter().map(|cell| of(cell).chars().count()).max();
    let (names, numbers) = (longest(|cell| &cell.0).unwrap_or(0), longest(|cell| &cell.1).unwrap_or(0));
    let columns = ((WIDTH - 4) / (names + numbers + 5)).max(1);
    let lines = cells.len().div_ceil(columns);
    for line in 0..lines {
        let row: Vec<String> = cells
            .iter()
            .skip(line)
            .step_by(lines)
            .map(|(name, number)| format!("{name:names$}  {number:>numbers$}"))
            .collect();
        writeln!(out, "    {}", row.join("   "))?;
    }
    Ok(())
}

fn notes(out: &mut dyn Write, collected: &Collected) -> io::Result<()> {
    let total: u64 = collected.notes.values().sum();
    if total == 0 {
        return Ok(());
    }
    let each = if collected.dataset.is_some() { ", each in table `notes`" } else { "" };
    writeln!(out, "  notes      {} on what was not read or was odd{each}", HumanCount(total))?;
    let mut reasons: Vec<_> = collected.notes.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let shown = &reasons[..reasons.len().min(MOST_REASONS)];
    let width = shown.iter().map(|(reason, _)| short(reason).chars().count()).max().unwrap_or(0);
    let digits = shown.iter().map(|(_, n)| HumanCount(**n).to_string().len()).max().unwrap_or(0);
    for (reason, n) in shown {
        let line = format!("    {:width$}  {:>digits$}", short(reason), HumanCount(**n).to_string());
        match collected.first_notes.get(*reason) {
            Some(place) => {
                let most = WIDTH.saturating_sub(line.chars().count() + 11).max(8);
                writeln!(out, "{line}   first in {}", tail(place, most))?;
            }
            None => writeln!(out, "{line}")?,
        }
    }
    if reasons.len() > MOST_REASONS {
        writeln!(out, "    and {}", count((reasons.len() - MOST_REASONS) as u64, "other reason"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_summary_of_many_tables_and_reasons_fits_a_screen() {
        let collected = Collected {
            files: 12_345,
            bytes: 5 << 30,
            lines: 1_234_567,
            kept_files: 3,
            archive: Some(PathBuf::from("/x/outputs.zip")),
            dataset: Some(PathBuf::from("/x/dataset")),
            rows: (0..60).map(|n| (format!("table_{n:02}"), n * 100_000)).collect(),
            notes: (0..20).map(|n| (format!("reason-{n}"), n + 1)).collect(),
            first_notes: (0..20).map(|n| (format!("reason-{n}"), format!("{}/run.out:7", "g".repeat(99)))).collect(),
            outcomes: [("ok", 9), ("failed", 1)].into(),
            ..Collected::default()
        };
        let mut out = Vec::new();
        write(&mut out, &"r1".parse().expect("a good id"), "r1", &collected, Duration::from_secs(90)).expect("memory");
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.lines().count() <= 23 && text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("1 failed") && text.contains("9 ok, "), "{text}");
        assert!(text.contains("run.out:7"), "{text}");
        assert!(text.contains("Next: tg analyze stats r1"), "{text}");
    }

    #[test]
    fn a_folder_is_never_taken_for_a_run() {
        for (into, name) in [("mine", "./mine"), ("r1", "./r1"), ("a/b", "a/b"), ("/x", "/x"), ("./r1", "./r1")] {
            assert_eq!(folder(Path::new(into)), name);
        }
    }
}
