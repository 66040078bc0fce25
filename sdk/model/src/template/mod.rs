//! Templates in compositions: the part of Go's `text/template` that compositions use.

use crate::problem::Problem;

/// Gives a template the environment and files, so that this crate does no I/O.
pub trait Resolver {
    /// A variable of the environment.
    fn env(&self, name: &str) -> Option<String>;
    /// The text of a file; the path is relative to the composition. An error is told as it stands.
    fn read(&self, path: &str) -> Result<String, String>;
}

/// A text made from a template, and for each of its lines the line of the template that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// The text.
    pub text: String,
    /// Lines of the template, from 1.
    pub lines: Vec<u32>,
}

/// Fills in a template.
pub fn fill(file: &str, text: &str, resolver: &dyn Resolver) -> Result<Filled, Vec<Problem>> {
    let _ = resolver;
    if let Some(at) = text.find("{{") {
        let line = u32::try_from(text[..at].matches('\n').count() + 1).ok();
        return Err(vec![Problem::new(file, line, "templates are not read yet")]);
    }
    let lines = (1..=u32::try_from(text.lines().count().max(1)).unwrap_or(u32::MAX)).collect();
    Ok(Filled { text: text.to_owned(), lines })
}

/// Fills in a template and gives only the text.
pub fn expand(file: &str, text: &str, resolver: &dyn Resolver) -> Result<String, Vec<Problem>> {
    fill(file, text, resolver).map(|filled| filled.text)
}
