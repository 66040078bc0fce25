//! Names of columns: which was meant, and lists of them.

use tg_model::near::nearest;

use super::{FilterError, Kind};

/// No more names than this are told.
const TOLD: usize = 90;

/// That there is no such column, and what could be meant.
pub(super) fn meant(name: &str, columns: &[(&str, Kind)]) -> String {
    let known = || columns.iter().map(|(known, _)| *known);
    // Whoever leaves out `params.` means the parameter.
    let behind = |known: &&str| known.split_once('.').is_some_and(|(_, rest)| rest == name);
    let near = known().find(behind).or_else(|| nearest(name, known()));
    let advice = if let Some(near) = near {
        format!(", did you mean `{near}`?")
    } else {
        // Whoever asks for a parameter wants to know which there are.
        let prefix = name.split_once('.').map_or("", |(prefix, _)| &name[..=prefix.len()]);
        let of_kind = || known().filter(|known| known.starts_with(prefix));
        let of = if of_kind().next().is_some() { prefix } else { "" };
        let names: Vec<&str> = known().filter(|known| known.starts_with(of)).collect();
        let more = if names.len() > TOLD { ", …" } else { "" };
        format!("; there are {}{more}", names.iter().take(TOLD).copied().collect::<Vec<_>>().join(", "))
    };
    format!("there is no column `{name}`{advice}")
}

/// Reads names of columns that commas part, and gives their places among those given, each once.
///
/// A name may stand between backticks, as in a condition; then it may hold a comma.
pub(crate) fn names(text: &str, columns: &[(&str, Kind)]) -> Result<Vec<usize>, FilterError> {
    let mut found = Vec::new();
    let mut begin = 0;
    loop {
        let quoted = text[begin..].trim_start().starts_with('`');
        let opened = begin + text[begin..].len() - text[begin..].trim_start().len();
        // In a quoted name the comma that ends it comes after the second backtick.
        let from = if quoted { text[opened + 1..].find('`').map_or(text.len(), |at| opened + at + 2) } else { opened };
        let end = text[from..].find(',').map_or(text.len(), |at| from + at);
        let name = text[opened..end].trim();
        let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or(name);
        let wrong = |why: String| FilterError { text: text.to_owned(), at: text[..opened].chars().count(), why };
        if name.is_empty() {
            return Err(wrong("the name of a column must stand here".to_owned()));
        }
        let column = columns.iter().position(|(known, _)| *known == name);
        let column = column.ok_or_else(|| wrong(meant(name, columns)))?;
        if !found.contains(&column) {
            found.push(column);
        }
        if end == text.len() {
            return Ok(found);
        }
        begin = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parted_by_commas_and_mistakes_have_a_place() {
        let columns = [("group", Kind::Text), ("params.k", Kind::Written), ("tags.a,b", Kind::Written)];
        assert_eq!(names("group", &columns).unwrap(), [0]);
        assert_eq!(names(" params.k , `tags.a,b`,group,group", &columns).unwrap(), [1, 2, 0]);
        for (text, at, why) in [
            ("", 0, "name of a column"),
            ("group,", 6, "name of a column"),
            ("group, gruop", 7, "did you mean `group`?"),
            ("k", 0, "did you mean `params.k`?"),
            ("group,somewhere", 6, "; there are group, params.k, tags.a,b"),
            ("params.whatever", 0, "; there are params.k"),
            ("config.whatever", 0, "; there are group, params.k, tags.a,b"),
            ("`group", 0, "there is no column"),
        ] {
            let error = names(text, &columns).expect_err(text);
            assert!(error.at == at && error.why.contains(why), "{text}: {} at {}", error.why, error.at);
        }
    }
}
