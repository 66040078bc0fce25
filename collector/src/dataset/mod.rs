//! The dataset: one folder of Parquet files per table.

pub(crate) mod asked;
pub(crate) mod build;
pub(crate) mod columns;
pub(crate) mod connections;
pub(crate) mod finish;
pub(crate) mod gathered;
pub(crate) mod instances;
pub(crate) mod lookup_row;
pub(crate) mod lookups;
pub(crate) mod machine;
pub(crate) mod own;
pub(crate) mod own_line;
pub(crate) mod own_rows;
pub(crate) mod peers;
pub(crate) mod places;
pub(crate) mod queries;
pub(crate) mod rows;
pub(crate) mod schema;
pub(crate) mod scratch;
pub(crate) mod segment;
pub(crate) mod sort;
pub(crate) mod tree;
pub(crate) mod write;
