//! A lookup by what a user types.

use super::lookups::Lookup;
use crate::error::AnalyzeError;

/// How many ids an error names.
const NAMED: usize = 5;

/// The lookup that is meant: by its number in the run, its own id, or a prefix of it that no other has. Whatever is a
/// lookup's number means that number.
pub fn find<'a>(lookups: &'a [Lookup], wanted: &str) -> Result<&'a Lookup, AnalyzeError> {
    let by_number =
        wanted.parse().ok().and_then(|number: u64| lookups.binary_search_by_key(&number, |one| one.query).ok());
    if let Some(at) = by_number {
        return Ok(&lookups[at]);
    }
    let with = |fits: &dyn Fn(&str) -> bool| -> Vec<&Lookup> {
        lookups.iter().filter(|lookup| lookup.id.as_deref().is_some_and(fits)).collect()
    };
    let mut found = with(&|id| id == wanted);
    if found.is_empty() && !wanted.is_empty() {
        found = with(&|id| id.starts_with(wanted));
    }
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(AnalyzeError::Question(format!("there is no lookup `{wanted}`: {}", near(lookups, wanted)))),
        many => {
            let ids: Vec<String> = many.iter().take(NAMED).map(|lookup| name(lookup)).collect();
            let more = if many.len() > NAMED { ", …" } else { "" };
            Err(AnalyzeError::Question(format!("`{wanted}` means {} lookups: {}{more}", many.len(), ids.join(", "))))
        }
    }
}

fn name(lookup: &Lookup) -> String {
    let id = lookup.id.as_deref().map_or(String::new(), |id| format!("`{id}` "));
    format!("{id}({} of {})", lookup.query, lookup.instance)
}

/// The ids that begin most like what was typed; without any that does, the range of numbers.
fn near(lookups: &[Lookup], wanted: &str) -> String {
    let shared = |id: &str| id.chars().zip(wanted.chars()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let mut ids: Vec<(usize, &Lookup)> = lookups
        .iter()
        .filter_map(|lookup| Some((shared(lookup.id.as_deref()?), lookup)))
        .filter(|(shared, _)| *shared > 0)
        .collect();
    ids.sort_by_key(|(shared, lookup)| (std::cmp::Reverse(*shared), lookup.query));
    let best = ids.first().map_or(0, |best| best.0);
    let names: Vec<String> =
        ids.iter().filter(|one| one.0 == best).take(NAMED).map(|(_, lookup)| name(lookup)).collect();
    if !names.is_empty() {
        return format!("near it are {}", names.join(", "));
    }
    match (lookups.first(), lookups.last()) {
        (Some(first), Some(last)) => format!("the run has {} to {}", first.query, last.query),
        _ => "the run has none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(query: u64, id: Option<&str>) -> Lookup {
        Lookup { query, id: id.map(str::to_owned), instance: format!("core/{query}"), ..Lookup::default() }
    }

    #[test]
    fn numbers_ids_and_prefixes() {
        let lookups = [
            lookup(0, Some("abc1")),
            lookup(1, Some("abd2")),
            lookup(2, Some("7")),
            lookup(3, Some("7")),
            lookup(4, Some("2f")),
            lookup(5, None),
        ];
        let number = |wanted: &str| find(&lookups, wanted).map(|lookup| lookup.query).map_err(|why| why.to_string());
        let rows = [("0", 0), ("5", 5), ("abc1", 0), ("abd", 1), ("2f", 4), ("2", 2)];
        for (wanted, query) in rows {
            assert_eq!(number(wanted), Ok(query), "{wanted}");
        }
        let rows = [
            ("ab", "`ab` means 2 lookups: `abc1` (0 of core/0), `abd2` (1 of core/1)"),
            ("7", "`7` means 2 lookups: `7` (2 of core/2), `7` (3 of core/3)"),
            ("abcx", "there is no lookup `abcx`: near it are `abc1` (0 of core/0)"),
            ("99", "there is no lookup `99`: the run has 0 to 5"),
            ("", "there is no lookup ``: the run has 0 to 5"),
        ];
        for (wanted, why) in rows {
            assert_eq!(number(wanted), Err(why.to_owned()), "{wanted}");
        }
    }
}
