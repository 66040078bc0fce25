//! Turns what the instances of a run wrote into one archive and one Parquet dataset.
