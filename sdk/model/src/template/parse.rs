//! Makes a tree of a template's pieces.

use std::collections::BTreeMap;

use super::lex::{Kind, Piece, Token, pieces};
use super::{DEEPEST, Failure};
use crate::problem::shown;

#[derive(Debug)]
pub(super) struct Template<'s> {
    pub(super) main: Vec<Node<'s>>,
    /// What `define` and `block` named.
    pub(super) named: BTreeMap<String, Vec<Node<'s>>>,
}

#[derive(Debug)]
pub(super) enum Node<'s> {
    Text(&'s str, u32),
    Output(Pipeline),
    If(Branch<'s>),
    With(Branch<'s>),
    Range(Branch<'s>),
    Call { name: String, argument: Option<Pipeline>, line: u32 },
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct Branch<'s> {
    pub(super) pipeline: Pipeline,
    pub(super) then: Vec<Node<'s>>,
    pub(super) otherwise: Vec<Node<'s>>,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) line: u32,
    /// The variables that get the value; `range` may have two.
    pub(super) variables: Vec<String>,
    /// Whether the variables are new.
    pub(super) declares: bool,
    /// At least one.
    pub(super) commands: Vec<Command>,
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) line: u32,
    /// At least one.
    pub(super) terms: Vec<Term>,
}

#[derive(Debug)]
pub(super) struct Term {
    pub(super) base: Base,
    /// `.a.b` behind it.
    pub(super) fields: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Base {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Variable(String),
    Function(String),
    Pipeline(Box<Pipeline>),
}

pub(super) fn parse(source: &str) -> Result<Template<'_>, Failure> {
    let mut parser =
        Parser { pieces: pieces(source)?.into_iter(), named: BTreeMap::new(), loops: 0, depth: 0, line: 1 };
    let (main, end) = parser.block(true)?;
    match end {
        None => Ok(Template { main, named: parser.named }),
        Some(end) => Err(Failure::new(end.line, format!("`{{{{ {} }}}}` closes nothing", end.word))),
    }
}

struct Parser<'s> {
    pieces: std::vec::IntoIter<Piece<'s>>,
    named: BTreeMap<String, Vec<Node<'s>>>,
    loops: u32,
    depth: u32,
    line: u32,
}

/// What ended a block: `end` or `else`, with what stands behind it.
struct End {
    word: &'static str,
    line: u32,
    rest: Vec<Token>,
}

type Block<'s> = (Vec<Node<'s>>, Option<End>);

impl<'s> Parser<'s> {
    /// Reads to the `end` or `else` that closes this block, or to the end of the template.
    fn block(&mut self, outermost: bool) -> Result<Block<'s>, Failure> {
        let mut out = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (tokens, line) = match piece {
                Piece::Text(text, line) => {
                    out.push(Node::Text(text, line));
                    continue;
                }
                Piece::Action(tokens, line) => (tokens, line),
            };
            self.line = line;
            let word = match &tokens[0].kind {
                Kind::Word(word) => word.as_str(),
                _ => "",
            };
            let rest = || tokens[1..].to_vec();
            match word {
                "end" => return Ok((out, Some(End { word: "end", line, rest: rest() }))),
                "else" => return Ok((out, Some(End { word: "else", line, rest: rest() }))),
                "if" => out.push(Node::If(self.branch("if", rest(), line)?)),
                "with" => out.push(Node::With(self.branch("with", rest(), line)?)),
                "range" => out.push(Node::Range(self.branch("range", rest(), line)?)),
                "break" | "continue" if self.loops == 0 => {
                    return Err(Failure::new(line, format!("`{word}` stands outside of a `range`")));
                }
                "break" => out.push(Node::Break),
                "continue" => out.push(Node::Continue),
                "define" if outermost => self.define(rest(), line)?,
                "define" => {
                    return Err(Failure::new(line, "`define` stands inside of another block").with_hint("move it out"));
                }
                "template" => {
                    let (name, argument) = name_and_argument("template", rest(), line)?;
                    out.push(Node::Call { name, argument, line });
                }
                "block" => {
                    let (name, argument) = name_and_argument("block", rest(), line)?;
                    let body = self.body("block", line)?;
                    self.name(name.clone(), body, line)?;
                    out.push(Node::Call { name, argument, line });
                }
                _ => out.push(Node::Output(pipeline(tokens, line)?)),
            }
        }
        Ok((out, None))
    }

    fn nested(&mut self, what: &str, line: u32) -> Result<Block<'s>, Failure> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Failure::new(line, format!("blocks lie more than {DEEPEST} deep in one another")));
        }
        let block = self.block(false)?;
        self.depth -= 1;
        if block.1.is_none() {
            return Err(Failure::new(line, format!("`{what}` is not closed")).with_hint("add `{{ end }}`"));
        }
        Ok(block)
    }

    /// A block that must be closed by a plain `end`.
    fn body(&mut self, what: &str, line: u32) -> Result<Vec<Node<'s>>, Failure> {
        let loops = std::mem::take(&mut self.loops);
        let (body, end) = self.nested(what, line)?;
        self.loops = loops;
        match end {
            Some(end) if end.word == "else" => Err(Failure::new(end.line, format!("`{what}` has no `else`"))),
            Some(end) => finished(&end.rest, "end").map(|()| body),
            None => Ok(body),
        }
    }

    fn define(&mut self, tokens: Vec<Token>, line: u32) -> Result<(), Failure> {
        let (name, argument) = name_and_argument("define", tokens, line)?;
        if argument.is_some() {
            return Err(Failure::new(line, "`define` takes a name and nothing else"));
        }
        let body = self.body("define", line)?;
        self.name(name, body, line)
    }

    fn name(&mut self, name: String, body: Vec<Node<'s>>, line: u32) -> Result<(), Failure> {
        if self.named.contains_key(&name) {
            return Err(Failure::new(line, format!("template `{}` is defined twice", shown(&name))));
        }
        self.named.insert(name, body);
        Ok(())
    }

    fn branch(&mut self, word: &'static str, tokens: Vec<Token>, line: u32) -> Result<Branch<'s>, Failure> {
        let pipeline = pipeline(tokens, line)?;
        let most = if word == "range" { 2 } else { 1 };
        if pipeline.variables.len() > most {
            return Err(Failure::new(line, format!("`{word}` takes at most {most} variables")));
        }
        self.loops += u32::from(word == "range");
        let (then, end) = self.nested(word, line)?;
        self.loops -= u32::from(word == "range");
        let Some(end) = end else { return Ok(Branch { pipeline, then, otherwise: Vec::new() }) };
        if end.word == "end" {
            finished(&end.rest, "end")?;
            return Ok(Branch { pipeline, then, otherwise: Vec::new() });
        }
        let otherwise = match end.rest.first().map(|token| &token.kind) {
            None => {
                let (otherwise, end) = self.nested("else", end.line)?;
                match end {
                    Some(end) if end.word == "else" => return Err(Failure::new(end.line, "a second `else`")),
                    Some(end) => finished(&end.rest, "end")?,
                    None => {}
                }
                otherwise
            }
            Some(Kind::Word(next)) if next == "if" || next == "with" => {
                let (next, make): (_, fn(Branch<'s>) -> Node<'s>) =
                    if next == "if" { ("if", Node::If) } else { ("with", Node::With) };
                // Inside this block, as if it were written `else` and then `if`.
                self.depth += 1;
                let inner = self.branch(next, end.rest[1..].to_vec(), end.line)?;
                self.depth -= 1;
                vec![make(inner)]
            }
            Some(_) => return Err(Failure::new(end.line, "`else` is followed by `if`, `with` or nothing")),
        };
        Ok(Branch { pipeline, then, otherwise })
    }
}

fn finished(rest: &[Token], word: &str) -> Result<(), Failure> {
    match rest.first() {
        None => Ok(()),
        Some(token) => Err(Failure::new(token.line, format!("`{word}` is followed by something"))),
    }
}

fn name_and_argument(word: &str, tokens: Vec<Token>, line: u32) -> Result<(String, Option<Pipeline>), Failure> {
    let mut tokens = tokens.into_iter();
    let Some(Token { kind: Kind::Text(name), .. }) = tokens.next() else {
        let hint = format!("write `{{{{ {word} \"name\" }}}}`");
        return Err(Failure::new(line, format!("`{word}` needs a name in quotes")).with_hint(hint));
    };
    let rest: Vec<Token> = tokens.collect();
    let argument = if rest.is_empty() { None } else { Some(pipeline(rest, line)?) };
    Ok((name, argument))
}

fn pipeline(tokens: Vec<Token>, line: u32) -> Result<Pipeline, Failure> {
    let mut reader = Tokens { rest: tokens.into_iter().peekable(), line, depth: 0 };
    let pipeline = reader.pipeline()?;
    match reader.rest.next() {
        None => Ok(pipeline),
        Some(token) => Err(Failure::new(token.line, format!("{} is not expected here", describe(&token.kind)))),
    }
}

fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Word(word) => format!("`{}`", shown(word)),
        Kind::Field(name) => format!("`.{}`", shown(name)),
        Kind::Variable(name) => format!("`${}`", shown(name)),
        Kind::Dot => "`.`".to_owned(),
        Kind::Text(_) => "a text".to_owned(),
        Kind::Int(_) | Kind::Float(_) => "a number".to_owned(),
        Kind::Pipe => "`|`".to_owned(),
        Kind::Open => "`(`".to_owned(),
        Kind::Close => "`)`".to_owned(),
        Kind::Declare => "`:=`".to_owned(),
        Kind::Assign => "`=`".to_owned(),
        Kind::Comma => "`,`".to_owned(),
    }
}

struct Tokens {
    rest: std::iter::Peekable<std::vec::IntoIter<Token>>,
    line: u32,
    depth: u32,
}

impl Tokens {
    fn pipeline(&mut self) -> Result<Pipeline, Failure> {
        let line = self.rest.peek().map_or(self.line, |token| token.line);
        let (variables, declares) = self.variables()?;
        let mut commands = vec![self.command()?];
        while self.rest.next_if(|token| token.kind == Kind::Pipe).is_some() {
            commands.push(self.command()?);
        }
        Ok(Pipeline { line, variables, declares, commands })
    }

    /// `$x :=`, `$x =` or `$i, $x :=`, if the pipeline begins so.
    fn variables(&mut self) -> Result<(Vec<String>, bool), Failure> {
        let mut ahead = self.rest.clone();
        let mut names = Vec::new();
        while let Some(Token { kind: Kind::Variable(name), .. }) = ahead.next() {
            names.push(name);
            match ahead.next().map(|token| (token.kind, token.line)) {
                Some((Kind::Comma, _)) => {}
                Some((kind @ (Kind::Declare | Kind::Assign), line)) => {
                    if names.iter().any(String::is_empty) {
                        return Err(
                            Failure::new(line, "`$` alone cannot be set").with_hint("give it a name: `$x := …`")
                        );
                    }
                    self.rest = ahead;
                    return Ok((names, kind == Kind::Declare));
                }
                _ => break,
            }
        }
        Ok((Vec::new(), false))
    }

    fn command(&mut self) -> Result<Command, Failure> {
        let line = self.rest.peek().map_or(self.line, |token| token.line);
        let mut terms = Vec::new();
        while let Some(token) = self.rest.next_if(|token| !matches!(token.kind, Kind::Pipe | Kind::Close)) {
            terms.push(self.term(token)?);
        }
        if terms.is_empty() {
            return Err(Failure::new(line, "a value is missing").with_hint("a pipeline is `VALUE | FUNCTION …`"));
        }
        Ok(Command { line, terms })
    }

    fn term(&mut self, token: Token) -> Result<Term, Failure> {
        let mut fields = Vec::new();
        let base = match token.kind {
            Kind::Dot => Base::Dot,
            Kind::Field(name) => {
                fields.push(name);
                Base::Dot
            }
            Kind::Variable(name) => Base::Variable(name),
            Kind::Text(text) => Base::Text(text),
            Kind::Int(n) => Base::Int(n),
            Kind::Float(x) => Base::Float(x),
            Kind::Word(word) => match word.as_str() {
                "true" => Base::Bool(true),
                "false" => Base::Bool(false),
                "nil" => Base::Nil,
                _ => Base::Function(word),
            },
            Kind::Open => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(Failure::new(token.line, format!("parentheses lie more than {DEEPEST} deep")));
                }
                let inner = self.pipeline()?;
                self.depth -= 1;
                if self.rest.next_if(|token| token.kind == Kind::Close).is_none() {
                    return Err(Failure::new(token.line, "`(` is not closed").with_hint("add `)`"));
                }
                Base::Pipeline(Box::new(inner))
            }
            kind => return Err(Failure::new(token.line, format!("{} is not expected here", describe(&kind)))),
        };
        while let Some(next) = self.rest.next_if(|next| !next.spaced && matches!(next.kind, Kind::Field(_))) {
            if let Kind::Field(name) = next.kind {
                fields.push(name);
            }
        }
        Ok(Term { base, fields })
    }
}
