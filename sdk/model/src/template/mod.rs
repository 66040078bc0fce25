//! Templates in compositions: the part of Go's `text/template` that compositions use.
//!
//! Actions in `{{ }}` with trim markers and comments; pipelines, variables, fields, parentheses; `if`, `with`, `range`,
//! `define`, `template`, `block`, `break`, `continue`; Go's functions but `call`, `html`, `js` and `urlquery`, and the
//! seven of Testground: `split`, `atoi`, `load_resource`, `pick`, `toml`, `withEnv` and `.Env`. A difference that is
//! meant: a value that is not there is an error where Go prints `<no value>` into the composition.

mod call;
mod eval;
mod lex;
mod parse;
mod value;

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
    let made = parse::parse(text).map_err(|failure| vec![failure]);
    made.and_then(|template| eval::run(&template, resolver)).map_err(|failures| {
        let problem = |failure: Failure| Problem {
            file: file.to_owned(),
            line: Some(failure.line),
            text: failure.text,
            hint: failure.hint.or_else(|| Some(GUIDE.to_owned())),
        };
        failures.into_iter().map(problem).collect()
    })
}

/// Fills in a template and gives only the text.
pub fn expand(file: &str, text: &str, resolver: &dyn Resolver) -> Result<String, Vec<Problem>> {
    fill(file, text, resolver).map(|filled| filled.text)
}

/// What to do where nothing better is known.
const GUIDE: &str = "actions are those of Go's `text/template`: `{{ FUNCTION VALUE … }}`, blocks end with `{{ end }}`";

/// The most bytes that a template may make, and that one value in it may have.
const MOST_BYTES: usize = 8 << 20;

/// The most steps that a template may take.
const MOST_STEPS: u32 = 1_000_000;

/// The most problems of one template that are told.
const MOST_FAILURES: usize = 50;

/// How deep blocks, parentheses and calls of templates may lie in one another. Small, since each level costs stack.
const DEEPEST: u32 = 64;

/// Why a template cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    line: u32,
    text: String,
    hint: Option<String>,
}

impl Failure {
    fn new(line: u32, text: impl Into<String>) -> Self {
        Self { line, text: text.into(), hint: None }
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
