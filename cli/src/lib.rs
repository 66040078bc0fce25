//! The tg command: parses flags, joins the crates, renders events and reports, picks the exit code.

pub mod render;
