//! DOT, the language of Graphviz.

use super::attributes::{Attributes, edges};
use super::networks::Named;

/// A directed graph as DOT. Nodes are numbered, and their names are labels: no name can break the file.
pub(super) fn write(named: &Named, attributes: &Attributes) -> String {
    let mut lines = vec![format!("digraph {} {{", quoted(&named.title()))];
    for (at, node) in named.network.nodes.iter().enumerate() {
        let texts = [
            ("label", Some(&*node.name)),
            ("group", Some(node.group_or_foreign())),
            ("outcome", node.outcome()),
            ("peer_id", node.peer_id.as_deref()),
        ];
        let mut all: Vec<String> =
            texts.iter().filter_map(|(key, text)| Some(format!("{key}={}", quoted((*text)?)))).collect();
        let counts = [
            ("degree", &attributes.degree),
            ("out_degree", &attributes.out_degree),
            ("in_degree", &attributes.in_degree),
            ("core", &attributes.core),
            ("component", &attributes.component),
        ];
        all.extend(counts.iter().map(|(key, values)| format!("{key}={}", values[at])));
        all.push(format!("betweenness={}", attributes.betweenness[at]));
        all.extend(attributes.betweenness_error.iter().map(|errors| format!("betweenness_error={}", errors[at])));
        lines.push(format!("  Z{at} [{}];", all.join(", ")));
    }
    for (from, to, known) in edges(&named.network) {
        let way = if known { "" } else { " [dir=none]" };
        lines.push(format!("  Z{from} -> Z{to}{way};"));
    }
    lines.push("}\n".to_owned());
    lines.join("\n")
}

/// Text between quotes. A backslash would begin an escape sequence of labels; control characters are no text.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_quotes() {
        assert_eq!(quoted("a\"; } \\ \n\u{0}"), "\"a\\\"; } \\\\ \\n\u{fffd}\"");
    }
}
