//! Nodes and edges as two tables.

use polars::prelude::{DataFrame, ParquetWriter, PolarsResult, df};

use super::attributes::{Attributes, direction, edges};
use super::networks::Named;
use crate::error::AnalyzeError;

fn frames(named: &Named, attributes: &Attributes) -> PolarsResult<[DataFrame; 2]> {
    let nodes = &named.network.nodes;
    let name = |node: u32| &*nodes[node as usize].name;
    let edges = edges(&named.network);
    Ok([
        df!(
            "node" => (0_u32..).take(nodes.len()).collect::<Vec<_>>(),
            "name" => nodes.iter().map(|node| &*node.name).collect::<Vec<_>>(),
            "peer_id" => nodes.iter().map(|node| node.peer_id.as_deref()).collect::<Vec<_>>(),
            "group" => nodes.iter().map(|node| node.group()).collect::<Vec<_>>(),
            "outcome" => nodes.iter().map(|node| node.outcome()).collect::<Vec<_>>(),
            "degree" => attributes.degree.clone(),
            "out_degree" => attributes.out_degree.clone(),
            "in_degree" => attributes.in_degree.clone(),
            "core" => attributes.core.clone(),
            "betweenness" => attributes.betweenness.clone(),
            "betweenness_error" => (0..nodes.len()).map(|at| Some(attributes.betweenness_error.as_ref()?[at])).collect::<Vec<_>>(),
            "component" => attributes.component.clone(),
        )?,
        df!(
            "from" => edges.iter().map(|edge| edge.0).collect::<Vec<_>>(),
            "to" => edges.iter().map(|edge| edge.1).collect::<Vec<_>>(),
            "from_name" => edges.iter().map(|edge| name(edge.0)).collect::<Vec<_>>(),
            "to_name" => edges.iter().map(|edge| name(edge.1)).collect::<Vec<_>>(),
            "direction" => edges.iter().map(|edge| direction(edge.2)).collect::<Vec<_>>(),
        )?,
    ])
}

pub(super) fn parquet(named: &Named, attributes: &Attributes) -> Result<[Vec<u8>; 2], AnalyzeError> {
    let write = || -> PolarsResult<[Vec<u8>; 2]> {
        let [mut nodes, mut edges] = frames(named, attributes)?;
        let mut files = [Vec::new(), Vec::new()];
        ParquetWriter::new(&mut files[0]).finish(&mut nodes)?;
        ParquetWriter::new(&mut files[1]).finish(&mut edges)?;
        Ok(files)
    };
    write().map_err(|source| AnalyzeError::Export { what: named.title(), source })
}

/// Lines end as RFC 4180 says.
pub(super) fn csv(named: &Named, attributes: &Attributes) -> Result<[Vec<u8>; 2], AnalyzeError> {
    let frames = frames(named, attributes).map_err(|source| AnalyzeError::Export { what: named.title(), source })?;
    Ok(frames.map(|frame| {
        let head: Vec<String> = frame.get_column_names().iter().map(|name| field(name)).collect();
        let mut text = head.join(",") + "\r\n";
        for row in 0..frame.height() {
            let cells = frame.columns().iter().map(|column| match column.get(row) {
                Ok(value) if value.is_null() => String::new(),
                Ok(value) => field(&value.str_value()),
                Err(_) => String::new(),
            });
            text.push_str(&cells.collect::<Vec<_>>().join(","));
            text.push_str("\r\n");
        }
        text.into_bytes()
    }))
}

fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}
