//! GEXF 1.3, the format of Gephi.

use super::attributes::{Attributes, direction, edges};
use super::networks::Named;
use crate::draw::escape;

const KEYS: [(&str, &str); 10] = [
    ("group", "string"),
    ("outcome", "string"),
    ("peer_id", "string"),
    ("degree", "integer"),
    ("out_degree", "integer"),
    ("in_degree", "integer"),
    ("core", "integer"),
    ("component", "integer"),
    ("betweenness", "double"),
    ("betweenness_error", "double"),
];

pub(super) fn write(named: &Named, attributes: &Attributes) -> String {
    let mut lines = vec![
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        "<gexf xmlns=\"http://gexf.net/1.3\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:schemaLocation=\"http://gexf.net/1.3 http://gexf.net/1.3/gexf.xsd\" version=\"1.3\">"
            .to_owned(),
        format!("  <meta><creator>tg</creator><description>{}</description></meta>", escape(&named.title())),
        "  <graph defaultedgetype=\"directed\" mode=\"static\">".to_owned(),
        "    <attributes class=\"node\" mode=\"static\">".to_owned(),
    ];
    for (id, (key, kind)) in KEYS.iter().enumerate() {
        lines.push(format!("      <attribute id=\"{id}\" title=\"{key}\" type=\"{kind}\"/>"));
    }
    lines.push("    </attributes>\n    <attributes class=\"edge\" mode=\"static\">".to_owned());
    lines.push(
        "      <attribute id=\"0\" title=\"direction\" type=\"string\"/>\n    </attributes>\n    <nodes>".to_owned(),
    );
    for (at, node) in named.network.nodes.iter().enumerate() {
        let values = [
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
        let data: Vec<String> = values
            .into_iter()
            .enumerate()
            .filter_map(|(id, value)| Some(format!("<attvalue for=\"{id}\" value=\"{}\"/>", value?)))
            .collect();
        lines.push(format!(
            "      <node id=\"n{at}\" label=\"{}\"><attvalues>{}</attvalues></node>",
            escape(&node.name),
            data.concat()
        ));
    }
    lines.push("    </nodes>\n    <edges>".to_owned());
    for (number, (from, to, known)) in edges(&named.network).into_iter().enumerate() {
        lines.push(format!(
            "      <edge id=\"e{number}\" source=\"n{from}\" target=\"n{to}\"><attvalues><attvalue for=\"0\" \
             value=\"{}\"/></attvalues></edge>",
            direction(known)
        ));
    }
    lines.push("    </edges>\n  </graph>\n</gexf>\n".to_owned());
    lines.join("\n")
}
