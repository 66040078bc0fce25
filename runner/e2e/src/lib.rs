//! Fixture plans and whole-tool tests.
