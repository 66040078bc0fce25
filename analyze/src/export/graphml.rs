//! `GraphML`.

use super::attributes::{Attributes, direction, edges};
use super::networks::Named;
use crate::draw::escape;

const KEYS: [(&str, &str); 11] = [
    ("label", "string"),
    ("group", "string"),
    ("outcome", "string"),
    ("peer_id", "string"),
    ("degree", "int"),
    ("out_degree", "int"),
    ("in_degree", "int"),
    ("core", "int"),
    ("component", "int"),
    ("betweenness", "double"),
    ("betweenness_error", "double"),
];

pub(super) fn write(named: &Named, attributes: &Attributes) -> String {
    let mut lines = vec![
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd\">"
            .to_owned(),
    ];
    for (key, kind) in KEYS {
        lines.push(format!("  <key id=\"{key}\" for=\"node\" attr.name=\"{key}\" attr.type=\"{kind}\"/>"));
    }
    lines.push("  <key id=\"direction\" for=\"edge\" attr.name=\"direction\" attr.type=\"string\"/>".to_owned());
    lines.push("  <key id=\"title\" for=\"graph\" attr.name=\"title\" attr.type=\"string\"/>".to_owned());
    lines.push("  <graph id=\"G\" edgedefault=\"directed\">".to_owned());
    lines.push(format!("    <data key=\"title\">{}</data>", escape(&named.title())));
    for (at, node) in named.network.nodes.iter().enumerate() {
        let values = [
            Some(escape(&node.name)),
            Some(escape(node.group_or_foreign())),
            node.outcome().map(escape),
            node.peer_id.as_deref().map(escape),
            Some(attributes.degree[at].to_string()),
            Some(attributes.out_degree[at].to_string()),
            Some(attributes.in_degree[at].to_string()),
            Some(attributes.core[at].to_string()),
            Some(attributes.component[at].to_string()),
            Some(attributes.betweenness[at].to_string()),
            attributes.betweenness_error.as_ref().map(|errors| errors[at].to_string()),
        ];
        let data: Vec<String> = KEYS
            .iter()
            .zip(values)
            .filter_map(|((key, _), value)| Some(format!("<data key=\"{key}\">{}</data>", value?)))
            .collect();
        lines.push(format!("    <node id=\"n{at}\">{}</node>", data.concat()));
    }
    for (number, (from, to, known)) in edges(&named.network).into_iter().enumerate() {
        lines.push(format!(
            "    <edge id=\"e{number}\" source=\"n{from}\" target=\"n{to}\"><data key=\"direction\">{}</data></edge>",
            direction(known)
        ));
    }
    lines.push("  </graph>\n</graphml>\n".to_owned());
    lines.join("\n")
}
